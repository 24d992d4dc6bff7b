"""Forecast how many launches the signed-rank interval needs to show a difference.

These are pure functions on arrays, for planning; no verdict depends on them. A forecast
is only as accurate as the spread that it starts from. With six launches, the spread may
be off by a factor of 1.7. Effects and spreads are log ratios, one number per launch.
"""

import bisect
import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from assay.analysis.statistics import Floats, signed_rank_tail

POWER = 0.8
MIN_LAUNCHES = 3  # fewest launches from which a spread can be estimated
# With more launches, computing the exact distribution is slow, and the large-sample
# formula is within 3 % of it.
MAX_EXACT_LAUNCHES = 100


def spread(x: Floats) -> float | None:
    """Return a robust standard deviation of the launches' log ratios.

    This is the median absolute difference between all pairs of launches, scaled to
    equal the standard deviation if the data are normal (Bickel and Lehmann, in
    Contributions to Statistics: Hájek Memorial Volume, 1979). It fits the
    Hodges-Lehmann estimate, which also uses pairs. One outlier among five launches does
    not spoil it, nor do two among eight. With few launches it is slightly too large
    (6 % at six). The median absolute deviation would be too small.

    Args:
        x: One log ratio per launch; infinite ones are left out.

    Returns:
        The spread; None if fewer than three finite ratios are left.
    """
    finite = x[np.isfinite(x)]
    if len(finite) < MIN_LAUNCHES:
        return None
    first, second = np.triu_indices(len(finite), 1)
    return float(1.0483 * np.median(np.abs(finite[first] - finite[second])))


def launches_needed(
    sd: float, effect: float, looks: Sequence[int], level: float, power: float = POWER
) -> int | None:
    """Return how many launches it takes to detect an effect with probability `power`.

    An effect is detected if the two-sided signed-rank interval at `level` excludes 0.

    Args:
        sd: Spread of the launches' log ratios, see `spread`.
        effect: True log ratio, of either sign.
        looks: Numbers of launches at which the data are looked at, ascending.
        level: Two-sided level of one look, see `statistics.pocock_level`.
        power: Probability that one look detects the effect.

    Returns:
        The first look with enough launches, or else the smallest sufficient number
        after the last look. None if no number suffices: if the effect is 0, or the
        spread or the effect is not finite.
    """
    if effect == 0 or not math.isfinite(effect) or not math.isfinite(sd):
        return None

    def suffices(launches: int) -> bool:
        least = smallest_detectable_effect(sd, launches, level, power)
        return least is not None and least <= abs(effect)

    for look in looks:
        if suffices(look):
            return look
    first = looks[-1] + 1 if looks else 1
    if first <= MAX_EXACT_LAUNCHES and suffices(MAX_EXACT_LAUNCHES):
        candidates = range(first, MAX_EXACT_LAUNCHES)
        return first + bisect.bisect_left(candidates, True, key=suffices)
    asymptotic = (sd * _asymptotic_shift(level, power) / effect) ** 2
    return max(first, MAX_EXACT_LAUNCHES + 1, math.ceil(asymptotic * (1 - 1e-9)))


def smallest_detectable_effect(
    sd: float, launches: int, level: float, power: float = POWER
) -> float | None:
    """Return the smallest effect that is detected with probability `power`.

    This is the inverse of `launches_needed`; the arguments mean the same.

    Returns:
        A log ratio above 0 (0 if `sd` is 0); None if there are too few launches for an
        interval at this level.
    """
    shift = _smallest_shift(launches, level, power)
    return None if shift is None else sd * shift


def seconds_to_see(
    x: Floats,
    effect: float,
    seconds_per_launch: float,
    looks: Sequence[int],
    level: float,
) -> float | None:
    """Return the measuring time after which an effect would most likely be detected.

    Args:
        x: One log ratio per launch measured so far.
        effect: True log ratio, of either sign.
        seconds_per_launch: Time from the start of one launch to that of the next.
        looks: Numbers of launches at which the data are looked at, ascending.
        level: Two-sided level of one look.

    Returns:
        Seconds from the start of the first launch; None if too few launches have been
        measured, or if no number of launches suffices.
    """
    sd = spread(x)
    if sd is None:
        return None
    launches = launches_needed(sd, effect, looks, level)
    return None if launches is None else launches * seconds_per_launch


@cache
def _smallest_shift(launches: int, level: float, power: float) -> float | None:
    """Return the shift, in standard deviations, that is detected with this power.

    With many launches, the shift comes from the asymptotic efficiency of the test.
    """
    from scipy.optimize import brentq

    if launches > MAX_EXACT_LAUNCHES:
        return _asymptotic_shift(level, power) / math.sqrt(launches)
    tail = signed_rank_tail(launches)
    rejected = bisect.bisect_right(tail, level / 2)
    if rejected == 0:
        return None

    def excess(shift: float) -> float:
        return _power(launches, rejected, shift) - power

    # At a shift of 0 the power is half the level; at 40, the test is certain to reject.
    return float(brentq(excess, 0.0, 40.0, xtol=1e-9))


def _power(launches: int, rejected: int, shift: float) -> float:
    """Return the probability that the statistic is among its `rejected` highest values.

    The statistic W is the sum of the ranks of the positive launches. It is approximated
    by a normal distribution with the mean and the variance that W has if launches are
    normal around `shift` with a standard deviation of 1 (Lehmann, Nonparametrics:
    Statistical Methods Based on Ranks, 1975, section 4.2). With a dozen launches,
    `_asymptotic_shift` would claim a power of 0.8 where the true power is 0.6.
    """
    from scipy.special import ndtr, owens_t

    n = launches
    pair_shift = math.sqrt(2) * shift
    p1 = float(ndtr(shift))  # P(X > 0)
    p2 = float(ndtr(pair_shift))  # P(X + Y > 0)
    # P(X + Y > 0 and X + Z > 0)
    p3 = p2 - 2 * float(owens_t(pair_shift, 1 / math.sqrt(3)))
    mean = n * p1 + n * (n - 1) / 2 * p2
    variance = (
        n * p1 * (1 - p1)
        + n * (n - 1) / 2 * (2 * (p1 - p2) ** 2 + 3 * p2 * (1 - p2))
        + n * (n - 1) * (n - 2) * (p3 - p2**2)
    )
    lowest = n * (n + 1) / 2 - rejected + 0.5  # with continuity correction
    return float(ndtr((mean - lowest) / math.sqrt(max(variance, 1e-12))))


def _asymptotic_shift(level: float, power: float) -> float:
    """Return the detectable shift times the square root of launches, for many launches.

    With n normal launches, the signed-rank test has the power of a z-test with
    3 n / pi launches (Hodges and Lehmann, Annals of Mathematical Statistics 27, 1956,
    after Pitman).
    """
    from scipy.special import ndtri

    return float(ndtri(1 - level / 2) + ndtri(power)) * math.sqrt(math.pi / 3)
