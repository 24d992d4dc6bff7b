"""The table of `assay history`, for a terminal of 80 columns or more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.history_results import HistoryResults
from assay.report.history_text import answer, changes_text, subject, value_text
from assay.wording import counted, one_line

if TYPE_CHECKING:
    from rich.console import Console

# At most this many rows of each kind are shown: series without a change, series with a
# change, and skipped runs.
MOST_OTHERS = 20
MOST_CHANGED = 100
MOST_SKIPPED = 10


def render(results: HistoryResults, console: Console) -> None:
    """Print the series that change, some others, and the runs that were left out."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    changed = [one for one in results.series if one.changes or one.drift]
    others = [one for one in results.series if not one.changes and not one.drift]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("series", overflow="fold", ratio=2)
    table.add_column("metric", overflow="fold")
    table.add_column("runs", justify="right", no_wrap=True)
    table.add_column("last", no_wrap=True)
    table.add_column("changes", overflow="fold", min_width=18)
    shown = changed[:MOST_CHANGED] + others[:MOST_OTHERS]
    for one in shown:
        table.add_row(
            Text(subject(one)),
            Text(one_line(one.metric)),
            str(len(one.points)),
            Text(value_text(one, one.points[-1], with_interval=False)),
            Text(changes_text(one), "bold" if one.changes or one.drift else "dim"),
        )
    console.print(table)
    if left_out := len(results.series) - len(shown):
        console.print(
            Text(
                f"{counted(left_out, 'more series', 'more series')} on the page", "dim"
            )
        )
    for run in results.skipped[:MOST_SKIPPED]:
        text = f"{one_line(run.place)}: {one_line(run.reason)}"
        console.print(Text.assemble(("left out: ", "yellow"), text))
    if len(results.skipped) > MOST_SKIPPED:
        console.print(Text(f"and {len(results.skipped) - MOST_SKIPPED} more", "yellow"))
    console.print(Text(answer(results), "bold"))
