"""Rules in use today for "is it slower?", as pure functions on arrays.

The studies apply them to the same measurements as Assay. Each rule compares the
numbers of a candidate with those of a baseline; larger numbers are slower. A rule that
detects only slowdowns never returns *faster*. A test that finds no significant
difference returns *undecided*, because that does not show that the sides are the same.
"""

import warnings

import numpy as np
from scipy import stats

from assay.analysis.statistics import Floats
from assay.results import Verdict

# Samples per side that tachometer adds before it looks again (src/runner.ts).
BATCH = 10


def threshold(baseline: Floats, candidate: Floats, limit: float = 0.05) -> Verdict:
    """Compare the means of two consecutive runs with a fixed limit.

    A CI script does this with two load tests, and so does github-action-benchmark
    with `alert-threshold: 105%` (findAlerts in src/write.ts; its default is 200 %, and
    it reports slowdowns only). The two numbers have no interval, so the rule is never
    undecided.

    Args:
        baseline: Response times of one run.
        candidate: Response times of the other run, in the same unit.
        limit: Largest change of the mean that passes, as a fraction.

    Raises:
        ValueError: A side is empty, or a time is not finite and above zero.
    """
    _check(baseline, candidate)
    before, after = float(baseline.mean()), float(candidate.mean())
    if after > before * (1 + limit):
        return "slower"
    if after < before * (1 - limit):
        return "faster"
    return "same"


def welch(baseline: Floats, candidate: Floats, alpha: float = 0.05) -> Verdict:
    """Apply Welch's t-test, two-sided and unpaired, to the means.

    hyperfine's scripts/welch_ttest.py does this: each number comes from a separate
    launch, and p < 0.05 is a difference. The test ignores that the two sides of a
    launch were measured side by side.

    Source: Welch, Biometrika 34 (1947); scipy.stats.ttest_ind(equal_var=False).

    Args:
        baseline: One number for each launch.
        candidate: The numbers of the other side; there may be more or fewer.
        alpha: Two-sided level.

    Raises:
        ValueError: A side has fewer than two numbers, or one that is not finite and
            above zero.
    """
    _check(baseline, candidate, minimum=2)
    # SciPy warns if a side has no spread; p is then 0 or NaN.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        p = float(stats.ttest_ind(candidate, baseline, equal_var=False).pvalue)
    return _significant(p < alpha, float(candidate.mean() - baseline.mean()))


def mann_whitney(baseline: Floats, candidate: Floats, alpha: float = 0.05) -> Verdict:
    """Apply the two-sided Mann-Whitney U test to all requests of both sides.

    The test itself is sound. benchstat (golang.org/x/perf) uses it by default at the
    same level, on one number for each of many runs. Here it gets what many people
    give it: raw request times, as if the requests of one run were independent. The
    direction is that of U: of all pairs with one request of each side, the slower side
    has the slower request in more than half.

    Source: Mann and Whitney, Annals of Mathematical Statistics 18 (1947);
    scipy.stats.mannwhitneyu, which corrects for ties and, except for small sides
    without ties, takes the normal approximation.

    Args:
        baseline: One time for each request.
        candidate: The times of the other side, in the same unit.
        alpha: Two-sided level.

    Raises:
        ValueError: A side is empty, or a time is not finite and above zero.
    """
    _check(baseline, candidate)
    result = stats.mannwhitneyu(candidate, baseline, alternative="two-sided")
    expected_u = len(baseline) * len(candidate) / 2
    difference = float(result.statistic) - expected_u
    return _significant(float(result.pvalue) < alpha, difference)


def tachometer(
    baseline: Floats,
    candidate: Floats,
    minimum: int = 50,
    horizon: float = 0.0,
    most: int | None = None,
) -> tuple[Verdict, int]:
    """Sample until the difference is clear: the default rule of google/tachometer.

    The rule takes `minimum` samples per side, then ten more per side at a time. It
    looks at the 95 % intervals of the relative difference of means, (b - a) / a, in
    both directions. It stops when they exclude the horizon, or at its time limit of
    three minutes (src/runner.ts, src/stats.ts, src/defaults.ts of 0.7.2). The level is
    the same at every look. At the time limit it reports "unsure", which is *undecided*
    here. Its samples are page loads, alternating between the sides.

    Args:
        baseline: Samples in the order of measuring.
        candidate: Samples of the other side, in the same unit, measured alternately.
        minimum: Samples per side before the first look; fewer than 2 count as 2.
        horizon: The relative difference to resolve, as a fraction: 0.1 is the rival's
            `--auto-sample-conditions=10%`, that is both -10 % and +10 %.
        most: Samples per side at which it stops, in place of its time limit. By
            default as many as both sides have.

    Returns:
        The verdict, and the number of samples per side that it rests on.

    Raises:
        ValueError: A side has fewer samples than `minimum`, or one that is not
            finite and above zero.
    """
    _check(baseline, candidate, minimum=max(2, minimum))
    available = min(len(baseline), len(candidate))
    last = available if most is None else min(most, available)
    used = max(2, minimum)
    while used < last and not _resolved(baseline[:used], candidate[:used], horizon):
        used = min(used + BATCH, last)
    # The verdict compares with zero, whatever the horizon is. It needs both intervals
    # of the candidate's row (formatDifference in src/format.ts).
    intervals = _differences(baseline[:used], candidate[:used])
    if all(low > 0 for low, _ in intervals):
        return "slower", used
    if all(high < 0 for _, high in intervals):
        return "faster", used
    return "undecided", used


def benchmark_compare(
    baseline: Floats, candidate: Floats, limit: float = 0.05
) -> Verdict:
    """Compare medians as `pytest --benchmark-compare-fail=median:5%` does.

    It fails if the candidate's median exceeds the median of the saved run by more than
    the limit, and passes otherwise (PercentageRegressionCheck in
    pytest_benchmark/utils.py of 5.3.1; its limits are whole percents). It cannot report
    "faster" or "undecided": a pass is *same* here.

    Args:
        baseline: Seconds of each round of the saved run.
        candidate: Seconds of each round of the run that is compared with it.
        limit: Largest increase of the median that passes, as a fraction.

    Raises:
        ValueError: A side is empty, or a time is not finite and above zero.
    """
    _check(baseline, candidate)
    rise = float(np.median(candidate)) / float(np.median(baseline)) * 100 - 100
    return "slower" if rise > limit * 100 else "same"


def _check(baseline: Floats, candidate: Floats, minimum: int = 1) -> None:
    """Refuse numbers from which a rule would get a meaningless verdict.

    Raises:
        ValueError: A side has too few numbers, or one not finite and above zero.
    """
    for side, values in (("baseline", baseline), ("candidate", candidate)):
        if len(values) < minimum:
            raise ValueError(
                f"the rule needs {minimum} or more numbers of the {side}, got "
                f"{len(values)}: measure more"
            )
        if not bool(np.all(np.isfinite(values) & (values > 0))):
            raise ValueError(
                f"the rule needs finite numbers above zero, the {side} has others: "
                "leave out requests that were not answered"
            )


def _significant(significant: bool, difference: float) -> Verdict:
    """Return the direction of a difference; *undecided* if it is not significant."""
    if not significant or difference == 0:
        return "undecided"
    return "slower" if difference > 0 else "faster"


def _resolved(baseline: Floats, candidate: Floats, horizon: float) -> bool:
    """Say whether the relative differences in both directions exclude the horizon.

    See autoSampleConditionsResolved in src/stats.ts: each side is compared with each
    other side, and a horizon on the edge of an interval counts as inside.
    """
    return not any(
        low <= bound <= high
        for a, b in ((baseline, candidate), (candidate, baseline))
        for _, (low, high) in [_differences(a, b)]
        for bound in (-horizon, horizon)
    )


def _differences(
    a: Floats, b: Floats
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return tachometer's 95 % intervals of b - a and of (b - a) / a.

    Each is the estimate ± t times its standard error. The degrees of freedom are the
    samples of the smaller side, minus one. The standard error of the ratio is that of
    the delta method (computeDifference in src/stats.ts).
    """
    mean_a, mean_b = float(a.mean()), float(b.mean())
    variance_a = float(a.var(ddof=1)) / len(a)
    variance_b = float(b.var(ddof=1)) / len(b)
    t = float(stats.t.ppf(0.975, min(len(a), len(b)) - 1))
    absolute = t * (variance_a + variance_b) ** 0.5
    relative = t * (variance_a * mean_b**2 + variance_b * mean_a**2) ** 0.5 / mean_a**2
    difference = mean_b - mean_a
    return (
        (difference - absolute, difference + absolute),
        (difference / mean_a - relative, difference / mean_a + relative),
    )
