"""Hostile text in a summary that GitHub shows."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.report.markdown import escape

# What cmark-gfm makes a link of, where it stands as it is in the source.
LINKS = re.compile(r"(https?|ftp)://|www\.", re.IGNORECASE)


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/?a=1",
        "see (HTTP://evil.example)",
        "ftp://evil.example",
        "www.evil.example",
        "WWW.www.evil.example",
        "http://www.evil.example",
    ],
)
def test_no_address_becomes_a_link(text: str) -> None:
    escaped = escape(text)
    assert not LINKS.search(escaped)
    assert html.unescape(escaped) == text


@pytest.mark.parametrize("text", ["@you", "a@b.example", "mailto:a@b.example"])
def test_no_name_is_mentioned_and_no_mail_is_addressed(text: str) -> None:
    # GitHub looks at what the entities stand for: there something must be in between.
    shown = html.unescape(escape(text))
    assert not re.search(r"@\w", shown)
    assert shown.replace("\u200b", "") == text


def test_what_is_no_link_stays_as_it_is() -> None:
    text = "12:30 - 3.5 (a: b) www 1.5"
    assert escape(text) == text


@given(st.text(st.sampled_from("https:/w.@&#;x1 ")))
def test_whatever_is_escaped_starts_no_link(text: str) -> None:
    escaped = escape(text)
    assert not LINKS.search(escaped)
    shown = html.unescape(escaped)
    assert not re.search(r"@\w", shown)
    assert shown.replace("\u200b", "") == " ".join(text.split())
