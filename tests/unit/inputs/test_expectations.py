"""Expectations and limits as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.inputs import expectations


def test_bounds() -> None:
    assert expectations.parse("<= 0.30", "latency.mean").high == math.log(0.3)
    assert expectations.parse(">=3", "throughput").low == math.log(3)


@pytest.mark.parametrize(
    ("word", "metric", "low", "high"),
    [
        ("faster", "latency.p50", -math.inf, 0.0),
        ("faster", "throughput", 0.0, math.inf),
        ("slower", "latency.p50", 0.0, math.inf),
        ("slower", "throughput", -math.inf, 0.0),
        ("same", "throughput", -math.log(1.05), math.log(1.05)),
        ("not slower", "latency.p50", -math.inf, math.log(1.05)),
        ("not  slower", "throughput", -math.log(1.05), math.inf),
    ],
)
def test_words(word: str, metric: str, low: float, high: float) -> None:
    expect = expectations.parse(word, metric)
    assert (expect.low, expect.high) == pytest.approx((low, high))


@pytest.mark.parametrize("text", ["", "< 1", "<= 0", "<= -2", "<= x", "fast", "== 1"])
def test_what_cannot_be_understood_says_what_can(text: str) -> None:
    with pytest.raises(ValueError, match="expected '<= 0.5'"):
        expectations.parse(text, "latency.mean")


@given(st.text(max_size=20))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        expect = expectations.parse(text, "latency.mean")
    except ValueError:
        return
    assert expect.low < expect.high


@pytest.mark.parametrize(
    ("text", "metric", "value"),
    [
        ("50ms", "latency.p99", 0.05),
        ("1.5 s", "latency.p99", 1.5),
        ("300 µs", "cpu_per_request", 300e-6),
        ("0.1%", "errors", 0.001),
        ("0.02", "errors", 0.02),
        ("128 MiB", "memory.peak", 128 * 2**20),
    ],
)
def test_limits(text: str, metric: str, value: float) -> None:
    assert expectations.metric_limit(text, metric) == pytest.approx(value)


@pytest.mark.parametrize("text", ["50", "fast", "50 MB", "-1ms", ""])
def test_a_limit_needs_the_unit_of_its_metric(text: str) -> None:
    with pytest.raises(ValueError, match="'50ms'"):
        expectations.metric_limit(text, "latency.p99")
