"""bisect.html: one file with the commit that was found, and the measured commits."""

from __future__ import annotations

from assay.bisection_results import Bisection
from assay.report import bisect_chart
from assay.report.bisect_rows import answer, measured_text, rows
from assay.report.page import page
from assay.wording import percent

MOST_ROWS = 500


def render(state: Bisection) -> str:
    """Return the page as one HTML document that needs no other file."""
    commits = rows(state)
    only = state.outcome == "found" and len(state.suspects) == 1
    shown = [row for row in commits if row.ratio or row.problem or row.suspected]
    return page(
        "bisect.html",
        title="Bisection",
        answer=answer(state),
        measured=measured_text(state),
        good=state.good,
        bad=state.bad,
        ends=state.ends,
        checks=[check for check in state.checks if check.run],
        sure=_sure(state.probability) if state.suspects else "",
        only=only,
        chart=bisect_chart.draw(commits, only) if shown else None,
        commits=shown[:MOST_ROWS],
        not_measured=len(commits) - len(shown),
        command=state.command,
        environment=[],
    )


def _sure(probability: float) -> str:
    """Return a probability in words; a model is never completely certain."""
    return "more than 99 %" if probability > 0.99 else percent(probability)
