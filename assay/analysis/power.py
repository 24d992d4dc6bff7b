"""How many launches a difference needs: forecasts of the signed-rank interval's power.

Pure functions on arrays, for planning: no verdict rests on them. A forecast is as
good as the spread that it starts from, which six launches tell within a factor of
1.7 or so. Effects and spreads are log ratios, one number per launch.
"""

import bisect
import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from assay.analysis.statistics import Floats, signed_rank_tail

POWER = 0.8
FEWEST = 3  # launches that have a spread
# Above so many launches the exact distribution is slow, and the limit good to 3 %.
MOST_EXACT = 100


def spread(x: Floats) -> float | None:
    """Return the standard deviation of the launches' log ratios, without outliers.

    It is the median distance of all pairs, made to fit the normal distribution
    (Bickel and Lehmann, in Contributions to Statistics: Hájek Memorial Volume,
    1979), which goes with the Hodges-Lehmann estimate. One outlier among five
    launches does not spoil it, nor do two among eight. Of few launches it is
    rather too large (6 % at six), where the median absolute deviation is too small.

    Args:
        x: One log ratio per launch; infinite ones are left out.

    Returns:
        The spread, or None where fewer than three launches are left.
    """
    known = x[np.isfinite(x)]
    if len(known) < FEWEST:
        return None
    first, second = np.triu_indices(len(known), 1)
    return float(1.0483 * np.median(np.abs(known[first] - known[second])))


def launches_needed(
    sd: float, effect: float, looks: Sequence[int], level: float, power: float = POWER
) -> int | None:
    """Return after how many launches an effect would be found, most likely.

    Found means that the two-sided signed-rank interval at `level` leaves out 0.

    Args:
        sd: Spread of the launches' log ratios, see `spread`.
        effect: True log ratio, of either sign.
        looks: Numbers of launches at which one looks, ascending.
        level: Two-sided level of one look, see `statistics.pocock_level`.
        power: Chance of finding it at that look.

    Returns:
        The first look that is enough. If none is, the number of launches without
        looks: beyond the last. None where no number is: for an effect of 0, or
        where spread or effect is not finite.
    """
    if effect == 0 or not math.isfinite(effect) or not math.isfinite(sd):
        return None

    def enough(launches: int) -> bool:
        least = resolvable(sd, launches, level, power)
        return least is not None and least <= abs(effect)

    for look in looks:
        if enough(look):
            return look
    begin = looks[-1] + 1 if looks else 1
    if begin <= MOST_EXACT and enough(MOST_EXACT):
        few = range(begin, MOST_EXACT)
        return begin + bisect.bisect_left(few, True, key=enough)
    plain = (sd * _limit(level, power) / effect) ** 2
    return max(begin, MOST_EXACT + 1, math.ceil(plain * (1 - 1e-9)))


def resolvable(
    sd: float, launches: int, level: float, power: float = POWER
) -> float | None:
    """Return the least effect that so many launches would find, most likely.

    The inverse of `launches_needed`, with the same arguments.

    Returns:
        A log ratio above 0 (0 if `sd` is), or None where so few launches have no
        interval at this level.
    """
    shift = _least_shift(launches, level, power)
    return None if shift is None else sd * shift


def seconds_to_see(
    x: Floats,
    effect: float,
    seconds_per_launch: float,
    looks: Sequence[int],
    level: float,
) -> float | None:
    """Return the measuring time after which an effect would be seen, most likely.

    Args:
        x: One log ratio per launch, of those measured so far.
        effect: True log ratio, of either sign.
        seconds_per_launch: How long one takes, from its start to the next.
        looks: Numbers of launches at which one looks, ascending.
        level: Two-sided level of one look.

    Returns:
        Seconds from the start of the first launch; None where too few launches
        have been measured to tell, or no number of launches is enough.
    """
    sd = spread(x)
    if sd is None:
        return None
    launches = launches_needed(sd, effect, looks, level)
    return None if launches is None else launches * seconds_per_launch


@cache
def _least_shift(launches: int, level: float, power: float) -> float | None:
    """Return the shift, in standard deviations, that is found with this power.

    Of many launches by the signed-rank test's efficiency.
    """
    from scipy.optimize import brentq

    if launches > MOST_EXACT:
        return _limit(level, power) / math.sqrt(launches)
    tail = signed_rank_tail(launches)
    rejected = bisect.bisect_right(tail, level / 2)
    if rejected == 0:
        return None

    def excess(shift: float) -> float:
        return _power(launches, rejected, shift) - power

    # At no shift the power is half the level; at 40, a rank test is certain.
    return float(brentq(excess, 0.0, 40.0, xtol=1e-9))


def _power(launches: int, rejected: int, shift: float) -> float:
    """Return the chance that the upper `rejected` values of the statistic come up.

    W, the sum of the positive launches' ranks, is taken as normal with the mean
    and variance that it has when launches are normal with sd 1 about `shift`
    (Lehmann, Nonparametrics: Statistical Methods Based on Ranks, 1975, section
    4.2). The limit for many launches, `_limit`, promises 0.8 where a dozen have 0.6.
    """
    from scipy.special import ndtr, owens_t

    n, pair = launches, math.sqrt(2) * shift
    one, two = float(ndtr(shift)), float(ndtr(pair))  # P(X > 0), P(X + Y > 0)
    # P(X + Y > 0 and X + Z > 0)
    three = two - 2 * float(owens_t(pair, 1 / math.sqrt(3)))
    mean = n * one + n * (n - 1) / 2 * two
    variance = (
        n * one * (1 - one)
        + n * (n - 1) / 2 * (2 * (one - two) ** 2 + 3 * two * (1 - two))
        + n * (n - 1) * (n - 2) * (three - two**2)
    )
    least = n * (n + 1) / 2 - rejected + 0.5
    return float(ndtr((mean - least) / math.sqrt(max(variance, 1e-12))))


def _limit(level: float, power: float) -> float:
    """Return shift times the root of launches, in the limit of many launches.

    The signed-rank test does with n launches what the z-test does with 3 n / pi,
    if they are normal (Hodges and Lehmann, Annals of Mathematical Statistics 27,
    1956, after Pitman).
    """
    from scipy.special import ndtri

    return float(ndtri(1 - level / 2) + ndtri(power)) * math.sqrt(math.pi / 3)
