"""Patterns of thresholds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.gating import matches


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("tests/test_io.py::*", "tests/test_io.py::test_read[3]", True),
        # Brackets are part of a parametrised test's name, not a set of characters.
        ("test_read[3]", "test_read[3]", True),
        ("test_read[3]", "test_read3", False),
        ("test_?", "test_a", True),
        ("test_?", "test_ab", False),
        ("test", "a test", False),
        ("a*b", "a\nb", True),
    ],
)
def test_only_star_and_question_mark_are_wild(
    pattern: str, text: str, expected: bool
) -> None:
    assert matches(pattern, text) is expected


@given(st.text(), st.text(), st.text())
def test_a_star_stands_for_anything(start: str, middle: str, end: str) -> None:
    plain = [part.replace("*", "").replace("?", "") for part in (start, end)]
    assert matches("*".join(plain), f"{plain[0]}{middle}{plain[1]}")


@given(st.text())
def test_a_text_without_wildcards_matches_only_itself(text: str) -> None:
    plain = text.replace("*", "").replace("?", "")
    assert matches(plain, plain)
    assert not matches(plain, f"{plain}x")
