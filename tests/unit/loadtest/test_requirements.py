"""Thresholds on a load test: how they are written, and how they are judged."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.loadtest.plan import LoadResults, Row, Spread
from assay.loadtest.requirements import (
    LATE,
    METRICS,
    is_late,
    judge,
    judged,
    objective,
    parse,
)


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
    """A test of 1,000 requests, of which ten failed, 100 of them to /slow."""
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


def verdict(text: str, found: LoadResults) -> tuple[str, float | None, str]:
    (item,) = judge([parse(text)], found)
    return item.verdict, item.value, item.reason


@pytest.mark.parametrize(
    ("text", "said", "value"),
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
def test_numbers_are_held_to_their_limits(text: str, said: str, value: float) -> None:
    word, measured, reason = verdict(text, results())
    assert (word, reason) == (said, "")
    assert measured == pytest.approx(value)


def test_a_percentile_needs_requests_beyond_it() -> None:
    said, value, reason = verdict("latency.p99 of /slow <= 10s", results())
    assert (said, value) == ("undecided", None)
    assert "needs 500 requests and there were 90" in reason


def test_a_request_that_there_was_not_is_undecided() -> None:
    said, value, reason = verdict("errors of /slo <= 1%", results())
    assert (said, value) == ("undecided", None)
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


def test_a_late_generator_refutes_no_latency() -> None:
    late = results(lag_p99=0.003)
    said, value, reason = verdict("latency.p99 <= 48ms", late)
    assert (said, value) == ("undecided", 0.05)
    assert "late by 3.0 ms" in reason
    # Without the 3 ms it would still be too long.
    assert verdict("latency.p99 <= 1ms", late)[0] == "refuted"
    punctual = results(lag_p99=LATE / 2)
    assert verdict("latency.p99 <= 49.9ms", punctual)[0] == "refuted"
    # What holds in spite of it, holds; and errors are not its doing.
    assert verdict("latency.p99 <= 1s", late)[0] == "holds"
    assert verdict("errors <= 0.5%", late)[0] == "refuted"


@pytest.mark.parametrize(
    ("lag", "median", "late"),
    [
        (0.4e-3, None, False),
        (0.6e-3, None, True),
        (0.6e-3, math.nan, True),
        (0.6e-3, 0.001, True),
        (0.6e-3, 0.1, False),  # less than a twentieth of what it is added to
        (6e-3, 0.1, True),
    ],
)
def test_lateness_counts_beside_what_it_is_added_to(
    lag: float, median: float | None, late: bool
) -> None:
    assert is_late(lag, median) is late


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fast", "latency.p99 <= 50ms"),
        ("latency.p99 < 50ms", "latency.p99 <= 50ms"),
        ("latency.p98 <= 50ms", "did you mean"),
        ("latency.p99 <= 50", "50ms"),
        ("errors <= 1ms", "cannot understand"),
        ("rate of /a >= 5/s", "of all arrivals"),
        ("rate >= 5", "/s"),
    ],
)
def test_what_is_no_requirement_is_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match="--require") as error:
        parse(text)
    assert told in str(error.value)


def test_an_objective_has_parts() -> None:
    parts = objective("p99 <= 50ms and errors <= 0.1%, service.p50<=5ms")
    metrics = [part.metric for part in parts]
    assert metrics == ["latency.p99", "errors", "service.p50"]
    assert [part.limit for part in parts] == pytest.approx([0.05, 0.001, 0.005])
    (short,) = objective("p99<=50ms")
    assert short.metric == "latency.p99"
    with pytest.raises(InputError, match="--slo 'quick and cheap': expected 'p99 <="):
        objective("quick and cheap")
    with pytest.raises(InputError, match="--slo 'p99 < 50ms': expected 'p99 <= 50ms'"):
        objective("p99 < 50ms")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latency.mean <= 1s", "refuted"),
        ("latency.mean <= 3s", "undecided"),
        ("latency.mean >= 1s", "holds"),
        ("latency.mean >= 3s", "undecided"),
        ("latency.p50 <= 50ms", "holds"),
    ],
)
def test_a_mean_with_requests_without_an_answer_is_a_bound(
    text: str, said: str
) -> None:
    spread_ = spread().model_copy(update={"mean": 2.0, "unanswered": 12})
    row = Row(name="", requests=1000, failed=12, latency=spread_, service=spread_)
    found = results(rows=(row,))
    word, value, reason = verdict(text, found)
    assert word == said
    assert ("12 requests without an answer" in reason) is (said == "undecided")
    (item,) = judge([parse(text)], found)
    mean = "mean" in text
    assert item.bound is mean and value == (2.0 if mean else 0.01)
    assert judged(item).startswith("≥ 2.00 s" if mean else "10.0 ms")


@given(st.text(max_size=40))
def test_any_text_is_a_requirement_or_refused(text: str) -> None:
    try:
        assert parse(text).metric in METRICS
    except InputError:
        pass
