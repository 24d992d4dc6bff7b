"""Judge benchmarks test by test: ratios, intervals, verdicts, reasons.

Each test of a suite is a separate comparison, and all of them form one family. A test
is *slower* or *faster* only after Holm's correction over the family. *Same* needs no
correction, since it never makes a gate fail.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from assay import wording
from assay.analysis import statistics
from assay.analysis.deciding import Pair
from assay.analysis.looks import Looks
from assay.plan import Topic
from assay.results import Comparison, LeftOut, PairVerdict, Value, Verdict

if TYPE_CHECKING:
    import pandas as pd

    from assay.analysis.statistics import Floats

METRIC = "time"
# A test is no longer measured if it failed in at least `MOST_FAILURES` launches of one
# side, and in more than `MOST_FAILED_SHARE` of that side's launches.
MOST_FAILURES = 2
MOST_FAILED_SHARE = 1 / 3
SKIPPED = "it was skipped"  # the problem of a skipped test begins with this
NAMED = 3  # a reason names at most this many tests


@dataclass(frozen=True)
class Suite:
    """The tests of one topic, and their measurements.

    Attributes:
        tests: One row for each launch, test and variant: see `RunDirectory.tests`.
        metric: The metric that is compared.
        noun: What the tests are called.
    """

    looks: Looks
    topic: Topic
    tests: pd.DataFrame
    metric: str = METRIC
    noun: str = "tests"

    def log_ratios(self, pair: Pair) -> dict[str, Floats]:
        """Return log(candidate / baseline) of each test, one number per launch."""
        ratios = dict.fromkeys(self.topic.scenario.tests, np.empty(0))
        if self.tests.empty:
            return ratios
        rows = self.tests[self.tests["topic"] == self.topic.name]
        wide = rows.pivot_table(
            index=["test", "launch"], columns="variant", values="seconds"
        )
        if set(pair) <= set(wide.columns):
            quotients = (wide[pair[1]] / wide[pair[0]]).dropna()
            logs = quotients.map(math.log)
            for test, of_test in logs.groupby(level="test"):
                ratios[cast(str, test)] = of_test.to_numpy(dtype=float)
        return ratios

    def failures(self) -> dict[tuple[str, str], list[str]]:
        """Return why tests failed, by test and variant, in the order of launches."""
        failures: dict[tuple[str, str], list[str]] = {}
        if self.tests.empty:
            return failures
        rows = self.tests[
            (self.tests["topic"] == self.topic.name) & (self.tests["problem"] != "")
        ]
        for test, variant, problem in zip(
            rows["test"], rows["variant"], rows["problem"], strict=True
        ):
            failures.setdefault((test, variant), []).append(problem)
        return failures

    def failing(self) -> set[str]:
        """Return the tests that failed too often to be measured any longer."""
        return {test for test, _ in self.too_many_failures()}

    def too_many_failures(self) -> dict[tuple[str, str], list[str]]:
        """Return the failures that cause a test to be left out, by test and variant."""
        if self.tests.empty:
            return {}
        rows = self.tests[self.tests["topic"] == self.topic.name]
        launches = rows.groupby(["test", "variant"]).size()
        return {
            key: problems
            for key, problems in self.failures().items()
            if len(problems) >= MOST_FAILURES
            and len(problems) > MOST_FAILED_SHARE * int(launches[key])
        }


def comparisons(suite: Suite) -> Iterable[Comparison]:
    """Yield the comparison of each test, for every pair of the topic."""
    levels = _levels(suite.looks)
    failing = suite.failing()
    for pair in suite.topic.pairs():
        ratios = {
            test: x for test, x in suite.log_ratios(pair).items() if test not in failing
        }
        rejected = _rejected(ratios, levels)
        standing_out = _standing_out(ratios, suite.looks)
        for test, x in ratios.items():
            yield _comparison(
                suite, pair, test, x, test in rejected, test in standing_out
            )


def open_tests(suite: Suite) -> set[str]:
    """Return the undecided tests that further launches could decide."""
    return {
        item.test
        for item in comparisons(suite)
        if item.verdict == "undecided" and item.launches < suite.looks.last
    }


def left_out(suite: Suite) -> Iterable[LeftOut]:
    """Yield the tests that were not compared, each with its reason."""
    topic, scenario = suite.topic, suite.topic.scenario
    for kind, tests, reason in (
        ("new", scenario.new_tests, "only the candidate has it"),
        ("removed", scenario.removed_tests, "only the baseline has it"),
    ):
        for test in tests:
            yield LeftOut(topic=topic.name, test=test, kind=kind, reason=reason)
    for node, reason in scenario.broken_tests.items():
        yield LeftOut(topic=topic.name, test=node, kind="failed", reason=reason)
    for (test, variant), problems in suite.too_many_failures().items():
        skipped = all(problem.startswith(SKIPPED) for problem in problems)
        launches = wording.counted(len(problems), "launch", "launches")
        if not any(test == item for item in scenario.broken_tests):
            yield LeftOut(
                topic=topic.name,
                test=test,
                kind="skipped" if skipped else "failed",
                reason=(
                    f"it gave no time with {variant} in {launches}: {_last(problems)}"
                ),
            )


def warnings(suite: Suite) -> Iterable[str]:
    """Yield warnings that say which tests were not compared."""
    by_kind: dict[str, list[LeftOut]] = {}
    for item in left_out(suite):
        by_kind.setdefault(item.kind, []).append(item)
    for kind, items in by_kind.items():
        named = [f"{item.test} ({item.reason})" for item in items[:NAMED]]
        more = [f"and {len(items) - NAMED} more"] if len(items) > NAMED else []
        count = wording.counted(len(items), f"{kind} test was", f"{kind} tests were")
        yield f"{suite.topic.name}: {count} not compared: {', '.join(named + more)}."


def values(suite: Suite) -> Iterable[Value]:
    """Yield each test's own number, with its uncorrected 95 % interval."""
    if suite.tests.empty:
        return
    rows = suite.tests[suite.tests["topic"] == suite.topic.name].dropna(
        subset=["seconds"]
    )
    for (test, variant), of_side in rows.groupby(["test", "variant"], sort=False):
        seconds = of_side["seconds"].to_numpy(dtype=float)
        interval = statistics.signed_rank_interval(seconds, 0.05)
        yield Value(
            topic=suite.topic.name,
            test=test,
            variant=variant,
            metric=suite.metric,
            value=statistics.hodges_lehmann(seconds),
            low=interval[0] if interval else None,
            high=interval[1] if interval else None,
            launches=len(seconds),
        )


def judge(
    topic: str, pair: Pair, compared: Sequence[Comparison], margin: float
) -> PairVerdict:
    """Judge a pair by all its tests together.

    The pair is *slower* if any test is. Otherwise it is *undecided* if any test is.
    Otherwise it is *faster* if any test is, and *same* if all tests are.

    Args:
        topic: Name of the topic.
        pair: Baseline and candidate.
        compared: The comparisons of the tests.
        margin: The largest change that is too small to matter, as a fraction.
    """
    by_verdict: dict[str, list[Comparison]] = {}
    for item in compared:
        by_verdict.setdefault(str(item.verdict), []).append(item)
    verdict = next(
        (
            word
            for word in ("slower", "undecided", "faster", "same")
            if word in by_verdict
        ),
        "undecided",
    )
    return PairVerdict(
        topic=topic,
        baseline=pair[0],
        candidate=pair[1],
        verdict=cast(Verdict, verdict),
        reason=_reason(by_verdict, len(compared), margin),
    )


def _reason(
    by_verdict: Mapping[str, Sequence[Comparison]], tests: int, margin: float
) -> str:
    if not tests:
        return "no test was measured on both sides"
    clauses = []
    for word in ("slower", "faster"):
        items = sorted(
            by_verdict.get(word, ()), key=lambda item: -abs(math.log(item.ratio or 1))
        )
        if items:
            named = ", ".join(
                f"{item.test} ({wording.in_words(item)})" for item in items[:NAMED]
            )
            more = f" and {len(items) - NAMED} more" if len(items) > NAMED else ""
            clauses.append(f"{word} in {len(items)} of {tests} tests: {named}{more}")
    if same := len(by_verdict.get("same", ())):
        within = wording.percent(margin)
        clauses.append(f"the same within {within} in {same} of {tests} tests")
    if undecided := len(by_verdict.get("undecided", ())):
        clauses.append(f"undecided in {undecided} of {tests} tests")
    return "; ".join(clauses)


def _comparison(
    suite: Suite, pair: Pair, test: str, x: Floats, rejected: bool, stands_out: bool
) -> Comparison:
    looks = suite.looks
    interval = statistics.signed_rank_interval(x, looks.level()) if len(x) else None
    estimate = statistics.hodges_lehmann(x) if len(x) else math.nan
    verdict = statistics.comparison_verdict(interval, estimate, looks.margin, False)
    reason = ""
    if verdict in ("slower", "faster") and not rejected:
        verdict = "undecided"
        reason = (
            f"the interval excludes 1, but with {len(suite.topic.scenario.tests)} "
            f"{suite.noun} that is too little evidence after {len(x)} launches"
        )
    elif verdict == "undecided":
        reason = _reason_undecided(interval, len(x), looks.margin)
    low, high = interval or (None, None)
    return Comparison(
        topic=suite.topic.name,
        test=test,
        baseline=pair[0],
        candidate=pair[1],
        metric=suite.metric,
        ratio=math.exp(estimate) if len(x) else None,
        low=None if low is None else math.exp(low),
        high=None if high is None else math.exp(high),
        launches=len(x),
        verdict=cast(Verdict, verdict),
        reason=reason,
        differs=verdict == "undecided" and stands_out,
        detectable=_detectable(interval),
    )


def _reason_undecided(
    interval: tuple[float, float] | None, launches: int, margin: float
) -> str:
    if interval is None:
        return wording.too_few_launches(launches)
    if interval[0] > 0 or interval[1] < 0:
        return "the difference is less than half of the margin"
    return (
        f"the interval includes 1 and extends beyond the margin of "
        f"{wording.percent(margin)}"
    )


def _detectable(interval: tuple[float, float] | None) -> float | None:
    """Return the smallest change that an interval of this width can show."""
    if interval is None:
        return None
    return math.expm1((interval[1] - interval[0]) / 2)


def _rejected(ratios: Mapping[str, Floats], levels: Sequence[float]) -> set[str]:
    """Return the tests whose ratio differs from 1 after Holm's correction."""
    p = [_two_sided(x) for x in ratios.values()]
    rejections = statistics.holm(p, levels)
    return {test for test, reject in zip(ratios, rejections, strict=True) if reject}


def _standing_out(ratios: Mapping[str, Floats], looks: Looks) -> set[str]:
    """Return the tests that stand out by Benjamini-Hochberg: a hint, not a verdict."""
    p = [_two_sided(x) for x in ratios.values()]
    rejections = statistics.benjamini_hochberg(p, looks.level())
    return {
        test
        for (test, x), stands_out in zip(ratios.items(), rejections, strict=True)
        if stands_out
        and abs(statistics.hodges_lehmann(x))
        >= statistics.MIN_SHARE_OF_MARGIN * math.log1p(looks.margin)
    }


def _two_sided(x: Floats) -> float:
    if not len(x):
        return 1.0
    return min(1.0, 2 * min(statistics.signed_rank_p(x, 0.0)))


def _levels(looks: Looks) -> list[float]:
    """Return the level of one look for 1, 2, … hypotheses of the family.

    Each exact level takes a numerical integration, so only the levels for powers of two
    are computed. Between them, the logarithm of the level is interpolated over the
    logarithm of the number of hypotheses: the curve is nearly straight.
    """
    family = max(looks.comparisons, 1)
    powers = [2**power for power in range((family - 1).bit_length() + 1)]
    exact = [math.log(looks.level(count)) for count in powers]
    counts = np.log(np.arange(1, family + 1))
    return list(np.exp(np.interp(counts, np.log(powers), exact)))


def _last(problems: Sequence[str]) -> str:
    """Return the line that says what was wrong, from the last traceback."""
    lines = [line for line in problems[-1].splitlines() if line.strip()]
    errors = [line[1:].strip() for line in lines if line.startswith("E ")]
    return (errors or lines or ["no reason was given"])[0][:300]
