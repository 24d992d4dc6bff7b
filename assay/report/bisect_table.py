"""The table of `assay bisect`, for a terminal of 80 columns or more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.bisection_results import Bisection
from assay.report.bisect_rows import CommitRow, answer, measured_text, rows
from assay.wording import one_line

if TYPE_CHECKING:
    from rich.console import Console


def render(state: Bisection, console: Console) -> None:
    """Print the commits that were measured, and the answer."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = [row for row in rows(state) if row.ratio or row.problem or row.suspected]
    if shown:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("#", justify="right", no_wrap=True)
        table.add_column("commit", no_wrap=True)
        table.add_column("subject", overflow="fold", ratio=1)
        table.add_column("commit / GOOD", no_wrap=True)
        table.add_column("launches", justify="right", no_wrap=True)
        for row in shown:
            style = "bold" if row.suspected else ""
            launches = str(row.launches or "")
            cells = (str(row.number), row.sha, row.subject, _measured(row), launches)
            table.add_row(*(Text(cell, style) for cell in cells))
        console.print(table)
        console.print(Text(f"{measured_text(state)}.", "dim"))
    for check in state.checks:
        if check.run:
            text = f"{check.after[:10]} against {check.before[:10]}: {check.verdict}"
            console.print(Text(f"{text}; see {one_line(check.run)}/index.html"))
    console.print(Text(answer(state), "bold"))


def _measured(row: CommitRow) -> str:
    return row.ratio or ("cannot be measured" if row.problem else "not measured")
