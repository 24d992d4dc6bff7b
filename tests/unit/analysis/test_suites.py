"""Benchmarks judged test by test."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.analysis import opinions, suites
from assay.analysis.looks import Looks
from assay.plan import Scenario, Target, Topic, Variant
from assay.results import Comparison, Results

LAUNCHES = 15


def topic_of(*tests: str) -> Topic:
    return Topic(
        name="suite",
        title="A suite",
        file=Path("claims.toml"),
        target=Target(cwd=Path()),
        scenario=Scenario(benchmarks="tests", tests=tests),
        variants=(Variant(name="base"), Variant(name="head")),
    )


def looks_for(tests: int) -> Looks:
    return Looks((LAUNCHES, 20, 27, 40, 60), 0.05, 0.05, comparisons=tests)


def suite_of(
    ratios: dict[str, float], noise: float = 0.01, launches: int = LAUNCHES
) -> suites.Suite:
    """Return a suite in which each test has a ratio and some noise."""
    rng = np.random.default_rng(1)
    rows = [
        ("suite", launch, test, variant, 1e-3 * factor * math.exp(noise * draw), "")
        for launch in range(1, launches + 1)
        for test, ratio in ratios.items()
        for variant, factor, draw in (
            ("base", 1.0, rng.normal()),
            ("head", ratio, rng.normal()),
        )
    ]
    columns = ["topic", "launch", "test", "variant", "seconds", "problem"]
    table = pd.DataFrame(rows, columns=columns)
    return suites.Suite(looks_for(len(ratios)), topic_of(*ratios), table)


def verdicts(suite: suites.Suite) -> dict[str, str | None]:
    return {item.test: item.verdict for item in suites.comparisons(suite)}


def test_twice_as_slow_and_twice_as_fast_are_two_verdicts_and_no_mean() -> None:
    suite = suite_of({"a": 2.0, "b": 0.5, "c": 1.0})
    assert verdicts(suite) == {"a": "slower", "b": "faster", "c": "same"}
    compared = list(suites.comparisons(suite))
    pair = suites.judge("suite", ("base", "head"), compared, 0.05)
    assert pair.verdict == "slower"
    assert pair.reason.startswith("slower in 1 of 3 tests: a (2.0")


def test_a_large_suite_of_identical_code_has_no_slower_test() -> None:
    ratios = {f"test_{number}": 1.0 for number in range(200)}
    found = verdicts(suite_of(ratios, noise=0.02))
    assert set(found.values()) <= {"same", "undecided"}
    # Only *slower* and *faster* are corrected, so most tests are *same*.
    assert list(found.values()).count("same") > 150


def test_a_large_suite_shows_the_one_test_that_is_slower() -> None:
    ratios = {f"test_{number}": 1.0 for number in range(200)} | {"test_7": 1.1}
    # Two hundred tests need one launch more than one test: see `looks_of`.
    found = verdicts(suite_of(ratios, noise=0.02, launches=20))
    assert [test for test, verdict in found.items() if verdict == "slower"] == [
        "test_7"
    ]


def test_each_test_says_how_small_a_change_it_could_see() -> None:
    quiet, noisy = (
        next(iter(suites.comparisons(suite_of({"a": 1.0}, noise))))
        for noise in (0.002, 0.05)
    )
    assert quiet.detectable is not None and noisy.detectable is not None
    assert quiet.detectable < 0.01 < noisy.detectable


def test_what_fails_on_one_side_is_named_and_costs_only_itself() -> None:
    suite = suite_of({"a": 1.0, "b": 1.0})
    rows = suite.tests
    broken = (rows["test"] == "b") & (rows["variant"] == "head")
    rows.loc[broken, "seconds"] = math.nan
    rows.loc[broken, "problem"] = "def b():\nE   ValueError: no\ntests.py:3: ValueError"
    assert verdicts(suite) == {"a": "same"}
    (left,) = suites.left_out(suite)
    assert (left.test, left.kind) == ("b", "failed")
    assert left.reason == "it gave no time with head in 15 launches: ValueError: no"
    (warning,) = suites.warnings(suite)
    assert "1 failed test was not compared: b" in warning


def test_a_test_that_fails_now_and_then_keeps_its_verdict() -> None:
    suite = suite_of({"a": 1.3}, launches=40)
    rows = suite.tests
    broken = (rows["launch"].isin([3, 20])) & (rows["variant"] == "head")
    rows.loc[broken, "seconds"] = math.nan
    rows.loc[broken, "problem"] = "it failed"
    assert verdicts(suite) == {"a": "slower"}
    assert list(suites.left_out(suite)) == []


def test_a_skipped_test_has_not_failed() -> None:
    suite = suite_of({"a": 1.0})
    suite.tests["seconds"] = math.nan
    suite.tests["problem"] = f"{suites.SKIPPED}: not on this machine"
    kinds = {item.kind for item in suites.left_out(suite)}
    assert kinds == {"skipped"}


def test_what_head_cannot_collect_is_named() -> None:
    suite = suite_of({"a": 1.0})
    scenario = suite.topic.scenario.model_copy(
        update={"broken_tests": {"tests/b.py": "head cannot collect it: no module"}}
    )
    topic = suite.topic.model_copy(update={"scenario": scenario})
    (left,) = suites.left_out(suites.Suite(suite.looks, topic, suite.tests))
    assert (left.test, left.kind) == ("tests/b.py", "failed")


def test_a_test_of_one_side_only_is_new_or_removed() -> None:
    suite = suite_of({"a": 1.0})
    scenario = suite.topic.scenario.model_copy(
        update={"new_tests": ("n",), "removed_tests": ("r",)}
    )
    topic = suite.topic.model_copy(update={"scenario": scenario})
    left = suites.left_out(suites.Suite(suite.looks, topic, suite.tests))
    assert [(item.test, item.kind) for item in left] == [("n", "new"), ("r", "removed")]


def test_nothing_measured_is_not_the_same() -> None:
    empty = suites.Suite(looks_for(1), topic_of("a"), pd.DataFrame())
    assert verdicts(empty) == {"a": "undecided"}
    pair = suites.judge("suite", ("base", "head"), [], 0.05)
    assert pair.verdict == "undecided"


@settings(max_examples=20)
@given(st.integers(1, 300))
def test_the_levels_of_a_family_fall_and_are_no_looser_than_exact(family: int) -> None:
    looks = looks_for(family)
    levels = suites._levels(looks)
    assert len(levels) == family
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] == pytest.approx(looks.level(family), rel=0.02)


def compared(verdict: str, ratio: float) -> Comparison:
    return Comparison.model_validate(
        {
            "topic": "suite",
            "test": "a",
            "baseline": "base",
            "candidate": "head",
            "metric": "time",
            "ratio": ratio,
            "low": ratio * 0.99,
            "high": ratio * 1.01,
            "launches": 15,
            "verdict": verdict,
        }
    )


def results_of(item: Comparison) -> Results:
    pair = suites.judge("suite", ("base", "head"), [item], 0.05)
    return Results(run="r", partial=False, seed=1, comparisons=(item,), pairs=(pair,))


def test_only_what_is_slower_twice_is_slower() -> None:
    first = results_of(compared("slower", 1.1))
    again = opinions.confirm(first, results_of(compared("slower", 1.09)), 0.05)
    assert again.pairs[0].verdict == "slower"
    assert again.comparisons[0].reason == "measured again: 1.09× [1.08, 1.10]"
    for other, words in (
        ("same", "not when measured again: 1.0"),
        ("undecided", "not certain when measured again: 1.0"),
    ):
        unlike = opinions.confirm(first, results_of(compared(other, 1.0)), 0.05)
        assert unlike.pairs[0].verdict == other
        assert unlike.comparisons[0].verdict == other
        reason = unlike.comparisons[0].reason
        assert f"slower at first, but {words}" in reason
    lost = opinions.confirm(first, Results(run="r", partial=True, seed=1), 0.05)
    assert lost.partial and lost.comparisons[0].verdict == "undecided"
