"""Thresholds on a load test: how they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.load_tests.requirements import parse, parse_objective
from assay.metrics import LOAD_TEST_UNITS


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("fast", "latency.p99 <= 50ms"),
        ("latency.p99 < 50ms", "latency.p99 <= 50ms"),
        ("latency.p98 <= 50ms", "did you mean"),
        ("latency.p99 <= 50", "50ms"),
        ("errors <= 1ms", "cannot understand"),
        ("rate of /a >= 5/s", "all arrivals"),
        ("rate >= 5", "/s"),
    ],
)
def test_what_is_no_requirement_is_refused(text: str, hint: str) -> None:
    with pytest.raises(InputError, match="--require") as error:
        parse(text)
    assert hint in str(error.value)


def test_an_objective_has_parts() -> None:
    parts = parse_objective("p99 <= 50ms and errors <= 0.1%, service.p50<=5ms")
    metrics = [part.metric for part in parts]
    assert metrics == ["latency.p99", "errors", "service.p50"]
    assert [part.limit for part in parts] == pytest.approx([0.05, 0.001, 0.005])
    (short,) = parse_objective("p99<=50ms")
    assert short.metric == "latency.p99"
    with pytest.raises(InputError, match="--slo 'quick and cheap': expected 'p99 <="):
        parse_objective("quick and cheap")
    with pytest.raises(InputError, match="--slo 'p99 < 50ms': expected 'p99 <= 50ms'"):
        parse_objective("p99 < 50ms")


@given(st.text(max_size=40))
def test_any_text_is_a_requirement_or_refused(text: str) -> None:
    try:
        assert parse(text).metric in LOAD_TEST_UNITS
    except InputError:
        pass
