"""The table at the end of a run, for a terminal of 80 columns or more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.report.answer import budget_reason, budget_text, comparison_of, unclaimed
from assay.report.text import compared, expectation, one_line
from assay.results import Results

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_STYLES = {
    "holds": "bold green",
    "refuted": "bold red",
    "undecided": "bold yellow",
    "faster": "bold green",
    "slower": "bold red",
    "same": "bold",
}


def render(results: Results, console: Console) -> None:
    """Print the claims and budgets, what else was decided, and the warnings.

    Ratios are candidate / baseline. Names are shown as they are: neither rich's
    markup nor escape sequences in them have any effect.
    """
    from rich.text import Text

    if results.claims or results.budgets:
        table = _table("claim", "candidate / baseline")
        for claim in results.claims:
            comparison = comparison_of(results, claim)
            says = Text(one_line(claim.says))
            says.append(
                f"\n{one_line(claim.baseline)} → {one_line(claim.candidate)}, "
                f"{one_line(claim.metric)} {expectation(claim.expect)}",
                "dim",
            )
            if claim.reason:
                says.append(f"\n{one_line(claim.reason)}", "dim")
            measured = compared(comparison) if comparison else "not measured"
            table.add_row(_verdict(claim.verdict), says, _stacked(measured))
        for budget in results.budgets:
            table.add_row(
                _verdict(budget.verdict),
                Text(budget_text(budget)),
                Text(budget_reason(budget)),
            )
        console.print(table)
    others = unclaimed(results)
    if others:
        table = _table("comparison", "candidate / baseline")
        for item in others:
            words = Text(f"{one_line(item.baseline)} → {one_line(item.candidate)}")
            words.append(f", {one_line(item.metric)}", "dim")
            if item.reason:
                words.append(f"\n{one_line(item.reason)}", "dim")
            table.add_row(_verdict(item.verdict or ""), words, _stacked(compared(item)))
        console.print(table)
    if not (results.claims or results.budgets or others):
        console.print(Text("Nothing was decided."))
    for warning in results.warnings:
        console.print(Text.assemble(("! ", "bold yellow"), one_line(warning)))
    if results.partial:
        console.print(Text("The run did not finish: this is partial.", "yellow"))


def _table(what: str, measured: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column(what, ratio=1, overflow="fold")
    table.add_column(measured, overflow="fold", max_width=22)
    return table


def _verdict(verdict: str) -> Text:
    from rich.text import Text

    return Text(verdict, _STYLES.get(verdict, ""))


def _stacked(measured: str) -> Text:
    """Put the interval under the ratio: the column stays narrow."""
    from rich.text import Text

    head, _, interval = measured.partition(" [")
    return Text(head, "bold") + Text(f"\n[{interval}" if interval else "", "dim")
