import math
import unicodedata
from xml.etree import ElementTree as XML

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.report import text


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
    assert text.quantity(value, unit) == expected


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
    assert text.ratio(value, low, high) == expected


def test_both_ends_of_an_interval_share_the_unit() -> None:
    assert text.interval(0.0065, 0.0053, 0.0080, "s") == "6.5 ms [5.3, 8.0]"
    assert text.interval(3461.0, 3392.0, 3531.0, "/s") == "3,460 /s [3,390, 3,530]"
    assert text.interval(0.0, 0.0, 0.0, "") == "0 %"


def test_better_by_turns_latency_round_and_leaves_throughput() -> None:
    assert text.better_by("latency.p50", 0.5, 0.4, 0.625) == (2.0, 1.6, 2.5)
    assert text.better_by("throughput", 2.0, 1.6, 2.5) == (2.0, 1.6, 2.5)
    assert text.better_by("errors", 0.0, None, None)[0] == float("inf")


@given(st.text())
def test_cleaned_text_is_legal_xml_and_moves_no_cursor(value: str) -> None:
    cleaned = text.clean(value)

    element = XML.Element("a")
    element.text = cleaned
    assert XML.fromstring(XML.tostring(element)).text == (cleaned or None)
    assert not any(
        unicodedata.category(character) == "Cc" and character not in "\n\t"
        for character in cleaned
    )
    assert len(cleaned) == len(value)
    assert text.clean(cleaned) == cleaned


def test_direction_overrides_are_made_visible() -> None:
    assert text.clean("a\u202eb") == "a\ufffdb"


@given(
    st.floats(1e-9, 1e9),
    st.floats(1.0001, 5.0),
    st.sampled_from(["s", "B", "/s", ""]),
)
def test_written_intervals_hold_the_written_value(
    value: float, factor: float, unit: str
) -> None:
    written = text.interval(value, value / factor, value * factor, unit)

    middle = float(written.split()[0].replace(",", ""))
    low, high = written[written.index("[") + 1 : -1].split(", ")
    assert float(low.replace(",", "")) <= middle <= float(high.replace(",", ""))


@given(st.floats(-1e300, 1e300) | st.sampled_from([math.nan, math.inf, -math.inf]))
def test_any_number_can_be_written(value: float) -> None:
    assert "e" not in text.significant(value)
