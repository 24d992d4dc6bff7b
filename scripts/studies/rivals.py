"""Today's rules for "is it slower?", as pure functions on arrays.

The studies put them beside Assay on the same measurements. Every rule judges a
candidate against a baseline by numbers of which a greater one is slower; a rule
that was only meant to see a slowdown never says *faster* here either. *undecided*
is the word of a test that found no significant difference: that is not yet *same*.
"""

import warnings

import numpy as np
from scipy import stats

from assay.analysis.statistics import Floats
from assay.results import Verdict

# How many samples a side tachometer adds before it looks again (src/runner.ts).
BATCH = 10


def threshold(baseline: Floats, candidate: Floats, limit: float = 0.05) -> Verdict:
    """Compare the means of two consecutive runs with a fixed limit.

    This is what a script in CI does over two load tests, and what
    github-action-benchmark does with `alert-threshold: 105%` (findAlerts in
    src/write.ts; its default is 200 %, and it alerts to slowdowns only). The two
    numbers carry no interval, so the rule cannot say that it does not know.

    Args:
        baseline: Response times of one run, in one unit.
        candidate: Those of the other.
        limit: Greatest change of the mean that passes, as a share.

    Raises:
        ValueError: A side is empty, or a time is not above zero.
    """
    _check(baseline, candidate)
    before, after = float(baseline.mean()), float(candidate.mean())
    if after > before * (1 + limit):
        return "slower"
    if after < before * (1 - limit):
        return "faster"
    return "same"


def welch(baseline: Floats, candidate: Floats, alpha: float = 0.05) -> Verdict:
    """Ask Welch's t-test, two-sided and unpaired, whether the means differ.

    As hyperfine's scripts/welch_ttest.py does: each number comes from a launch of
    its own, p < 0.05 is a difference. That both sides of a launch were measured
    side by side is not used.

    Source: Welch, Biometrika 34 (1947); scipy.stats.ttest_ind(equal_var=False).

    Args:
        baseline: One number for each launch, in one unit.
        candidate: The same of the other side; it may have more or fewer.
        alpha: Two-sided level.

    Raises:
        ValueError: A side has fewer than two numbers, or one not above zero.
    """
    _check(baseline, candidate, fewest=2)
    # SciPy warns of sides without spread; p is then 0 or not a number.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        p = float(stats.ttest_ind(candidate, baseline, equal_var=False).pvalue)
    return _significant(p < alpha, float(candidate.mean() - baseline.mean()))


def mann_whitney(baseline: Floats, candidate: Floats, alpha: float = 0.05) -> Verdict:
    """Ask the Mann-Whitney U test, two-sided, about all requests of both sides.

    The test itself is sound, and benchstat (golang.org/x/perf) uses it by default
    at the same level, but there on one number for each of many runs. Here it gets
    what many people feed it: raw request times, as if requests of one run were
    independent. The direction is that of U: whose request tends to be the slower
    of two drawn at random.

    Source: Mann and Whitney, Annals of Mathematical Statistics 18 (1947);
    scipy.stats.mannwhitneyu, which corrects for ties and, except for small sides
    without ties, takes the normal approximation.

    Args:
        baseline: One time for each request, in one unit.
        candidate: The same of the other side.
        alpha: Two-sided level.

    Raises:
        ValueError: A side is empty, or a time is not above zero.
    """
    _check(baseline, candidate)
    found = stats.mannwhitneyu(candidate, baseline, alternative="two-sided")
    middle = len(baseline) * len(candidate) / 2
    return _significant(float(found.pvalue) < alpha, float(found.statistic) - middle)


def tachometer(
    baseline: Floats,
    candidate: Floats,
    minimum: int = 50,
    horizon: float = 0.0,
    most: int | None = None,
) -> tuple[Verdict, int]:
    """Sample until the difference is clear: the default rule of google/tachometer.

    It takes `minimum` samples a side, then ten a side at a time until the 95 %
    intervals of the relative difference of means, (b - a) / a in both directions,
    leave out the horizon, or until its time limit of three minutes (src/runner.ts,
    src/stats.ts, src/defaults.ts of 0.7.2). The level is the same at every look.
    Where time ran out it says "unsure", which is *undecided* here. Its samples
    are page loads, side after side in turn.

    Args:
        baseline: Samples in the order of measuring, in one unit.
        candidate: The same of the other side, measured in turn with the first.
        minimum: Samples a side before the first look; 2 or more.
        horizon: The relative difference to resolve, as a share: 0.1 is its
            `--auto-sample-conditions=10%`, that is both -10 % and +10 %.
        most: Samples a side at which it stops, in place of its time limit. By
            default as many as both sides have.

    Returns:
        The verdict, and how many samples of each side it rests on.

    Raises:
        ValueError: A side has fewer samples than `minimum`, or one that is not
            above zero.
    """
    _check(baseline, candidate, fewest=max(2, minimum))
    available = min(len(baseline), len(candidate))
    last = available if most is None else min(most, available)
    used = max(2, minimum)
    while used < last and not _resolved(baseline[:used], candidate[:used], horizon):
        used = min(used + BATCH, last)
    # The word is about zero whatever the horizon, and needs both intervals of the
    # candidate's row (formatDifference in src/format.ts).
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

    It fails where the candidate's median is more than the limit above that of the
    saved run, and passes otherwise (PercentageRegressionCheck in
    pytest_benchmark/utils.py of 5.3.1; its limits are whole percents). It has no
    word for faster or for not knowing: a pass is *same* here.

    Args:
        baseline: Seconds of each round of the saved run.
        candidate: Those of the run that is compared with it.
        limit: Greatest rise of the median that passes, as a share.

    Raises:
        ValueError: A side is empty, or a time is not above zero.
    """
    _check(baseline, candidate)
    rise = float(np.median(candidate)) / float(np.median(baseline)) * 100 - 100
    return "slower" if rise > limit * 100 else "same"


def _check(baseline: Floats, candidate: Floats, fewest: int = 1) -> None:
    """Refuse what a rule would turn into a verdict without meaning."""
    for side, values in (("baseline", baseline), ("candidate", candidate)):
        if len(values) < fewest:
            raise ValueError(
                f"the rule needs {fewest} or more numbers of the {side}, got "
                f"{len(values)}: measure more"
            )
        if not bool(np.all(np.isfinite(values) & (values > 0))):
            raise ValueError(
                f"the rule needs finite numbers above zero, the {side} has others: "
                "leave out requests that were not answered"
            )


def _significant(significant: bool, difference: float) -> Verdict:
    """Return the direction of a significant difference."""
    if not significant or difference == 0:
        return "undecided"
    return "slower" if difference > 0 else "faster"


def _resolved(baseline: Floats, candidate: Floats, horizon: float) -> bool:
    """Say whether the relative differences of both directions leave the horizon out.

    See autoSampleConditionsResolved in src/stats.ts: every side is compared with
    every other, and a horizon on the edge of an interval counts as inside.
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

    Both are mean ± t · sd with n - 1 degrees of freedom for n samples a side, the
    sd of the ratio by the delta method (computeDifference in src/stats.ts).
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
