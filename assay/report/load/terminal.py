"""The tables at the end of a load test, for a terminal of 80 columns or more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.load_results import LoadResults
from assay.report.load import words
from assay.wording import counted, judgement, one_line, percent

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"holds": "bold green", "refuted": "bold red", "undecided": "bold yellow"}
# The columns of `words.COLUMNS` that fit into 80 characters.
_SHOWN_COLUMNS = ("p50", "p95", "p99", "longest")
MAX_ERRORS = 10


def render(results: LoadResults, console: Console) -> None:
    """Print the requirements, the requests, the errors and the warnings."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("latency", overflow="fold")
    for name in ("requests", "failed", *_SHOWN_COLUMNS):
        table.add_column(name, justify="right", no_wrap=True)
    for row in results.rows:
        times = dict(
            zip(words.COLUMNS, words.cells(row.latency, results.bound), strict=True)
        )
        share_failed = percent(row.failed / row.requests)
        table.add_row(
            Text(words.row_title(row)),
            f"{row.requests:,}",
            Text(share_failed, "red" if row.failed else ""),
            *(times[name] for name in _SHOWN_COLUMNS),
        )
    console.print(table)
    for error, count in words.errors(results)[:MAX_ERRORS]:
        console.print(Text.assemble((f"{count:,} × ", "red"), error))
    for sentence in words.failures(results):
        console.print(Text(sentence, "bold red"))
    console.print(Text(accounting(results), "dim"))
    for worker in results.workers:
        console.print(
            Text.assemble(
                f"  {one_line(worker.name)}: {worker.planned:,} planned = "
                f"{worker.done:,} + {worker.dropped:,} + {worker.unserved:,}",
                (f", lost: {one_line(worker.lost)}" if worker.lost else "", "red"),
                style="dim",
            )
        )
    for item in results.requirements:
        console.print(
            Text.assemble(
                (f"{item.verdict:9} ", _STYLES[item.verdict]),
                f"{one_line(item.text)}: {judgement(item)}",
            )
        )
    for warning in results.warnings:
        console.print(Text.assemble(("! ", "bold yellow"), one_line(warning)))
    if results.partial:
        console.print(Text(words.partial_reason(results), "yellow"))


def accounting(results: LoadResults) -> str:
    """Return how all arrivals ended, and the delays and load of the generator."""
    reconnects = ""
    if results.reconnects:
        reconnects = f"; {counted(results.reconnects, 'reconnect')}"
    return (
        f"{results.planned:,} planned = {results.done:,} done + {results.dropped:,} "
        f"dropped + {results.unserved:,} unserved. The generator started "
        f"arrivals {words.time_text(results.lag_p50)} late "
        f"(p99 {words.time_text(results.lag_p99)}) and took "
        f"{words.time_text(results.own_p50)} to send them "
        f"(p99 {words.time_text(results.own_p99)}); neither is part of a latency. "
        f"It used at most {results.generator_cpu:.0%} of a core{reconnects}"
    )
