"""Find where the level of a series changes: pure functions on the logs of its values.

There are two steps, because neither is enough alone. First `ruptures` proposes places:
it finds the best ones, but has no error rate. Then each place is tested on the runs
around it, and the weakest is dropped until all remaining places pass.

The search uses values in which each single outlier was replaced by the median of the
runs around it. The range of possible places of a change, and one of the two tests of a
place, use these values, too. The other test uses ranks of the original values.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.analysis.statistics import holm, robust_deviation

Floats = NDArray[np.float64]

# A shorter series is never searched.
FEWEST_RUNS = 10
# Fewer runs than this are not a level: two or three outliers in a row occur by chance.
SHORTEST_LEVEL = 4
# Chance of reporting any change in a series that has none. A history is looked at after
# every run, so this level is stricter than the level of one comparison.
LEVEL = 0.01
# A smaller change is not reported, however certain: nobody would act on it.
SMALLEST_CHANGE = math.log(1.005)
# A change must be at least as large as the standard deviation of the runs around it. A
# smaller change may be real, but its place cannot be found.
SMALLEST_IN_SPREADS = 1.0
_WINDOW = 7  # runs of the running median
_OUTLIER_SPREADS = 3.5
_PENALTY = 2.0  # so small that the search proposes too many places, not too few
_NOISE_FLOOR = 1e-5  # least spread, for counts that hardly vary
# The true place of a change may differ from the place found. Another place is possible
# if its log likelihood is lower by at most half of this number. With normal noise, 7.35
# gives 95 % confidence (Siegmund, Biometrika 75, 1988). With heavy tails, 11 gives the
# same confidence (scripts/study_history).
_PLACE_DEFICIT = 11.0
_Z95 = 1.959964
_DECISIVE = 6.0  # a model is better if its BIC is lower by this (Raftery 1995)


class Shift(NamedTuple):
    """A change of level; size, low and high are logs of new level / old level.

    Attributes:
        first: Index of the first run with the new level.
        earliest: The least index that the data allow for this run.
        latest: The greatest index that the data allow for this run.
        p: p-value of a change somewhere between the neighbouring changes, corrected for
            the number of places where it could be.
    """

    first: int
    earliest: int
    latest: int
    size: float
    low: float
    high: float
    p: float


class Trend(NamedTuple):
    """A steady rise or fall; all numbers are logs of last level / first level."""

    size: float
    low: float
    high: float


@dataclass(frozen=True)
class Findings:
    """The findings in a series: changes, or a trend, or nothing.

    Attributes:
        p: p-value of the trend, or of the clearest change, corrected for the number of
            changes found; 1 if nothing was found.
    """

    shifts: tuple[Shift, ...] = ()
    trend: Trend | None = None
    p: float = 1.0


def examine(x: Floats, level: float = LEVEL) -> Findings:
    """Return the changes of a series, or its trend.

    Args:
        x: Natural logs of the values, oldest first; all must be finite.
        level: Chance of any finding in a series that does not change.
    """
    if len(x) < FEWEST_RUNS:
        return Findings()
    tamed = tame(x)
    proposed = _proposed(tamed)
    trend, p = _trend(tamed, proposed)
    if trend is not None and p <= level:
        return Findings(trend=trend, p=p)
    boundaries = _confirmed(x, tamed, proposed, level)
    if not boundaries:
        return Findings()
    inflation = _inflation(np.split(tamed, boundaries))
    parts = _parts(boundaries, len(x))
    shifts = tuple(_shift(x, tamed, part, inflation) for part in parts)
    return Findings(shifts, p=min(1.0, min(s.p for s in shifts) * len(shifts)))


def tame(x: Floats) -> Floats:
    """Return the values, with single outliers replaced by the median around them.

    A value is an outlier if it is far from the median of the runs around it (Hampel's
    filter). Runs after a change of level are not outliers: their neighbours have the
    same level.
    """
    usual = _running_median(x)
    residuals = x - usual
    spread = max(robust_deviation(residuals), _NOISE_FLOOR)
    return np.where(np.abs(residuals) > _OUTLIER_SPREADS * spread, usual, x)


def _running_median(x: Floats) -> Floats:
    half = _WINDOW // 2
    # At both ends of the series the window does not get shorter: in a window of two
    # runs, an outlier would be half of the median.
    starts = np.clip(np.arange(len(x)) - half, 0, len(x) - _WINDOW)
    windows = np.lib.stride_tricks.sliding_window_view(x, _WINDOW)
    medians: Floats = np.median(windows, axis=1)
    return medians[starts]


def _proposed(tamed: Floats) -> list[int]:
    """Return the proposed boundaries: the first index of each new level."""
    differences = robust_deviation(np.diff(tamed)) / math.sqrt(2)
    around = robust_deviation(tamed - _running_median(tamed))
    scaled = tamed / max(differences, around, _NOISE_FLOOR)
    penalty = _PENALTY * math.log(len(tamed))
    try:
        import ruptures
    except ImportError:  # it cannot be installed here, see pyproject.toml
        return best_boundaries(scaled, penalty)
    search = ruptures.KernelCPD(kernel="linear", min_size=SHORTEST_LEVEL, jump=1)
    ends = search.fit(scaled.reshape(-1, 1)).predict(pen=penalty)
    return [int(end) for end in ends[:-1]]


def best_boundaries(x: Floats, penalty: float) -> list[int]:
    """Return the same boundaries as `ruptures`; used where it cannot be installed.

    The boundaries divide the series so that the sum of squares and penalties is least.
    They are found by dynamic programming (Jackson et al., IEEE Signal Processing
    Letters 12, 2005). `ruptures` has a faster search (Killick, Fearnhead and Eckley,
    Journal of the American Statistical Association 107, 2012).
    """
    centred = x - x.mean()
    sums = np.concatenate([[0.0], np.cumsum(centred)])
    squares = np.concatenate([[0.0], np.cumsum(centred**2)])
    costs = np.full(len(x) + 1, np.inf)
    costs[0] = -penalty
    previous = np.zeros(len(x) + 1, dtype=int)
    for end in range(SHORTEST_LEVEL, len(x) + 1):
        starts = np.arange(end - SHORTEST_LEVEL + 1)
        means = (sums[end] - sums[starts]) ** 2 / (end - starts)
        totals = costs[starts] + squares[end] - squares[starts] - means + penalty
        previous[end] = int(np.argmin(totals))
        costs[end] = totals[previous[end]]
    boundaries: list[int] = []
    end = int(previous[len(x)])
    while end:
        boundaries.insert(0, end)
        end = int(previous[end])
    return boundaries


def _parts(boundaries: Sequence[int], runs: int) -> list[tuple[int, int, int]]:
    """Return each boundary with the start of the old and the end of the new level."""
    edges = [0, *boundaries, runs]
    return list(zip(edges, edges[1:], edges[2:], strict=False))


def _confirmed(
    x: Floats, tamed: Floats, boundaries: list[int], level: float
) -> list[int]:
    """Drop the weakest boundary until all remaining boundaries pass their tests.

    Holm's procedure keeps the level over all boundaries of the series.
    """
    boundaries = list(boundaries)
    while boundaries:
        inflation = _inflation(np.split(tamed, boundaries))
        parts = _parts(boundaries, len(x))
        tests = [_test(x, tamed, part, inflation) for part in parts]
        levels = [level / number for number in range(1, len(tests) + 1)]
        if all(holm(tests, levels)):
            return boundaries
        del boundaries[tests.index(max(tests))]
    return boundaries


def _test(
    x: Floats, tamed: Floats, part: tuple[int, int, int], inflation: float
) -> float:
    """Return the p-value of a boundary; 1 if its change is too small to matter."""
    start, boundary, end = part
    before, after = x[start:boundary], x[boundary:end]
    size = abs(float(np.median(after[:, None] - before[None, :])))
    around = [before - np.median(before), after - np.median(after)]
    spread = robust_deviation(np.concatenate(around))
    if size < max(SMALLEST_CHANGE, SMALLEST_IN_SPREADS * spread):
        return 1.0
    return boundary_p(x[start:end], tamed[start:end], boundary - start, inflation)


def boundary_p(x: Floats, tamed: Floats, boundary: int, inflation: float) -> float:
    """Return the two-sided p-value for two levels in a series instead of one.

    The function returns the greater of two p-values, because each test has a weakness:

    - The rank-sum test (Mann and Whitney, Annals of Mathematical Statistics 18, 1947)
      is valid for every distribution, and exact for short levels without ties. But it
      assumes that runs are independent.
    - Student's test assumes a distribution, but allows for the correlation of
      neighbouring runs: it inflates the variance of the means, and divides the number
      of runs by the same factor.

    The data chose the place of the boundary. So the p-value is multiplied by the number
    of places at which these runs could be divided (Bonferroni).

    Args:
        x: The runs of both levels.
        tamed: The same runs without single outliers.
        boundary: Index of the first run of the new level.
        inflation: See `_inflation`.
    """
    from scipy.stats import mannwhitneyu, t

    ranks = mannwhitneyu(x[:boundary], x[boundary:], alternative="two-sided")
    before, after = np.split(tamed, [boundary])
    power = float(((before - before.mean()) ** 2).sum())
    power += float(((after - after.mean()) ** 2).sum())
    variance = max(power / (len(x) - 2), _NOISE_FLOOR**2) * inflation
    error = math.sqrt(variance * (1 / len(before) + 1 / len(after)))
    freedom = max(1.0, len(x) / inflation - 2)
    student = 2 * float(t.sf(abs(after.mean() - before.mean()) / error, freedom))
    places = len(x) - 2 * SHORTEST_LEVEL + 1
    return min(1.0, max(float(ranks.pvalue), student) * max(1, places))


def _inflation(parts: Sequence[Floats]) -> float:
    """Return the factor by which correlation inflates the variance of a mean.

    For a first-order autoregression, the factor is (1 + r) / (1 - r), where r is the
    correlation of neighbouring runs within the parts. The estimate of r from n runs in
    k parts is too low by about k / n, so this is added.
    """
    residuals = [part - part.mean() for part in parts]
    power = sum(float(part @ part) for part in residuals)
    if power == 0:
        return 1.0
    r = sum(float(part[1:] @ part[:-1]) for part in residuals) / power
    r = min(0.8, max(0.0, r + len(parts) / sum(map(len, parts))))
    return (1 + r) / (1 - r)


def shift_interval(
    before: Floats, after: Floats, inflation: float = 1.0
) -> tuple[float, float, float]:
    """Return the shift between two levels, and its 95 % interval.

    The shift is the Hodges-Lehmann estimate. The interval is that of the rank-sum test,
    by its normal approximation (Lehmann, Nonparametrics, 1975, section 2.5).
    """
    differences = np.sort((after[:, None] - before[None, :]).ravel())
    first, second = len(before), len(after)
    deviation = math.sqrt(first * second * (first + second + 1) / 12 * inflation)
    cut = math.floor(first * second / 2 - _Z95 * deviation)
    cut = min(max(cut, 0), (len(differences) - 1) // 2)
    low, high = differences[cut], differences[-1 - cut]
    return float(np.median(differences)), float(low), float(high)


def _shift(
    x: Floats, tamed: Floats, part: tuple[int, int, int], inflation: float
) -> Shift:
    """Measure a confirmed change."""
    start, boundary, end = part
    around = tamed[start:end]
    earliest, latest = _possible_places(around, boundary - start, inflation)
    return Shift(
        boundary,
        start + earliest,
        start + latest,
        *shift_interval(x[start:boundary], x[boundary:end], inflation),
        boundary_p(x[start:end], around, boundary - start, inflation),
    )


def _possible_places(part: Floats, boundary: int, inflation: float) -> tuple[int, int]:
    """Return the least and the greatest index that the data allow for the boundary."""
    places = np.arange(1, len(part))
    sums = np.cumsum(part)[:-1]
    left = part.sum() - sums
    explained = sums**2 / places + left**2 / (len(part) - places)
    levels = np.split(part, [boundary])
    residuals = np.concatenate([level - level.mean() for level in levels])
    variance = float(residuals @ residuals) / (len(part) - 2) * inflation
    variance = max(variance, _NOISE_FLOOR**2)
    possible = places[explained[boundary - 1] - explained <= _PLACE_DEFICIT * variance]
    return int(possible.min(initial=boundary)), int(possible.max(initial=boundary))


def _trend(tamed: Floats, proposed: Sequence[int]) -> tuple[Trend | None, float]:
    """Return the trend and its p-value; None if levels describe the series better.

    For a steady rise, the search proposes several changes, although none took place. So
    both models are compared by the Bayesian information criterion (Schwarz, Annals of
    Statistics 6, 1978). The slope is the Theil-Sen estimate (Sen, Journal of the
    American Statistical Association 63, 1968). Its test allows for the correlation of
    neighbouring runs.
    """
    from scipy.stats import t, theilslopes

    runs = len(tamed)
    positions = np.arange(runs) - (runs - 1) / 2
    line = theilslopes(tamed, positions)
    residuals = tamed - line.intercept - line.slope * positions
    steps = np.concatenate(
        [part - part.mean() for part in np.split(tamed, list(proposed))]
    )
    # Each change adds a level and a place to the first level. A line has 2 parameters.
    parameters = 2 * len(proposed) + 1
    if _bic(residuals, 2) + _DECISIVE > _bic(steps, parameters):
        return None, 1.0
    size = float(line.slope) * (runs - 1)
    if abs(size) < max(
        SMALLEST_CHANGE, SMALLEST_IN_SPREADS * robust_deviation(residuals)
    ):
        return None, 1.0
    inflation = _inflation([residuals])
    variance = max(float(residuals @ residuals) / (runs - 2), _NOISE_FLOOR**2)
    error = math.sqrt(variance * inflation / float(positions @ positions))
    freedom = max(1.0, runs / inflation - 2)
    p = 2 * float(t.sf(abs(float(line.slope)) / error, freedom))
    reach = float(t.isf(0.025, freedom)) * error * (runs - 1)
    return Trend(size, size - reach, size + reach), p


def _bic(residuals: Floats, parameters: int) -> float:
    runs = len(residuals)
    variance = max(float(residuals @ residuals) / runs, _NOISE_FLOOR**2)
    return runs * math.log(variance) + parameters * math.log(runs)
