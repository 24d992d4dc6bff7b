"""The table at the end of a run, for a terminal of 80 columns or more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.plan import Settings
from assay.report.summary import (
    budget_reason,
    budget_text,
    claim_notes,
    comparison_of,
    gate_answer,
    group_by_pair,
    label_of,
    notes,
    pair_text,
    shown,
    without_own_claim,
)
from assay.results import Comparison, Results
from assay.wording import compared_parts, expectation, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

SHOWN_TESTS = 20  # at most this many tests are shown, and none that is *same*
DEFAULT_SETTINGS = Settings()
_STYLES = {
    "holds": "bold green",
    "refuted": "bold red",
    "undecided": "bold yellow",
    "faster": "bold green",
    "slower": "bold red",
    "same": "bold",
}


def render(
    results: Results, console: Console, settings: Settings = DEFAULT_SETTINGS
) -> None:
    """Print the claims, the budgets, all other verdicts and the warnings.

    Ratios are candidate / baseline. Names are printed literally: rich markup and
    escape sequences in them have no effect.

    Args:
        results: The results of the run.
        console: The console to print to.
        settings: The settings of the run: forecasts show the margin, and budgets show
            the confidence.
    """
    from rich.text import Text

    margin = settings.margin
    if results.claims or results.budgets:
        console.print(_claims_and_budgets(results, settings))
    groups = group_by_pair(results, shown(without_own_claim(results), SHOWN_TESTS))
    if groups:
        table = _table("comparison", "candidate / baseline")
        for pair_verdict, comparisons in groups:
            if pair_verdict:
                label = Text(pair_text(pair_verdict), "bold")
                label.append(f"\n{one_line(pair_verdict.reason)}", "not bold dim")
                table.add_row(_verdict(pair_verdict.verdict), label, "")
            for comparison in comparisons:
                label = Text(f"  {label_of(comparison)}")
                if pair_verdict is None:
                    label = Text(one_line(comparison.baseline))
                    label.append(f" → {one_line(comparison.candidate)}")
                    label.append(f", {one_line(comparison.metric)}", "dim")
                _add_comparison(table, results, comparison, label, margin)
        console.print(table)
    elif not (results.claims or results.budgets):
        console.print(Text("Nothing was decided."))
    if gated := gate_answer(results):
        console.print(Text(gated, "bold"))
    explained: set[tuple[str, str, str]] = set()
    for cause in results.causes:  # the first cause of a pair is the main one
        pair = cause.topic, cause.baseline, cause.candidate
        if pair not in explained:
            explained.add(pair)
            name = one_line(f"{cause.baseline} → {cause.candidate}")
            console.print(
                Text.assemble((f"why {name}: ", "bold"), one_line(cause.sentence))
            )
    for warning in results.warnings:
        console.print(Text.assemble(("! ", "bold yellow"), one_line(warning)))
    if results.partial:
        console.print(
            Text("The run did not finish: the results are partial.", "yellow")
        )


def _claims_and_budgets(results: Results, settings: Settings) -> Table:
    """Return the table of the claims and budgets."""
    from rich.text import Text

    table = _table("claim", "candidate / baseline")
    for claim in results.claims:
        comparison = comparison_of(results, claim)
        label = Text(one_line(claim.says))
        label.append(
            f"\n{one_line(claim.baseline)} → {one_line(claim.candidate)}, "
            f"{one_line(claim.metric)} {expectation(claim.expect)}",
            "dim",
        )
        notes_of_claim = claim_notes(results, claim, settings.margin)
        for note in filter(None, notes_of_claim or [one_line(claim.reason)]):
            label.append(f"\n{note}", "dim")
        measured = compared_parts(comparison) if comparison else ("not measured", "")
        table.add_row(_verdict(claim.verdict), label, _stacked(*measured))
    for budget in results.budgets:
        table.add_row(
            _verdict(budget.verdict),
            Text(budget_text(budget)),
            Text(budget_reason(results, budget, settings.confidence)),
        )
    return table


def _add_comparison(
    table: Table, results: Results, comparison: Comparison, label: Text, margin: float
) -> None:
    indent = " " * (len(label.plain) - len(label.plain.lstrip()))
    for note in notes(results, comparison, margin):
        label.append(f"\n{indent}{note}", "dim")
    measured = _stacked(*compared_parts(comparison))
    table.add_row(_verdict(comparison.verdict or ""), label, measured)


def _table(subject: str, measured: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column(subject, ratio=1, overflow="fold")
    table.add_column(measured, overflow="fold", max_width=22)
    return table


def _verdict(verdict: str) -> Text:
    from rich.text import Text

    return Text(verdict, _STYLES.get(verdict, ""))


def _stacked(ratio: str, interval: str) -> Text:
    """Put the interval below the ratio, so that the column stays narrow."""
    from rich.text import Text

    return Text(ratio, "bold") + Text(f"\n{interval}" if interval else "", "dim")
