"""The text of a comment, even if a fork made the run."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.ci import text
from assay.errors import InputError
from assay.report import markdown
from assay.run_directory.directory import RESULTS
from tests.unit.report.synthetic import HOSTILE
from tests.unit.report.synthetic_suite import build_suite

LINK = "https://github.com/owner/project/actions/runs/5"


def test_the_comment_is_the_summary_with_a_link(tmp_path: Path) -> None:
    run = build_suite(tmp_path / "run", {"slower": 1, "same": 1})
    body = text.comment(run.path, 1, LINK)
    assert body.startswith(markdown.MARKER + "\n")
    assert body.count("<!--") == 1
    assert markdown.render(run).split("\n", 2)[2].strip() in body
    assert body.endswith(f"({LINK})\n")


def test_a_key_is_part_of_the_marker(tmp_path: Path) -> None:
    run = build_suite(tmp_path / "run", {"same": 1})
    body = text.comment(run.path, 0, "", "linux")
    assert body.startswith("<!-- assay:compare linux -->\n\n## Is branch")
    assert markdown.MARKER not in body


@given(st.text())
def test_no_key_ends_the_comment_of_html(key: str) -> None:
    try:
        first = text.marker(key)
    except InputError:
        return
    assert first.startswith("<!-- assay:compare") and first.endswith(" -->")
    assert "--" not in first[4:-3] and "\n" not in first


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (2, "Something in the input is wrong (exit code 2)"),
        (4, "It could not be measured (exit code 4)"),
        (0, "There are no results"),
        (None, "There are no results"),
    ],
)
def test_without_results_the_comment_says_so(
    tmp_path: Path, code: int | None, said: str
) -> None:
    body = text.comment(tmp_path / "nowhere", code, LINK)
    assert "## The comparison could not be made" in body
    assert said in body and LINK in body


def test_results_of_a_failed_run_come_with_the_failure(tmp_path: Path) -> None:
    run = build_suite(tmp_path / "run", {"same": 1}, partial=True)
    body = text.comment(run.path, 4, "")
    assert body.index("could not be measured") < body.index("the same")


@pytest.mark.parametrize("name", ["plan.json", RESULTS])
@pytest.mark.parametrize(
    "content",
    [
        *("", "{}", "[", "null", '{"schema": 1}'),
        pytest.param("[" * 100_000, id="nested"),
    ],
)
def test_a_damaged_run_has_no_results(tmp_path: Path, name: str, content: str) -> None:
    run = build_suite(tmp_path / "run", {"slower": 1})
    (run.path / name).write_text(content)
    assert "There are no results" in text.comment(run.path, None, "")


def test_numbers_that_cannot_be_are_no_results(tmp_path: Path) -> None:
    run = build_suite(tmp_path / "run", {"slower": 1})
    fields = json.loads((run.path / RESULTS).read_text())
    fields["comparisons"][0]["ratio"] = -1.0
    (run.path / RESULTS).write_text(json.dumps(fields))
    assert "There are no results" in text.comment(run.path, None, "")


def test_a_huge_file_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = build_suite(tmp_path / "run", {"slower": 1})
    monkeypatch.setattr(text, "MOST_BYTES", 100)
    assert "There are no results" in text.comment(run.path, None, "")


def test_a_summary_that_the_run_brings_is_not_taken(tmp_path: Path) -> None:
    """The fork's code could have written it."""
    run = build_suite(tmp_path / "run", {"slower": 1}, suffix=HOSTILE)
    run.write_text("summary.md", "[click here](https://evil.example) @everyone")
    body = text.comment(run.path, 1, "")
    assert "evil.example" not in body and "<script" not in body
    assert "@you" not in body
