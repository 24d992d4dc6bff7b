"""The requests of a service judged one by one, and what the pair makes of them."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.analysis import by_request, gates, opinions, pair_verdicts
from assay.analysis.looks import Looks
from assay.analysis.measurements import Measurements
from assay.bisection.measurer import clearest, narrowed
from assay.experiment.second_opinion import plan_again
from assay.gating import Gating, Threshold, Waiver
from assay.metrics import OF_REQUEST
from assay.plan import Plan, Scenario, Settings, Target, Topic, Variant
from assay.report.metric_table import metric_rows
from assay.report.test_table import table_of_tests
from assay.results import Comparison, PairVerdict, Results, Verdict

LOOKS = Looks((15, 20, 27, 40, 60), 0.05, 0.05, comparisons=3)
PAIR = ("base", "head")
CPU = "cpu_per_request"


def topic(*only: str, each: bool = True) -> Topic:
    return Topic(
        name="perf",
        title="The service",
        file=Path("claims.toml"),
        target=Target(cwd=Path()),
        scenario=Scenario(
            locustfile=Path("locustfile.py"), each_request=each, requests=only
        ),
        variants=tuple(Variant(name=name) for name in PAIR),
    )


def measured(
    ratios: Mapping[str, float],
    noise: float = 0.02,
    launches: int = 15,
    seed: int = 1,
    answers: int = 40,
) -> Measurements:
    """Return launches in which each request has a ratio and some noise."""
    rng = np.random.default_rng(seed)
    rows = [
        ("perf", launch, request, side, 2e-3 * factor * math.exp(noise * draw), answers)
        for launch in range(1, launches + 1)
        for request, ratio in ratios.items()
        for side, factor, draw in (
            ("base", 1.0, rng.normal()),
            ("head", ratio, rng.normal()),
        )
    ]
    return of_rows(rows)


def of_rows(rows: list[tuple[str, int, str, str, float, int]]) -> Measurements:
    columns = ["topic", "launch", "request", "variant", "seconds", "answers"]
    launches = pd.DataFrame(
        columns=["topic", "launch", "variant", "metric", "value", "censored"]
    )
    nothing = pd.DataFrame()
    return Measurements(nothing, launches, requests=pd.DataFrame(rows, columns=columns))


def compared(
    verdict: Verdict, ratio: float, request: str = "", metric: str = CPU
) -> Comparison:
    return Comparison(
        topic="perf",
        test=request,
        baseline="base",
        candidate="head",
        metric=OF_REQUEST if request else metric,
        ratio=ratio,
        low=ratio * 0.98,
        high=ratio * 1.02,
        launches=15,
        verdict=verdict,
    )


WHOLE = {"same": 1.0, "undecided": 1.03, "slower": 1.2, "faster": 0.8}


def pair_of(whole: Verdict, *requests: Comparison) -> PairVerdict:
    return pair_verdicts.judge([compared(whole, WHOLE[whole]), *requests], 0.05)


def results_of(whole: Verdict, *requests: Comparison) -> Results:
    return Results(
        run="r",
        partial=False,
        seed=1,
        comparisons=(compared(whole, WHOLE[whole]), *requests),
        pairs=(pair_of(whole, *requests),),
    )


SLOWER = compared("slower", 1.08, "GET /plans")
OTHER = compared("slower", 1.2, "GET /other")
SAME = compared("same", 1.0, "GET /plans")
DOUBT = compared("undecided", 1.04, "GET /plans")


def judged(
    tables: Measurements, of: Topic | None = None, looks: Looks = LOOKS
) -> list[Comparison]:
    return list(by_request.comparisons(looks, of or topic(), tables))


def test_one_slower_request_of_seven_is_found() -> None:
    ratios = {f"GET /{number}": 1.0 for number in range(7)} | {"GET /3": 1.08}
    found = judged(measured(ratios))
    assert [item.test for item in found if item.verdict == "slower"] == ["GET /3"]
    assert {item.metric for item in found} == {OF_REQUEST}
    values = list(by_request.values(LOOKS, topic(), measured(ratios)))
    assert len(values) == 14 and all(0.0018 < one.value < 0.0024 for one in values)


def test_identical_requests_are_hardly_ever_slower() -> None:
    ratios = {f"GET /{number}": 1.0 for number in range(7)}
    verdicts = [
        {item.verdict for item in judged(measured(ratios, noise=0.04, seed=seed))}
        for seed in range(40)
    ]
    assert sum("slower" in words for words in verdicts) <= 3


def test_the_family_is_what_is_judged() -> None:
    """In a second measurement only what was slower is judged, so little suffices."""
    ratios = {f"GET /{number}": 1.0 for number in range(60)} | {"GET /3": 1.06}
    tables = measured(ratios, noise=0.01, launches=9)
    looks = Looks((9,), 0.05, 0.05)
    (whole,) = (item for item in judged(tables, looks=looks) if item.test == "GET /3")
    (alone,) = judged(tables, topic("GET /3"), looks)
    assert (whole.verdict, alone.verdict) == ("undecided", "slower")
    assert "with 60 requests that is too little evidence" in whole.reason


def test_without_several_requests_there_is_no_comparison() -> None:
    nothing = pd.DataFrame()
    two = {"GET /a": 1.0, "GET /b": 1.5}
    for tables, of in (
        (Measurements(nothing, nothing), topic()),
        (Measurements(nothing, nothing, requests=nothing), topic()),
        (measured({"GET /": 1.5}), topic()),
        (measured(two), topic(each=False)),
        (measured(two), topic().model_copy(update={"name": "other"})),
    ):
        assert judged(tables, of) == []
        assert not list(by_request.values(LOOKS, of, tables))
        assert not list(by_request.warnings(of, tables))
        assert not by_request.stands_out(LOOKS, of, tables)


def test_too_few_answers_and_requests_of_one_side_are_named() -> None:
    rows = [
        ("perf", launch, request, side, 0.002, answers)
        for launch in range(1, 16)
        for request, side, answers in (
            ("GET /often", "base", 40),
            ("GET /often", "head", 40),
            ("GET /seldom", "base", 40),
            ("GET /seldom", "head", 4),
            ("GET /new", "head", 40),
        )
    ]
    tables = of_rows(rows)
    assert [item.test for item in judged(tables)] == ["GET /often"]
    (warning,) = by_request.warnings(topic(), tables)
    assert "GET /seldom and GET /new were not judged" in warning
    only_base = of_rows([row for row in rows if row[3] == "base"])
    assert judged(only_base) == []
    (warning,) = by_request.warnings(topic(), only_base)
    assert "GET /often and GET /seldom" in warning


def test_failures_and_noise_forbid_a_verdict() -> None:
    ratios = {"GET /a": 1.0, "GET /b": 1.5}
    quiet = measured(ratios)
    assert judged(quiet)
    for failures, counts in ((50, True), (0, True), (0, False)):
        slices = pd.DataFrame(
            [
                ("perf", launch, mode, 0, side, 200, failed, 0, False)
                for launch in range(1, 16)
                for mode in ("open", "closed")
                for side, failed in (("base", 0), ("head", failures))
            ],
            columns=[
                *("topic", "launch", "mode", "block", "variant"),
                *("requests", "failed", "dropped", "disturbed"),
            ],
        )
        launches = pd.DataFrame(
            [
                ("perf", launch, side, metric, 1.0, False)
                for launch in range(1, 16)
                for side, metric in (("", "seconds"), ("base", "x"), ("head", "x"))
                if counts or side == ""
            ],
            columns=list(quiet.launches.columns),
        )
        tables = Measurements(slices, launches, requests=quiet.requests)
        assert bool(judged(tables)) == (counts and not failures)


def test_a_request_that_was_slower_is_measured_until_it_is_decided() -> None:
    looks = Looks((15, 60), 0.05, 0.05)
    wide = measured({"GET /a": 1.02, "GET /b": 1.0}, noise=0.08)
    assert by_request.undecided(looks, topic("GET /a"), wide)
    clear = measured({"GET /a": 1.3, "GET /b": 1.0})
    assert not by_request.undecided(looks, topic("GET /a"), clear)
    assert not by_request.undecided(Looks((15,), 0.05, 0.05), topic("GET /a"), wide)


def test_more_launches_follow_if_a_request_may_be_slower() -> None:
    looks = Looks((8, 40), 0.05, 0.05)
    ratios = {f"GET /{number}": 1.0 for number in range(20)} | {"GET /3": 1.08}
    few = measured(ratios, noise=0.02, launches=8)
    assert by_request.stands_out(looks, topic(), few)
    assert not by_request.stands_out(Looks((8,), 0.05, 0.05), topic(), few)
    equal = measured(dict.fromkeys(ratios, 1.0), noise=0.0001, launches=8)
    assert not by_request.stands_out(looks, topic(), equal)


@pytest.mark.parametrize("whole", list(WHOLE))
def test_a_slower_request_makes_the_pair_slower(whole: Verdict) -> None:
    pair = pair_of(whole, SLOWER, compared("undecided", 1.02, "GET /"))
    assert pair.verdict == "slower"
    assert pair.reason.startswith("GET /plans (1.08× [1.06, 1.10]) is slower; of the ")
    assert pair_of(whole, SAME, DOUBT).verdict == whole


def test_many_slower_requests_are_counted() -> None:
    slower = [compared("slower", 1.1 + n / 100, f"GET /{n}") for n in range(5)]
    reason = pair_of("same", *slower).reason
    assert reason.startswith("GET /4 (") and "and 2 more are slower; of" in reason


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        # The same request again, nothing again, a doubt, and another request.
        (("same", SLOWER), ("same", SLOWER), "slower"),
        (("same", SLOWER), ("same", SAME), "same"),
        (("same", SLOWER), ("same", DOUBT), "undecided"),
        (("same", SLOWER), ("same",), "undecided"),
        (("undecided", SLOWER), ("same", SAME), "undecided"),
        (("same", SLOWER), ("same", OTHER, SAME), "same"),
        (("faster", SLOWER), ("same", SAME), "faster"),
        # The whole load, with a request and without one.
        (("slower", SLOWER), ("slower", SAME), "slower"),
        (("slower", SLOWER), ("same", SLOWER), "slower"),
        (("slower", SLOWER), ("slower", DOUBT), "slower"),
        (("slower", SLOWER), ("slower",), "slower"),
        (("slower", SLOWER), ("same", DOUBT), "undecided"),
        (("slower", SAME), ("same", SAME), "same"),
        (("slower", SAME), ("same", SLOWER), "same"),
        (("slower",), ("slower",), "slower"),
        # What was slower as a whole is no evidence about one request, nor the reverse.
        (("slower", SAME), ("undecided", SLOWER), "undecided"),
        (("same", SLOWER), ("slower", SAME), "same"),
    ],
)
def test_only_what_is_slower_twice_is_slower(
    first: tuple[Verdict, *tuple[Comparison, ...]],
    second: tuple[Verdict, *tuple[Comparison, ...]],
    verdict: Verdict,
) -> None:
    both = opinions.confirm(results_of(*first), results_of(*second), 0.05)
    assert both.pairs[0].verdict == verdict
    assert "measured again" in both.pairs[0].reason
    if verdict != "slower":
        assert all(item.verdict != "slower" for item in both.comparisons if item.test)


def test_a_load_that_was_slower_only_once_is_not_listed_as_slower() -> None:
    first, second = results_of("slower", SLOWER), results_of("same", SLOWER)
    both = opinions.confirm(first, second, 0.05)
    whole, request = both.comparisons
    assert (whole.verdict, request.verdict) == ("same", "slower")
    assert whole.reason.startswith("slower at first, but not when measured again")
    twice = opinions.confirm(first, results_of("slower", SLOWER), 0.05)
    assert twice.comparisons[0].verdict == "slower"


def test_a_reason_names_no_request_that_was_refuted() -> None:
    first, second = results_of("slower", SLOWER), results_of("slower", SAME)
    (pair,) = opinions.confirm(first, second, 0.05).pairs
    assert pair.reason.startswith("slower by cpu_per_request")
    assert "GET /plans was slower at first, but not when measured again" in pair.reason


def test_what_was_not_measured_again_is_undecided() -> None:
    nothing = Results(run="r", partial=True, seed=1)
    both = opinions.confirm(results_of("same", SLOWER), nothing, 0.05)
    assert both.pairs[0].verdict == "undecided"


@pytest.mark.parametrize(
    ("results", "requests", "each"),
    [
        (
            results_of("same", SLOWER, compared("same", 1.0, "GET /")),
            ("GET /plans",),
            1,
        ),
        (results_of("slower", SAME), (), 0),
    ],
)
def test_only_slower_requests_are_judged_again(
    results: Results, requests: tuple[str, ...], each: bool
) -> None:
    plan = Plan(topics=(topic(),), settings=Settings())
    again = plan_again(plan, results, None)
    assert again is not None
    scenario = again.topics[0].scenario
    assert (scenario.requests, scenario.each_request) == (requests, each)


def test_a_search_follows_the_clearest_request() -> None:
    results = results_of("same", SLOWER, compared("same", 1.0, "GET /"))
    quantity = clearest(results)
    assert quantity is not None
    assert (quantity.test, quantity.metric) == ("GET /plans", OF_REQUEST)
    only = narrowed(Plan(topics=(topic(),)), quantity).topics[0]
    assert only.scenario.requests == ("GET /plans",) and only.scenario.each_request
    whole = clearest(results_of("slower", SAME))
    assert whole is not None and (whole.test, whole.metric) == ("", CPU)
    assert not narrowed(Plan(topics=(topic(),)), whole).topics[0].scenario.each_request


def gated(results: Results, **gating: object) -> Results:
    plan = Plan(topics=(topic(),), gating=Gating.model_validate(gating))
    return gates.decide(plan, results)


def test_a_threshold_allows_a_request_to_be_slower() -> None:
    results = results_of("same", SLOWER, compared("undecided", 1.01, "GET /"))
    assert gated(results).pairs[0].outcome == "fails"
    allowed = gated(results, thresholds=[Threshold(test="GET /plans", at_most=0.1)])
    assert allowed.pairs[0].outcome == "passes" and not allowed.warnings
    other = gated(results, thresholds=[Threshold(test="GET /plan", at_most=0.1)])
    assert other.pairs[0].outcome == "fails"
    assert "no request matches 'GET /plan'" in other.warnings[0]


def test_a_threshold_of_another_topic_is_no_mistake() -> None:
    one = Threshold(test="GET /other", at_most=0.1)
    for whole, warnings in ((True, 1), (False, 0)):
        decided = gated(results_of("same", SAME), thresholds=[one], whole=whole)
        assert len(decided.warnings) == warnings
    named = one.model_copy(update={"topic": "perf"})
    decided = gated(results_of("same", SAME), thresholds=[named], whole=False)
    assert len(decided.warnings) == 1


def test_a_threshold_may_name_requests_before_they_are_known() -> None:
    suite = topic().model_copy(
        update={
            "name": "benchmarks",
            "scenario": Scenario(
                benchmarks="tests", paths=("tests",), tests=("tests/test_a.py::test_b",)
            ),
        }
    )
    for test, mistakes in (
        ("GET /plans", 0),
        ("tests/test_a.py::test_b", 0),
        ("tests/test_a.py::test_c", 1),
    ):
        one = Threshold(test=test, at_most=0.1)
        plan = Plan(
            topics=(topic(), suite), gating=Gating(thresholds=(one,), whole=True)
        )
        assert len(list(gates.unmatched(plan))) == mistakes
    # `assay run` judges no requests, but reads the same thresholds.
    one = Threshold(topic="perf", test="GET /plans", at_most=0.1)
    plan = Plan(topics=(topic(each=False),), gating=Gating(thresholds=(one,)))
    assert not list(gates.unmatched(plan))


def test_a_waiver_is_about_one_request() -> None:
    results = results_of("same", SLOWER)
    waiver = Waiver.model_validate(
        {
            "topic": "perf",
            "test": "GET /plans",
            "metric": OF_REQUEST,
            "ceiling": 1.2,
            "reason": "it is worth it",
            "until": "2099-01-01",
        }
    )
    waived = gated(results, waivers=[waiver])
    assert waived.pairs[0].outcome == "passes" and not waived.warnings
    every = waiver.model_copy(update={"test": ""})
    assert gated(results, waivers=[every]).pairs[0].outcome == "passes"
    typo = waiver.model_copy(update={"test": "GET /plan"})
    (warning,) = gated(results, waivers=[typo]).warnings
    assert "1 waiver matches nothing that was measured" in warning


def test_the_report_lists_the_requests_apart_from_the_metrics() -> None:
    results = results_of("same", SLOWER, compared("same", 1.0, "GET /"))
    table = table_of_tests(results, "perf", PAIR, of_requests=True)
    assert [row.test for row in table.changed] == ["GET /plans"]
    assert [row.test for row in table.same] == ["GET /"]
    assert not table_of_tests(results, "perf", PAIR)
    rows = metric_rows(results, "perf", PAIR, (), 0.05)
    assert [row.metric for row in rows] == [CPU]
