"""The summary that GitHub shows: hostile text, its length, what is waived."""

import html
import re
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from assay.gating import Gating, Threshold, Waiver
from assay.report import FORMATS, terminal
from assay.report.markdown import MARKER, escape, render, short
from assay.results import Verdict
from tests.unit.report.synthetic import HOSTILE
from tests.unit.report.synthetic_suite import TODAY, build_suite, name_of

# Texts that cmark-gfm turns into links if they are unescaped in the source.
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
    # GitHub decodes entities first, so a character must separate `@` from the name.
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


LIMIT = 65_536  # of a comment on GitHub


@given(st.text(), st.integers(1, 50))
def test_a_short_text_keeps_to_its_length(text: str, most: int) -> None:
    shortened = short(text, most)
    assert len(shortened) <= max(most, 1)
    if len(escape(text)) <= most:
        assert shortened == escape(text)


@pytest.mark.parametrize("suffix", ["", HOSTILE, "-a long name" * 300, "@" * 3000])
@pytest.mark.parametrize("tests", [1, 1_000])
def test_a_summary_fits_into_a_comment_whatever_the_suite(
    tmp_path: Path, tests: int, suffix: str
) -> None:
    counts: dict[Verdict, int] = {
        "same": tests,
        "undecided": tests,
        "faster": tests,
        "slower": tests,
    }
    run = build_suite(tmp_path / "run", counts, suffix=suffix)
    results = run.results()
    run.write_results(
        results.model_copy(update={"warnings": (f"a warning{suffix}",) * 500})
    )
    text = render(run)
    assert len(text) < LIMIT - 2_000
    assert text.startswith(MARKER + "\n")
    rows = [line.split(" | ")[0] for line in text.splitlines() if line[:2] == "| "]
    verdicts = [row[2:] for row in rows if row.startswith(("| s", "| f", "| u"))]
    order = ["slower", "faster", "undecided"]
    assert [order.index(verdict) for verdict in verdicts] == sorted(
        order.index(verdict) for verdict in verdicts
    )
    if tests == 1:
        assert verdicts == order
        assert "1 test is undecided</summary>" in text
        assert "1 test is the same within 5 %." in text
        assert "not fit here" not in text
    else:
        left_out = 3 * tests - len(verdicts)
        said = re.search(r"\*\*([\d,]+) rows do not fit here; index.html has", text)
        # The line about tests that are the same may be left out, too.
        assert said and int(said[1].replace(",", "")) - left_out in (0, 1)


def test_what_is_waived_or_allowed_is_said_at_the_top_and_in_its_row(
    tmp_path: Path,
) -> None:
    waiver = Waiver(
        test=name_of("slower", 0),
        metric="time",
        ceiling=1.3,
        reason="the check | is worth it",
        until=date(2027, 1, 31),
    )
    allowed = Threshold(test=name_of("slower", 1), at_most=0.25)
    gating = Gating(thresholds=(allowed,), waivers=(waiver,), day=TODAY)
    text = html.unescape(
        render(build_suite(tmp_path / "run", {"slower": 2, "same": 1}, gating))
    )
    assert (
        "The gate passes: of 2 slower comparisons, 1 is waived, 1 is within what "
        "[tool.assay.gates] allows." in text
    )
    rows = [line for line in text.splitlines() if line.startswith("| slower")]
    assert rows[0].startswith("| slower, waived |") and "2027-01-31" in rows[0]
    assert "the check | is worth it" in rows[0]
    assert rows[1].startswith("| slower, allowed |") and "allows 25 %" in rows[1]


def test_every_report_says_that_something_is_waived(tmp_path: Path) -> None:
    waiver = Waiver(
        test=name_of("slower", 0),
        metric="time",
        ceiling=1.3,
        reason="the check is worth it",
        until=date(2027, 1, 31),
    )
    run = build_suite(tmp_path / "run", {"slower": 1}, Gating(waivers=(waiver,)))
    out = StringIO()
    terminal.render(run.results(), Console(file=out, width=300))
    texts = {name: form[1](run) for name, form in FORMATS.items()}
    texts["terminal"] = out.getvalue()
    for name, text in texts.items():
        shown = html.unescape(text)
        assert "waived until 2027-01-31" in shown, name
        assert "the check is worth it" in shown, name
        if name not in ("csv", "json", "junit"):
            sentence = "The gate passes: of 1 slower comparison, 1 is waived."
            assert sentence in shown, name
