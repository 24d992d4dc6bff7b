"""What is slower passes, fails or is waived; the exit code follows."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.analysis import gates
from assay.cli.run import exit_code
from assay.gating import Gating, Threshold, Waiver
from assay.plan import Plan, Scenario, Target, Topic, Variant
from assay.results import Comparison, LeftOut, PairVerdict, Results, Verdict

TODAY = date(2026, 6, 1)
READ, WRITE = "tests/test_io.py::test_read[3]", "tests/test_io.py::test_write"


def topic_of(name: str = "suite", tests: Sequence[str] = (READ, WRITE)) -> Topic:
    return Topic(
        name=name,
        title="A topic",
        file=Path("claims.toml"),
        target=Target(cwd=Path()),
        scenario=Scenario(
            benchmarks="tests", paths=("tests/test_io.py",), tests=tuple(tests)
        ),
        variants=(Variant(name="base"), Variant(name="head")),
    )


def compared(
    ratio: float | None,
    verdict: Verdict = "slower",
    test: str = READ,
    metric: str = "time",
    topic: str = "suite",
) -> Comparison:
    return Comparison(
        topic=topic,
        test=test,
        baseline="base",
        candidate="head",
        metric=metric,
        ratio=ratio,
        low=None,
        high=None,
        launches=15,
        verdict=verdict,
    )


def results_of(*items: Comparison, verdict: Verdict = "slower") -> Results:
    topics = dict.fromkeys(item.topic for item in items)
    pairs = tuple(
        PairVerdict(
            topic=topic, baseline="base", candidate="head", verdict=verdict, reason="so"
        )
        for topic in topics
    )
    return Results(run="run", partial=False, seed=1, comparisons=items, pairs=pairs)


def plan_of(
    *rules: Threshold | Waiver, topics: Sequence[Topic] = (), whole: bool = True
) -> Plan:
    gating = Gating(
        thresholds=tuple(rule for rule in rules if isinstance(rule, Threshold)),
        waivers=tuple(rule for rule in rules if isinstance(rule, Waiver)),
        day=TODAY,
        whole=whole,
    )
    return Plan(topics=tuple(topics) or (topic_of(),), gating=gating)


def threshold(at_most: float, test: str = "*", metric: str = "*") -> Threshold:
    return Threshold(test=test, metric=metric, at_most=at_most)


def waiver(
    ceiling: float = 1.3,
    until: date = date(2027, 1, 31),
    test: str = READ,
    metric: str = "time",
    topic: str = "",
) -> Waiver:
    return Waiver(
        topic=topic,
        test=test,
        metric=metric,
        ceiling=ceiling,
        reason="the check is worth it",
        until=until,
        where="perf/waivers.toml:4",
    )


def decided(plan: Plan, *items: Comparison) -> Results:
    return gates.decide(plan, results_of(*items))


def test_without_a_gate_everything_slower_fails_without_a_word() -> None:
    results = decided(plan_of(), compared(1.06))
    assert [(gate.verdict, gate.reason) for gate in results.gates] == [("fails", "")]
    assert exit_code(results) == 1


@pytest.mark.parametrize(
    ("ratio", "verdict", "code"), [(1.09, "passes", 0), (1.12, "fails", 1)]
)
def test_a_threshold_is_about_the_estimate(
    ratio: float, verdict: str, code: int
) -> None:
    results = decided(plan_of(threshold(0.1)), compared(ratio))
    (gate,) = results.gates
    assert gate.verdict == verdict
    assert "allows" in gate.reason and "10 %" in gate.reason
    assert exit_code(results) == code
    assert results.comparisons[0].verdict == "slower"


def test_less_throughput_is_slower() -> None:
    plan = plan_of(threshold(0.1))
    for ratio, verdict in ((0.92, "passes"), (0.88, "fails")):
        item = compared(ratio, metric="throughput", test="")
        assert decided(plan, item).gates[0].verdict == verdict


def test_what_has_no_number_is_not_within_any_threshold() -> None:
    plan = plan_of(threshold(1000.0), waiver(ceiling=1e6))
    bound = compared(1.01).model_copy(update={"censored": "candidate"})
    for item in (compared(None), bound):
        assert decided(plan, item).gates[0].verdict == "fails"


def test_the_most_specific_threshold_counts() -> None:
    rules = (
        threshold(0.5),
        threshold(0.2, test="tests/test_io.py::*"),
        threshold(0.1, test=READ),
        # It has more literal characters, but the exact name is more specific.
        threshold(0.9, test="tests/test_io.py::test_read[3]*"),
        Threshold(topic="suite", metric="time", at_most=0.7),
    )

    def of(test: str) -> float:
        found = gates.threshold_of(plan_of(*rules).gating, "suite", test, "time")
        assert found
        return found.at_most

    assert of(READ) == 0.1
    assert of(WRITE) == 0.2
    assert of("other.py::test") == 0.7  # the topic is exact


def test_of_equals_the_strictest_counts() -> None:
    rules = threshold(0.3, test="tests*x"), threshold(0.2, test="test*sx")
    gating = plan_of(*rules).gating
    found = gates.threshold_of(gating, "suite", "tests_x_sx", "time")
    assert found is None or found.at_most == 0.2
    found = gates.threshold_of(gating, "suite", "tests1sx", "time")
    assert found and found.at_most == 0.2


@pytest.mark.parametrize("ratio", [1.06, 1.3])
def test_a_waived_comparison_stays_slower_and_fails_no_gate(ratio: float) -> None:
    results = decided(plan_of(waiver()), compared(ratio))
    (gate,) = results.gates
    assert gate.verdict == "waived" and gate.until == date(2027, 1, 31)
    assert gate.reason == (
        "waived until 2027-01-31, up to 1.3 times as slow: the check is worth it"
    )
    assert results.comparisons[0].verdict == results.pairs[0].verdict == "slower"
    assert results.pairs[0].gate == "passes"
    assert exit_code(results) == 0
    assert not results.warnings


def test_a_waiver_ends_at_its_ceiling() -> None:
    results = decided(plan_of(waiver()), compared(1.31))
    assert results.gates[0].verdict == "fails"
    assert "the waiver is for up to 1.3 times" in results.gates[0].reason
    assert exit_code(results) == 1


def test_a_waiver_is_exact() -> None:
    plan = plan_of(waiver())
    for item in (
        compared(1.2, test=WRITE),
        compared(1.2, metric="instructions"),
    ):
        assert decided(plan, item).gates[0].verdict == "fails"
    plan = plan_of(waiver(topic="other"))
    assert decided(plan, compared(1.2)).gates[0].verdict == "fails"


def test_a_waiver_counts_on_its_last_day_and_not_later() -> None:
    counts = decided(plan_of(waiver(until=TODAY)), compared(1.2))
    assert counts.gates[0].verdict == "waived"
    expired = decided(plan_of(waiver(until=date(2026, 5, 31))), compared(1.2))
    assert expired.gates[0].verdict == "fails"
    assert "expired on 2026-05-31" in expired.gates[0].reason
    assert "expired on 2026-05-31 and does not count" in expired.warnings[0]
    assert exit_code(expired) == 1


def test_a_waiver_of_a_service_names_its_topic() -> None:
    plan = plan_of(
        waiver(test="", topic="perf", metric="cpu_per_request"),
        topics=[topic_of("perf", tests=())],
    )
    cpu = compared(1.2, metric="cpu_per_request", test="", topic="perf")
    fine = compared(1.0, "same", metric="throughput", test="", topic="perf")
    assert exit_code(decided(plan, cpu, fine)) == 0


def test_what_is_undecided_beside_something_waived_stays_undecided() -> None:
    results = decided(
        plan_of(waiver()), compared(1.2), compared(1.02, "undecided", test=WRITE)
    )
    assert results.pairs[0].gate == "undecided"
    assert exit_code(results) == 3


def test_one_that_fails_is_enough() -> None:
    results = decided(plan_of(waiver()), compared(1.2), compared(1.2, test=WRITE))
    assert [gate.verdict for gate in results.gates] == ["waived", "fails"]
    assert exit_code(results) == 1


def test_a_slower_metric_of_an_undecided_pair_is_not_asked() -> None:
    items = compared(1.2, metric="cpu_per_request", test="")
    results = gates.decide(plan_of(), results_of(items, verdict="undecided"))
    assert not results.gates and results.pairs[0].gate == "undecided"
    assert exit_code(results) == 3


def test_a_slower_pair_of_which_nothing_is_known_fails() -> None:
    results = gates.decide(plan_of(), results_of(compared(1.2, "same")))
    assert results.pairs[0].gate == "fails" and exit_code(results) == 1


def test_a_waiver_that_matches_nothing_is_said() -> None:
    other = "tests/test_io.py::test_gone"
    plan = plan_of(waiver(test=other))
    (warning,) = decided(plan, compared(1.0, "same")).warnings
    assert warning.startswith("1 waiver matches nothing that was measured: " + other)
    assert "perf/waivers.toml:4" in warning


def test_a_waiver_of_a_test_that_failed_is_not_idle() -> None:
    results = results_of(compared(1.0, "same", test=WRITE), verdict="same")
    left = LeftOut(topic="suite", test=READ, kind="failed", reason="no")
    results = results.model_copy(update={"left_out": (left,)})
    assert not gates.decide(plan_of(waiver()), results).warnings


@pytest.mark.parametrize(
    ("test", "said"), [("tests/test_io.py::gone", True), ("tests/b.py::gone", False)]
)
def test_a_part_of_the_suite_says_nothing_of_other_files(test: str, said: bool) -> None:
    plan = plan_of(waiver(test=test), threshold(0.1, test=test), whole=False)
    assert bool(decided(plan, compared(1.0, "same")).warnings) is said
    assert bool(list(gates.unmatched(plan))) is said
    whole = plan_of(waiver(test=test), threshold(0.1, test=test))
    assert decided(whole, compared(1.0, "same")).warnings
    assert list(gates.unmatched(whole))


def test_a_threshold_is_unmatched_only_if_its_topic_is_measured() -> None:
    gone = Threshold(topic="suite", test="tests/test_oi.py::*", at_most=0.1)
    assert list(gates.unmatched(plan_of(gone))) == [gone]
    service = topic_of("perf", tests=())
    assert not list(gates.unmatched(plan_of(gone, topics=[service])))
    wrong = Threshold(topic="perf", test="tests/*", at_most=0.1)
    assert list(gates.unmatched(plan_of(wrong, topics=[service]))) == [wrong]
    fine = threshold(0.1, test="tests/test_io.py::*")
    assert not list(gates.unmatched(plan_of(fine)))


def test_deciding_twice_changes_nothing() -> None:
    plan = plan_of(threshold(0.1), waiver(until=date(2020, 1, 1)))
    once = decided(plan, compared(1.2))
    assert gates.decide(plan, once) == once


RULES = st.lists(
    st.floats(0.01, 3).map(threshold) | st.floats(1.01, 3).map(waiver), max_size=4
)


@given(RULES, st.floats(1.01, 5))
def test_what_fails_under_rules_fails_without_them(
    rules: list[Threshold | Waiver], ratio: float
) -> None:
    """Rules only allow: none makes something fail that would pass without it."""
    item = compared(ratio)
    with_rules = decided(plan_of(*rules), item)
    assert exit_code(with_rules) <= exit_code(decided(plan_of(), item))
    same = gates.decide(
        plan_of(*rules), results_of(compared(1.0, "same"), verdict="same")
    )
    assert exit_code(same) == 0 and not same.gates
