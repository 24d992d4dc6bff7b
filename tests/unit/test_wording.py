import math
import unicodedata
from xml.etree import ElementTree as XML

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import wording
from assay.results import Comparison


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.0031, "s", "3.10 ms"),
        (9.996e-3, "s", "10.0 ms"),
        (4.2e-8, "s", "42.0 ns"),
        (103e6, "B", "103 MB"),
        (12345.0, "/s", "12,300 /s"),
        (0.0012, "", "0.120 %"),
        (0.0, "s", "0 s"),
        (-0.25, "s", "−250 ms"),
        (float("inf"), "s", "∞ s"),
    ],
)
def test_quantities_have_three_digits_and_the_unit_people_read(
    value: float, unit: str, expected: str
) -> None:
    assert wording.quantity(value, unit) == expected


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (0.2104, 0.1942, 0.2279, "0.21× [0.19, 0.23]"),
        (1.0213, 1.0011, 1.0402, "1.02× [1.00, 1.04]"),
        (61.02, 58.3, 64.1, "61× [58, 64]"),
        (0.49, 0.312, 0.771, "0.49× [0.31, 0.77]"),
        (2.0, None, None, "2.00×"),
    ],
)
def test_a_ratio_is_as_precise_as_its_interval(
    value: float, low: float | None, high: float | None, expected: str
) -> None:
    assert wording.ratio(value, low, high) == expected


@pytest.mark.parametrize(
    ("value", "low", "high", "censored", "expected"),
    [
        (12.0, 3.1, None, "candidate", "≥ 12× [3.1, ∞)"),
        (12.0, None, None, "candidate", "≥ 12×"),
        (12.0, 3.1, 40.2, "candidate", "≥ 12× [3, 40]"),
        (0.08, 0.0, 0.1, "baseline", "≤ 0.080× (0, 0.10]"),
        (0.08, None, 0.1, "baseline", "≤ 0.080× (0, 0.10]"),
        # A few launches are only bounds: the estimate stays, but one end is open.
        (5.0, 3.1, None, "", "5.0× [3.1, ∞)"),
        (5.0, 3.1, None, "both", "unknown: only a bound is known for each side"),
    ],
)
def test_a_ratio_that_is_a_bound_says_so(
    value: float, low: float | None, high: float | None, censored: str, expected: str
) -> None:
    assert wording.ratio(value, low, high, censored) == expected


def test_a_value_that_is_a_bound_says_so() -> None:
    assert wording.interval(10.0, None, None, "s", True) == "≥ 10.0 s"
    assert wording.interval(10.0, 10.0, None, "s", True) == "≥ 10.0 s"
    assert wording.interval(10.0, 8.2, None, "s", True) == "≥ 10.0 s [8.20, ∞)"


def test_a_comparison_of_two_timeouts_is_unknown_with_and_without_a_ratio() -> None:
    for ratio in (None, 1.0):
        comparison = Comparison(
            topic="t",
            baseline="a",
            candidate="b",
            metric="latency.p99",
            ratio=ratio,
            low=None,
            high=None,
            launches=12,
            censored="both",
        )
        assert (
            wording.compared(comparison)
            == "unknown: only a bound is known for each side"
        )
        bare = comparison.model_copy(update={"ratio": None, "censored": ""})
        assert wording.compared(bare) == "no ratio"


def test_memory_is_less_or_more_and_not_faster() -> None:
    comparison = Comparison(
        topic="t",
        baseline="a",
        candidate="b",
        metric="memory.peak",
        ratio=0.5,
        low=0.4,
        high=0.6,
        launches=12,
        verdict="faster",
    )

    def word(**changes: str) -> str:
        return wording.verdict_word(comparison.model_copy(update=changes))

    assert word() == "less" and word(verdict="slower") == "more"
    assert word(verdict="same") == "same"
    assert word(metric="latency.p99") == word(metric="time") == "faster"
    assert wording.verdict_word(comparison.model_copy(update={"verdict": None})) == ""


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "about 5 seconds"),
        (41.0, "about 40 seconds"),
        (58.0, "about 1 minute"),
        (9 * 60.0, "about 9 minutes"),
        (23 * 60.0, "about 25 minutes"),
        (58 * 60.0, "about 1 hour"),
        (100 * 60.0, "about 1.5 hours"),
        (20 * 3600.0, "about 20 hours"),
        (50 * 3600.0, "about 2 days"),
        (1e8, "more than a month"),
        (math.inf, "more than a month"),
        (math.nan, "more than a month"),
    ],
)
def test_times_are_as_rounded_as_people_say_them(seconds: float, expected: str) -> None:
    assert wording.about(seconds) == expected


def test_a_forecast_names_what_would_be_seen() -> None:
    assert wording.forecast("latency.p95", 0.05, 540.0) == (
        "to see 5 % on latency.p95 here takes about 9 minutes"
    )
    assert "\x1b" not in wording.forecast("\x1b[31m", 0.05, 540.0)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_longer_time_never_reads_as_a_shorter_one(
    first: float, second: float
) -> None:
    units = ["second", "minute", "hour", "day", "month"]

    def order(text: str) -> tuple[int, float]:
        unit = next(i for i, name in enumerate(units) if name in text)
        number = text.split()[1]
        return unit, float(number) if unit < 4 else 0.0

    shorter, longer = sorted((first, second))
    assert order(wording.about(shorter)) <= order(wording.about(longer))


def test_both_ends_of_an_interval_share_the_unit() -> None:
    assert wording.interval(0.0065, 0.0053, 0.0080, "s") == "6.5 ms [5.3, 8.0]"
    assert wording.interval(3461.0, 3392.0, 3531.0, "/s") == "3,460 /s [3,390, 3,530]"
    assert wording.interval(0.0, 0.0, 0.0, "") == "0 %"


def test_better_by_turns_latency_round_and_leaves_throughput() -> None:
    assert wording.better_by("latency.p50", 0.5, 0.4, 0.625) == (2.0, 1.6, 2.5)
    assert wording.better_by("throughput", 2.0, 1.6, 2.5) == (2.0, 1.6, 2.5)
    assert wording.better_by("errors", 0.0, None, None)[0] == float("inf")


@given(st.text())
def test_cleaned_text_is_legal_xml_and_moves_no_cursor(value: str) -> None:
    cleaned = wording.clean(value)

    element = XML.Element("a")
    element.text = cleaned
    assert XML.fromstring(XML.tostring(element)).text == (cleaned or None)
    assert not any(
        unicodedata.category(character) == "Cc" and character not in "\n\t"
        for character in cleaned
    )
    assert len(cleaned) == len(value)
    assert wording.clean(cleaned) == cleaned


def test_direction_overrides_are_made_visible() -> None:
    assert wording.clean("a\u202eb") == "a\ufffdb"


@given(
    st.floats(1e-9, 1e9),
    st.floats(1.0001, 5.0),
    st.sampled_from(["s", "B", "/s", ""]),
)
def test_written_intervals_hold_the_written_value(
    value: float, factor: float, unit: str
) -> None:
    written = wording.interval(value, value / factor, value * factor, unit)

    middle = float(written.split()[0].replace(",", ""))
    low, high = written[written.index("[") + 1 : -1].split(", ")
    assert float(low.replace(",", "")) <= middle <= float(high.replace(",", ""))


@given(st.floats(-1e300, 1e300) | st.sampled_from([math.nan, math.inf, -math.inf]))
def test_any_number_can_be_written(value: float) -> None:
    assert "e" not in wording.significant(value)


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.05, "5 %"),
        (0.0012, "0.12 %"),
        (0.1234, "12.3 %"),
        (1.0, "100 %"),
        (0.0, "0 %"),
        (10.5, "1,050 %"),
        (12.345, "1,230 %"),
        (1e-7, "0.00001 %"),
        (math.inf, "∞ %"),
    ],
)
def test_a_percentage_has_no_exponent(share: float, expected: str) -> None:
    assert wording.percent(share) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (45.0, "45 s"),
        (300.0, "5 min"),
        (90.0, "1.5 min"),
        (5960.0, "99 min"),
        (5985.0, "100 min"),
        (6000.0, "100 min"),
        (75_000.0, "1,250 min"),
    ],
)
def test_a_duration_has_no_exponent(seconds: float, expected: str) -> None:
    assert wording.duration(seconds) == expected


def test_one_launch_is_too_few_and_five_are() -> None:
    assert wording.too_few_launches(1) == "1 launch is too few"
    assert wording.too_few_launches(5) == "5 launches are too few"


def test_what_rounds_to_a_thousand_has_the_next_unit() -> None:
    assert wording.quantity(0.99951e-3, "s") == "1.00 ms"
    assert wording.quantity(0.99949e-3, "s") == "999 µs"
    assert wording.quantity(999.6e3, "B") == "1.00 MB"
