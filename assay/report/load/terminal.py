"""The tables at the end of a load test, for a terminal of 80 columns or more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.load_results import LoadResults
from assay.report.load import words
from assay.wording import counted, judgement, one_line, percent

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"holds": "bold green", "refuted": "bold red", "undecided": "bold yellow"}
# Of `words.HEAD`: what 80 columns have room for.
_SHOWN = ("p50", "p95", "p99", "longest")
MOST_ERRORS = 10


def render(results: LoadResults, console: Console) -> None:
    """Print the requirements, the requests, the errors and the warnings."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("latency", overflow="fold")
    for name in ("requests", "failed", *_SHOWN):
        table.add_column(name, justify="right", no_wrap=True)
    for row in results.rows:
        spread = dict(
            zip(words.HEAD, words.cells(row.latency, results.bound), strict=True)
        )
        failed = percent(row.failed / row.requests)
        table.add_row(
            Text(words.name_of(row)),
            f"{row.requests:,}",
            Text(failed, "red" if row.failed else ""),
            *(spread[name] for name in _SHOWN),
        )
    console.print(table)
    for error, count in words.errors(results)[:MOST_ERRORS]:
        console.print(Text.assemble((f"{count:,} × ", "red"), error))
    for sentence in words.wrong(results):
        console.print(Text(sentence, "bold red"))
    console.print(Text(accounts(results), "dim"))
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
        console.print(Text(words.partial(results), "yellow"))


def accounts(results: LoadResults) -> str:
    """Return where every arrival went."""
    again = ""
    if results.reconnects:
        again = f"; {counted(results.reconnects, 'reconnect')}"
    return (
        f"{results.planned:,} planned = {results.done:,} done + {results.dropped:,} "
        f"dropped + {results.unserved:,} unserved. The generator began arrivals "
        f"{words.amount(results.lag_p50)} late (p99 {words.amount(results.lag_p99)}) "
        f"and had sent them after {words.amount(results.own_p50)} (p99 "
        f"{words.amount(results.own_p99)}), which is in no latency; it used "
        f"{results.generator_cpu:.0%} of a core at most{again}"
    )
