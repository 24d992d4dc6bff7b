"""The table at the end of a run, for a terminal of 80 columns or more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.plan import Settings
from assay.report.summary import (
    budget_reason,
    budget_text,
    by_whole,
    claim_notes,
    comparison_of,
    notes,
    pair_text,
    unclaimed,
)
from assay.results import Comparison, Results
from assay.wording import compared_parts, expectation, one_line

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


def render(
    results: Results, console: Console, margin: float = Settings().margin
) -> None:
    """Print the claims and budgets, what else was decided, and the warnings.

    Ratios are candidate / baseline. Names are shown as they are: neither rich's
    markup nor escape sequences in them have any effect.

    Args:
        results: Of the run.
        console: Where.
        margin: Of the run, as a share: what the forecasts are about.
    """
    from rich.text import Text

    if results.claims or results.budgets:
        console.print(_asked(results, margin))
    groups = by_whole(results, unclaimed(results))
    if groups:
        table = _table("comparison", "candidate / baseline")
        for whole, items in groups:
            if whole:
                words = Text(pair_text(whole), "bold")
                words.append(f"\n{one_line(whole.reason)}", "not bold dim")
                table.add_row(_verdict(whole.verdict), words, "")
            for item in items:
                words = Text(f"  {one_line(item.metric)}")
                if whole is None:
                    words = Text(one_line(item.baseline))
                    words.append(f" → {one_line(item.candidate)}")
                    words.append(f", {one_line(item.metric)}", "dim")
                _add_comparison(table, results, item, words, margin)
        console.print(table)
    elif not (results.claims or results.budgets):
        console.print(Text("Nothing was decided."))
    for warning in results.warnings:
        console.print(Text.assemble(("! ", "bold yellow"), one_line(warning)))
    if results.partial:
        console.print(Text("The run did not finish: this is partial.", "yellow"))


def _asked(results: Results, margin: float) -> Table:
    """Return the table of the claims and budgets."""
    from rich.text import Text

    table = _table("claim", "candidate / baseline")
    for claim in results.claims:
        comparison = comparison_of(results, claim)
        says = Text(one_line(claim.says))
        says.append(
            f"\n{one_line(claim.baseline)} → {one_line(claim.candidate)}, "
            f"{one_line(claim.metric)} {expectation(claim.expect)}",
            "dim",
        )
        said = claim_notes(results, claim, margin) or [one_line(claim.reason)]
        for note in filter(None, said):
            says.append(f"\n{note}", "dim")
        measured = compared_parts(comparison) if comparison else ("not measured", "")
        table.add_row(_verdict(claim.verdict), says, _stacked(*measured))
    for budget in results.budgets:
        table.add_row(
            _verdict(budget.verdict),
            Text(budget_text(budget)),
            Text(budget_reason(results, budget)),
        )
    return table


def _add_comparison(
    table: Table, results: Results, item: Comparison, words: Text, margin: float
) -> None:
    indent = " " * (len(words.plain) - len(words.plain.lstrip()))
    for note in notes(results, item, margin):
        words.append(f"\n{indent}{note}", "dim")
    measured = _stacked(*compared_parts(item))
    table.add_row(_verdict(item.verdict or ""), words, measured)


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


def _stacked(ratio: str, interval: str) -> Text:
    """Put the interval under the ratio: the column stays narrow."""
    from rich.text import Text

    return Text(ratio, "bold") + Text(f"\n{interval}" if interval else "", "dim")
