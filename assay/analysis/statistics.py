"""Estimates, intervals, tests and verdicts: pure functions on arrays.

The unit of inference is the launch. An array `x` has one number per launch, most
often the natural log of candidate / baseline. If some launches are known only as
bounds, the tests and the intervals take an array of two rows: the lowest and the
highest possible number of each launch. The result then holds for all numbers in
between.
"""

import itertools
import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from assay.plan import Expectation

Floats = NDArray[np.float64]


# Replaces an infinite log ratio, so that the mean of +inf and -inf is 0, not NaN.
_INFINITE = 1e9


def walsh_averages(x: Floats) -> Floats:
    """Return the sorted means of all pairs of values: n (n + 1) / 2 numbers.

    Each value is also paired with itself. A value is infinite if the number of one
    side is known only as a bound. The mean of an infinite and a finite value is
    infinite, too.
    """
    first, second = np.triu_indices(len(x))
    clipped = np.clip(x, -_INFINITE, _INFINITE)
    averages = np.sort((clipped[first] + clipped[second]) / 2)
    averages[averages > _INFINITE / 4] = np.inf
    averages[averages < -_INFINITE / 4] = -np.inf
    return averages


# For normally distributed values, the median absolute deviation times this factor is
# the standard deviation.
MAD_TO_DEVIATION = 1.4826


def robust_deviation(x: Floats) -> float:
    """Return an estimate of the standard deviation that outliers hardly influence."""
    return MAD_TO_DEVIATION * float(np.median(np.abs(x - np.median(x))))


def hodges_lehmann(x: Floats) -> float:
    """Return the Hodges-Lehmann estimate: the median of the Walsh averages.

    Source: Hodges and Lehmann, Annals of Mathematical Statistics 34 (1963).

    Raises:
        ValueError: `x` is empty.
    """
    if len(x) == 0:
        raise ValueError("no launches")
    averages = walsh_averages(x)
    middle = averages[[(len(averages) - 1) // 2, len(averages) // 2]]
    return float(middle[0] if middle[0] == middle[1] else middle.mean())


@cache
def signed_rank_tail(n: int) -> tuple[float, ...]:
    """Return P(W <= k) for k = 0 … n (n + 1) / 2 under the null hypothesis.

    W is Wilcoxon's signed-rank statistic of n values without ties. The distribution
    is exact: the function counts the subsets of {1 … n} by their sum.
    """
    counts = [1] + [0] * (n * (n + 1) // 2)
    for rank in range(1, n + 1):
        for total in range(len(counts) - 1, rank - 1, -1):
            counts[total] += counts[total - rank]
    tail = []
    cumulated = 0
    for count in counts:
        cumulated += count
        tail.append(cumulated / 2**n)
    return tuple(tail)


def signed_rank_interval(x: Floats, alpha: float) -> tuple[float, float] | None:
    """Return the exact signed-rank interval of the centre of symmetry of `x`.

    The interval contains every centre that the two-sided signed-rank test does not
    reject at level `alpha`, so its coverage is at least 1 - alpha. It keeps this
    coverage if values are tied, because it includes its ends (see `signed_rank_p`).

    Args:
        x: One number per launch, or two rows of bounds (see the module's docstring).
        alpha: Two-sided level, between 0 and 1.

    Returns:
        The lower and the upper end; None if there are too few launches for a finite
        interval at this level.
    """
    low, high = _extremes(x)
    tail = signed_rank_tail(len(low))
    rejected = sum(1 for probability in tail if probability <= alpha / 2)
    if rejected == 0:
        return None
    return (
        float(walsh_averages(low)[rejected - 1]),
        float(walsh_averages(high)[-rejected]),
    )


def signed_rank_p(x: Floats, centre: float) -> tuple[float, float]:
    """Return the exact p-values of two one-sided tests of the centre of symmetry.

    The first p-value is small if the data are evidence that `x` lies below `centre`.
    The second is small if they are evidence that `x` lies above it. Walsh averages
    equal to `centre` count as evidence for neither. So ties, and values equal to
    `centre`, can only raise the p-values: the test becomes more conservative.
    """
    low, high = _extremes(x)
    tail = signed_rank_tail(len(low))
    not_below = int(np.count_nonzero(walsh_averages(high) >= centre))
    not_above = int(np.count_nonzero(walsh_averages(low) <= centre))
    return tail[not_below], tail[not_above]


def _extremes(x: Floats) -> tuple[Floats, Floats]:
    """Return the lowest and the highest possible number of each launch."""
    return (x[0], x[1]) if x.ndim == 2 else (x, x)


@cache
def pocock_level(looks: tuple[int, ...], alpha: float) -> float:
    """Return the two-sided level of one look that keeps `alpha` over all looks.

    Every look has the same level. The test statistics are modelled as a Brownian
    motion that is observed at the given numbers of launches. The probability that it
    crosses a constant boundary is found by recursive numerical integration
    (Armitage, McPherson and Rowe, Journal of the Royal Statistical Society A 132,
    1969; Pocock, Biometrika 64, 1977).

    Args:
        looks: Numbers of launches, ascending.
        alpha: Two-sided error rate over all looks together.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    def excess(critical: float) -> float:
        return _crossing_probability(looks, critical) - alpha

    highest = float(norm.isf(alpha / (2 * len(looks)))) + 0.01
    critical = brentq(excess, float(norm.isf(alpha / 2)) - 0.01, highest, xtol=1e-5)
    return float(2 * norm.sf(critical))


def _crossing_probability(looks: Sequence[int], critical: float) -> float:
    """Return P(|S_n| > critical sqrt(n) at any look) for a standard random walk."""
    from scipy.stats import norm

    previous = 0
    crossed = 0.0
    points: Floats = np.zeros(1)
    weights: Floats = np.ones(1)
    for look in looks:
        step = math.sqrt(look - previous)
        bound = critical * math.sqrt(look)
        beyond = norm.sf((bound - points) / step) + norm.cdf((-bound - points) / step)
        crossed += float(weights @ beyond)
        grid, width = np.linspace(-bound, bound, 401, retstep=True)
        simpson = np.full(401, 2.0)
        simpson[1::2] = 4.0
        simpson[[0, -1]] = 1.0
        density = norm.pdf((grid[:, None] - points[None, :]) / step) / step
        points, weights = grid, (density @ weights) * simpson * (width / 3)
        previous = look
    return crossed


def holm(p: Sequence[float], levels: Sequence[float]) -> list[bool]:
    """Say which hypotheses Holm's step-down procedure rejects.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979).

    Args:
        p: One p-value for each hypothesis.
        levels: The level if one, two, … hypotheses are not yet rejected. The first
            entry is the full level. The last one is the strictest; it is used while no
            hypothesis is rejected.
    """
    rejected = [False] * len(p)
    order = sorted(range(len(p)), key=lambda index: p[index])
    for rejections, index in enumerate(order):
        if p[index] > levels[len(p) - rejections - 1]:
            break
        rejected[index] = True
    return rejected


def benjamini_hochberg(p: Sequence[float], rate: float) -> list[bool]:
    """Say which hypotheses the Benjamini-Hochberg procedure rejects.

    Source: Benjamini and Hochberg, Journal of the Royal Statistical Society B 57
    (1995). The rate also holds for positively dependent tests, such as the metrics of
    one run (Benjamini and Yekutieli, Annals of Statistics 29, 2001).

    Args:
        p: One p-value for each hypothesis.
        rate: The false discovery rate: the expected share of false rejections among
            all rejections.
    """
    order = sorted(range(len(p)), key=lambda index: p[index])
    rejections = max(
        (n for n, index in enumerate(order, 1) if p[index] <= rate * n / len(p)),
        default=0,
    )
    rejected = set(order[:rejections])
    return [index in rejected for index in range(len(p))]


def beyond_margin_p(x: Floats, margin: float) -> float:
    """Return the two-sided p-value for a change of more than the margin.

    The p-value is small if the data are evidence for such a change, in either
    direction.
    """
    if x.shape[-1] == 0:
        return 1.0
    log_margin = math.log1p(margin)
    above = signed_rank_p(x, log_margin)[1]
    below = signed_rank_p(x, -log_margin)[0]
    return min(1.0, 2 * min(above, below))


# The smallest estimate that is called a difference, as a share of the margin. In about
# one of ten runs of identical code, the interval of some metric excludes 1 by chance.
# The estimate of that metric is then close to 1.
MIN_SHARE_OF_MARGIN = 0.5


def comparison_verdict(
    interval: tuple[float, float] | None,
    estimate: float,
    margin: float,
    higher_is_better: bool,
) -> str:
    """Return the verdict that an interval of the log ratio implies.

    An estimate below `MIN_SHARE_OF_MARGIN` of the margin is not called a difference. It
    is *undecided* until its interval is narrow enough for *same*.

    Args:
        interval: Interval of log(candidate / baseline), or None.
        estimate: Estimate of the same log ratio; NaN if only bounds are known.
        margin: The largest change that is too small to matter, as a fraction.
        higher_is_better: Whether a higher value of the metric means faster.
    """
    if interval is None:
        return "undecided"
    low, high = interval
    log_margin = math.log1p(margin)
    if -log_margin <= low and high <= log_margin:
        return "same"
    if abs(estimate) < MIN_SHARE_OF_MARGIN * log_margin:
        return "undecided"
    if low > 0:
        return "faster" if higher_is_better else "slower"
    if high < 0:
        return "slower" if higher_is_better else "faster"
    return "undecided"


def smallest_p(launches: int) -> float:
    """Return the two-sided signed-rank p-value if all log ratios have the same sign."""
    return float(2.0 ** (1 - launches))


def fewest_launches(level: float) -> int:
    """Return the fewest launches that reach a level if all log ratios have one sign."""
    return next(n for n in itertools.count(1) if smallest_p(n) <= level)


def claim_p(x: Floats, expect: Expectation, margin: float) -> tuple[float, float]:
    """Return the two-sided p-values for "the claim holds" and "it is refuted".

    The claim holds if the centre of the log ratios lies inside the expected region,
    and is refuted if the centre lies outside it. A claim of a direction
    (`Expectation.directed`) is also refuted if the change is shown to be smaller than
    the margin. Each p-value is twice the p-value of a one-sided test, so that
    `p <= alpha` agrees with the interval at level alpha.
    """
    if x.shape[-1] == 0:
        return 1.0, 1.0
    below_low, above_low = _p_at(x, expect.low)
    below_high, above_high = _p_at(x, expect.high)
    holds = max(above_low, below_high)
    refuted = min(below_low, above_high)
    if expect.directed:
        log_margin = math.log1p(margin)
        same = max(signed_rank_p(x, log_margin)[0], signed_rank_p(x, -log_margin)[1])
        refuted = min(refuted, same)
    return min(1.0, 2 * holds), min(1.0, 2 * refuted)


def judge_claim(
    x: Floats, expect: Expectation, margin: float, level: float
) -> tuple[float, bool]:
    """Return the p-value for or against a claim, and whether it is for the claim.

    A change can have the claimed direction and still be smaller than the margin. If
    the claim is shown to hold at this level, the small change does not refute it.

    Args:
        x: Log ratios, or two rows of bounds (see the module's docstring).
        expect: The expectation of the claim.
        margin: The largest change that is too small to matter, as a fraction.
        level: Two-sided level of one look for this claim alone.
    """
    holds, refuted = claim_p(x, expect, margin)
    if holds <= level or holds <= refuted:
        return holds, True
    return refuted, False


def _p_at(x: Floats, bound: float) -> tuple[float, float]:
    """Return `signed_rank_p`; at an infinite bound, p-values of 0 and 1."""
    if math.isinf(bound):
        return (1.0, 0.0) if bound < 0 else (0.0, 1.0)
    return signed_rank_p(x, bound)


def failures_differ(
    failed_a: int, total_a: int, failed_b: int, total_b: int, alpha: float
) -> bool:
    """Say whether two failure rates differ beyond chance (Fisher's exact test)."""
    from scipy.stats import fisher_exact

    table = [[failed_a, total_a - failed_a], [failed_b, total_b - failed_b]]
    return bool(fisher_exact(table).pvalue < alpha)


def binomial_interval(
    successes: int, trials: int, alpha: float = 0.05
) -> tuple[float, float]:
    """Return the exact (Clopper-Pearson) interval of a share.

    Source: Clopper and Pearson, Biometrika 26 (1934).
    """
    from scipy.stats import beta

    low = (
        float(beta.ppf(alpha / 2, successes, trials - successes + 1))
        if successes
        else 0.0
    )
    high = (
        float(beta.ppf(1 - alpha / 2, successes + 1, trials - successes))
        if successes < trials
        else 1.0
    )
    return low, high
