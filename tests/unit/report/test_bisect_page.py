"""The page and the table of a search: hostile texts, every outcome."""

import io

import pytest
from rich.console import Console

from assay.bisection_results import Bisection
from assay.report import bisect_page, bisect_rows, bisect_table
from tests.unit.bisection.test_search import Drawn, planted, searched

HOSTILE = "<script>alert(1)</script>\x1b[31m red"


def text_of(state: Bisection) -> str:
    stream = io.StringIO()
    bisect_table.render(state, Console(file=stream, width=100))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("measurer", "said"),
    [
        (Drawn(planted(8, 3)), "Slower since"),
        (Drawn([0.0] * 8), "Nothing became slower from v1 to v2"),
        (Drawn(planted(8, 3), verdicts=["same"] * 3), "One of"),
        (Drawn(planted(8, 3), broken=frozenset({2, 3})), "One of 3 commits"),
    ],
)
def test_every_outcome_is_one_sentence(measurer: Drawn, said: str) -> None:
    state = searched(measurer)
    answer = bisect_rows.answer(state)
    assert said.lower() in answer.lower()
    assert answer.endswith(".")
    assert answer.split()[-1] in " ".join(text_of(state).split())
    assert bisect_page.render(state).count("<h1>") == 1


def test_subjects_of_commits_are_hostile_text() -> None:
    state = searched(Drawn(planted(8, 3)))
    commits = tuple(
        one.model_copy(update={"subject": HOSTILE}) for one in state.commits
    )
    state = state.model_copy(update={"commits": commits, "good": HOSTILE})
    page, table = bisect_page.render(state), text_of(state)
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "\x1b" not in table


def test_a_search_that_knows_nothing_has_a_page() -> None:
    state = searched(Drawn(planted(8, 3))).model_copy(
        update={"outcome": "partial", "ends": None, "steps": (), "suspects": ()}
    )
    assert "has not ended" in bisect_page.render(state)
    assert "has not ended" in text_of(state)
