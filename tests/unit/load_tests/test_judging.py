"""Verdicts on the requirements of a load test."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.load_results import LoadResults, Row, Spread
from assay.load_tests.judging import judge
from assay.load_tests.requirements import parse
from assay.wording import judgement


def spread(count: int = 1000, p50: float | None = 0.01, p99: float = 0.05) -> Spread:
    return Spread(
        count=count,
        mean=0.02,
        p50=p50,
        p90=0.03,
        p95=0.04,
        p99=p99,
        p999=0.5,
        longest=1.0,
    )


def results(**changes: object) -> LoadResults:
    """Results of 1,000 requests; 100 went to /slow, and ten of these failed."""
    slow = Row(
        name="/slow",
        requests=100,
        failed=10,
        latency=spread(90, p50=0.2),
        service=spread(90, p50=0.1),
    )
    every = Row(
        name="", requests=1000, failed=10, latency=spread(), service=spread(p50=0.005)
    )
    numbers: dict[str, object] = {
        "run": "run",
        "partial": False,
        "seed": 1,
        "host": "http://a",
        "planned": 1010,
        "done": 1000,
        "dropped": 4,
        "unserved": 6,
        "loaded": 10.0,
        "rate": 100.6,
        "lag_p50": 0.0001,
        "lag_p99": 0.0005,
        "stall": 0.0,
        "generator_cpu": 0.3,
        "rows": (every, slow),
    }
    return LoadResults.model_validate({**numbers, **changes})


def verdict(text: str, load_results: LoadResults) -> tuple[str, float | None, str]:
    (item,) = judge([parse(text)], load_results)
    return item.verdict, item.value, item.reason


@pytest.mark.parametrize(
    ("text", "outcome", "value"),
    [
        ("latency.p99 <= 50ms", "holds", 0.05),
        ("latency.p99 <= 49ms", "refuted", 0.05),
        ("latency.p99>=50 ms", "holds", 0.05),
        ("service.p50 <= 5ms", "holds", 0.005),
        ("latency.mean <= 1s", "holds", 0.02),
        ("errors <= 1%", "holds", 0.01),
        ("errors <= 0.5%", "refuted", 0.01),
        ("errors of /slow <= 0.05", "refuted", 0.1),
        ("latency.p50 of /slow <= 0.2s", "holds", 0.2),
        ("dropped <= 0.98%", "refuted", 10 / 1010),
        ("rate >= 100/s", "holds", 100.6),
    ],
)
def test_numbers_are_held_to_their_limits(
    text: str, outcome: str, value: float
) -> None:
    word, measured, reason = verdict(text, results())
    assert (word, reason) == (outcome, "")
    assert measured == pytest.approx(value)


def test_a_percentile_needs_requests_beyond_it() -> None:
    outcome, value, reason = verdict("latency.p99 of /slow <= 10s", results())
    assert (outcome, value) == ("undecided", None)
    assert "needs 500 requests and there were 90" in reason


def test_a_request_that_there_was_not_is_undecided() -> None:
    outcome, value, reason = verdict("errors of /slo <= 1%", results())
    assert (outcome, value) == ("undecided", None)
    assert "did you mean '/slow'" in reason
    assert verdict("errors <= 1%", results(rows=()))[0] == "undecided"


def test_what_was_never_answered_is_longer_than_any_limit() -> None:
    row = Row(
        name="", requests=9, failed=9, latency=spread(p50=math.inf), service=spread()
    )
    assert verdict(
        "latency.p50 <= 1h".replace("1h", "3600s"), results(rows=(row,))
    ) == (
        *("refuted", math.inf, ""),
    )


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("latency.p99 <= 49ms", "refuted"),  # even the lower bound is too much
        ("latency.p99 <= 1s", "undecided"),
        ("latency.p99 >= 49ms", "holds"),
        ("latency.p99 >= 1s", "undecided"),
        ("service.p50 <= 10ms", "holds"),  # only latency depends on when it was due
        ("errors <= 5%", "holds"),
    ],
)
def test_where_the_generator_was_the_limit_a_latency_is_a_lower_bound(
    text: str, word: str
) -> None:
    (item,) = judge([parse(text)], results(bound=True))
    assert item.verdict == word
    latency = text.startswith("latency.")
    assert item.bound is latency and judgement(item).startswith("≥ 50.0 ms") is latency
    if word == "undecided":
        assert judgement(item) == "≥ 50.0 ms; the generator itself was the limit"


def test_lateness_that_is_no_limit_changes_no_verdict() -> None:
    for text in ("latency.p99 <= 49ms", "latency.p99 <= 51ms"):
        late, punctual = results(lag_p99=0.01), results(lag_p99=0.0)
        assert verdict(text, late) == verdict(text, punctual)


TIMES = st.one_of(st.just(math.inf), st.floats(1e-6, 10.0))


@given(TIMES, TIMES, st.floats(1e-6, 10.0), st.booleans())
def test_what_is_decided_of_a_bound_is_so_of_every_greater_value(
    value: float, more: float, limit: float, at_most: bool
) -> None:
    def words(value: float, bound: bool) -> str:
        latency = spread(p99=value)
        every = Row(name="", requests=1000, failed=0, latency=latency, service=latency)
        required = parse(f"latency.p99 {'<=' if at_most else '>='} 1s")
        required = required.model_copy(update={"limit": limit})
        (item,) = judge([required], results(rows=(every,), bound=bound))
        return item.verdict

    outcome = words(value, True)
    if outcome != "undecided":
        assert outcome == words(max(value, more), False)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("latency.mean <= 1s", "refuted"),
        ("latency.mean <= 3s", "undecided"),
        ("latency.mean >= 1s", "holds"),
        ("latency.mean >= 3s", "undecided"),
        ("latency.p50 <= 50ms", "holds"),
    ],
)
def test_a_mean_with_requests_without_an_answer_is_a_bound(
    text: str, outcome: str
) -> None:
    spread_ = spread().model_copy(update={"mean": 2.0, "unanswered": 12})
    row = Row(name="", requests=1000, failed=12, latency=spread_, service=spread_)
    load_results = results(rows=(row,))
    word, value, reason = verdict(text, load_results)
    assert word == outcome
    assert ("12 requests without an answer" in reason) is (outcome == "undecided")
    (item,) = judge([parse(text)], load_results)
    mean = "mean" in text
    assert item.bound is mean and value == (2.0 if mean else 0.01)
    assert judgement(item).startswith("≥ 2.00 s" if mean else "10.0 ms")


def row(kind: str, method: str, name: str, failed: int = 0, count: int = 1000) -> Row:
    return Row.model_validate(
        {
            **{"kind": kind, "method": method, "name": name},
            **{"requests": count, "failed": failed},
            **{"latency": spread(), "service": spread()},
        }
    )


ALONE = row("request", "", "")
EVERY = row("request", "", "", failed=100, count=4000)
SHOP = (
    EVERY,
    row("request", "GET", "/orders"),
    row("request", "GET", "/item"),
    row("request", "POST", "/item", failed=100),
    row("request", "GET", "both"),
    row("task", "", "buy", failed=10, count=100),
    row("start", "POST", "login", failed=30, count=60),
    row("start", "POST", "both", failed=60, count=60),
    row("stop", "POST", "/logout", count=60),
)


@pytest.mark.parametrize(
    ("name", "failed"),
    [
        ("/orders", 0.0),
        ("GET /orders", 0.0),
        ("GET /item", 0.0),
        ("POST /item", 0.1),
        ("buy", 0.1),
        ("buy (task)", 0.1),
        ("login", 0.5),
        ("POST login", 0.5),
        ("POST login (on_start)", 0.5),
        ("both", 0.0),  # the load has this name, so the log-in's row is ignored
        ("POST both (on_start)", 1.0),
        ("/logout", 0.0),
    ],
)
def test_a_name_is_a_row_with_or_without_its_method(name: str, failed: float) -> None:
    outcome, value, reason = verdict(f"errors of {name} >= 0%", results(rows=SHOP))
    assert (outcome, value, reason) == ("holds", failed, "")


def test_a_row_of_on_start_has_a_latency_of_its_own() -> None:
    assert verdict("latency.p95 of login <= 1s", results(rows=SHOP))[0] == "holds"


def test_a_name_of_several_methods_is_undecided_with_what_to_say() -> None:
    outcome, value, reason = verdict("latency.p95 of /item <= 1s", results(rows=SHOP))
    assert (outcome, value) == ("undecided", None)
    assert "latency.p95 of GET /item" in reason
    outcome, value, reason = verdict(
        "latency.p95 of GET /itm <= 1s", results(rows=SHOP)
    )
    assert outcome == "undecided" and "did you mean 'GET /item'" in reason


def test_a_name_with_a_secret_is_found_by_what_is_left_of_it() -> None:
    rows = (EVERY, row("request", "GET", "/x?api_key=***"))
    assert verdict("errors of /x?api_key=S3 <= 0%", results(rows=rows))[0] == "holds"


def test_errors_are_those_of_all_requests_but_of_no_task() -> None:
    outcome, value, reason = verdict("errors <= 4%", results(rows=SHOP))
    # 100 of 4,000 requests of the load, 90 of 120 log-ins and 0 of 60 log-outs failed.
    assert value == pytest.approx(190 / 4180)
    assert (outcome, reason) == ("refuted", "")


def test_what_a_lost_worker_owed_has_failed() -> None:
    rows = (ALONE, row("request", "GET", "/orders"))
    _, value, _ = verdict("errors <= 1%", results(rows=rows, owed=250))
    assert value == pytest.approx(0.2)


def test_tasks_that_raise_break_a_limit_of_errors() -> None:
    broken = {"raised": {"task buy raised ValueError: sold out": 60}}
    rows = (ALONE, row("request", "GET", "/orders"))
    outcome, value, reason = verdict("errors <= 5%", results(rows=rows, **broken))
    assert (outcome, value) == ("refuted", 0.0)
    assert reason == "60 of 1,000 tasks (6 %) raised an error outside their requests"
    assert verdict("errors <= 7%", results(rows=rows, **broken))[::2] == ("holds", "")
    # The same holds if tasks raised before they sent any request.
    assert verdict("errors <= 5%", results(rows=(), **broken))[:2] == ("refuted", None)
    # If requests alone refute the limit, there is no other reason.
    assert verdict("errors <= 4%", results(rows=SHOP, **broken))[::2] == ("refuted", "")


def test_a_rate_without_a_request_holds_nothing() -> None:
    for rows in ((), (row("start", "GET", "login"),), (row("task", "", "buy"),)):
        outcome, value, reason = verdict("rate >= 10/s", results(rows=rows))
        assert (outcome, value, reason) == ("undecided", 100.6, "no request was made")


@given(st.sampled_from([0.0, 1.0, 1000.0]), st.sampled_from(["<=", ">="]))
def test_nothing_is_decided_where_something_is_missing(limit: float, sign: str) -> None:
    why = "12 of the 1,000 requests that ended are not on disk"
    load_results = results(incomplete=why, partial=True)
    for metric in ("latency.p50", "service.mean", "errors", "dropped", "rate"):
        unit = {"rate": "/s", "errors": "", "dropped": ""}.get(metric, "s")
        outcome, _, reason = verdict(f"{metric} {sign} {limit:g}{unit}", load_results)
        assert (outcome, reason) == ("undecided", why)
