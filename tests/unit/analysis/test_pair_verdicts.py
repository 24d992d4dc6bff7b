"""The verdict on a pair without claims as a whole, and its reason in words."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from assay import wording
from assay.analysis import pair_verdicts
from assay.metrics import DECIDING_METRICS
from assay.results import Comparison, PairVerdict, Verdict

CPU, RATE, MEDIAN = DECIDING_METRICS
MEAN = "latency.mean"


def item(metric: str, verdict: Verdict | None, **changes: Any) -> Comparison:
    usual = {
        "topic": "shop",
        "baseline": "a",
        "candidate": "b",
        "metric": metric,
        "ratio": 1.2,
        "low": 1.1,
        "high": 1.3,
        "launches": 12,
        "verdict": verdict,
    }
    return Comparison.model_validate({**usual, **changes})


def joint_verdict(*words: Verdict, others: Sequence[Comparison] = ()) -> PairVerdict:
    deciding = [
        item(
            metric, word, reason=f"{metric} is not clear" if word == "undecided" else ""
        )
        for metric, word in zip(DECIDING_METRICS, words, strict=True)
    ]
    return pair_verdicts.judge([*deciding, *others], 0.05)


def test_all_the_same_is_the_same() -> None:
    result = joint_verdict("same", "same", "same", others=[item("memory.peak", None)])
    assert result.verdict == "same"
    assert result.reason == f"{CPU}, {RATE} and {MEDIAN} are the same within 5 %"
    assert result.differing == ()
    assert (result.topic, result.baseline, result.candidate) == ("shop", "a", "b")


def test_the_same_is_not_said_where_latency_differs() -> None:
    differs = item(MEAN, None, differs=True, ratio=1.52, low=1.31, high=1.7)
    result = joint_verdict("same", "same", "same", others=[differs])
    assert result.verdict == "undecided"
    assert result.reason.endswith(
        "are the same within 5 %, but latency.mean (1.5× [1.3, 1.7]) differs"
    )
    assert result.differing == (MEAN,)


def test_what_is_not_about_serving_is_named_and_decides_nothing() -> None:
    differs = [item(m, None, differs=True) for m in ("memory.peak", "startup")]
    result = joint_verdict("same", "same", "same", others=differs)
    assert result.verdict == "same"
    assert "but memory.peak (" in result.reason and result.reason.endswith(") differ")
    assert result.differing == ("memory.peak", "startup")


@pytest.mark.parametrize("word", ["faster", "slower"])
@pytest.mark.parametrize("rest", [*itertools.product(["same", "undecided"], repeat=2)])
def test_one_that_is_faster_or_slower_speaks_for_all(
    word: Verdict, rest: tuple[Verdict, Verdict]
) -> None:
    for words in itertools.permutations([word, *rest]):
        result = joint_verdict(*words)
        assert result.verdict == word
        named = DECIDING_METRICS[words.index(word)]
        assert f"{word} by {named} (1.2× [1.1, 1.3])" in result.reason
        # The reason also covers the other metrics, and why they are undecided.
        assert ("the same within 5 %" in result.reason) == ("same" in rest)
        for metric, other in zip(DECIDING_METRICS, words, strict=True):
            clear = f"{metric} is not clear" not in result.reason
            assert clear == (other != "undecided")


def test_a_hint_comes_after_a_verdict() -> None:
    hint = item("latency.p99", None, differs=True)
    result = joint_verdict("slower", "same", "same", others=[hint])
    assert result.verdict == "slower"
    assert result.reason.endswith("; latency.p99 (1.2× [1.1, 1.3]) differs, too")


@pytest.mark.parametrize("third", ["same", "undecided", "slower", "faster"])
def test_metrics_that_disagree_decide_nothing(third: Verdict) -> None:
    for words in itertools.permutations(["faster", "slower", third]):
        result = joint_verdict(*words)
        assert result.verdict == "undecided"
        assert result.reason.startswith("the metrics disagree: faster by ")
        assert ", slower by " in result.reason


def test_undecided_says_why() -> None:
    result = joint_verdict("same", "undecided", "same")
    assert result.verdict == "undecided"
    assert f"{CPU} and {MEDIAN} are the same within 5 %" in result.reason
    assert f"{RATE} is undecided: {RATE} is not clear" in result.reason
    three = joint_verdict("undecided", "undecided", "undecided")
    assert three.verdict == "undecided"
    for metric in DECIDING_METRICS:
        assert f"{metric} is not clear" in three.reason


def test_one_reason_for_all_is_said_once() -> None:
    why = "failure rates differ beyond chance"
    items = [item(m, "undecided", reason=why) for m in DECIDING_METRICS]
    assert pair_verdicts.judge(items, 0.05).reason == why
    items[0] = item(CPU, "same")
    assert pair_verdicts.judge(items, 0.05).reason.count(why) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "1.2× [1.1, 1.3]"),
        ({"low": None, "high": None}, "1.20×"),
        ({"ratio": None, "low": None, "high": None}, "an unknown ratio"),
        ({"censored": "both"}, "an unknown ratio"),
        ({"high": None, "censored": "candidate"}, "≥ 1.2× [1.1, ∞)"),
        ({"low": 0.0, "censored": "baseline"}, "≤ 1.2× (0, 1.3]"),
        ({"ratio": 1234.5678, "low": 1.0, "high": 2e4}, "1,200× [0, 20,000]"),
    ],
)
def test_a_ratio_in_words(changes: dict[str, Any], words: str) -> None:
    assert wording.in_words(item(MEAN, None, **changes)) == words
