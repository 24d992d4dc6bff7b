"""Report a capacity search or a sweep, in the same formats as a single load test."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from assay.load_plan import LoadPlan
from assay.load_results import CapacityResults, SweepResults
from assay.plan import Data
from assay.report.charts import Chart
from assay.report.comparisons_csv import cell
from assay.report.load import junit as suites
from assay.report.load import words
from assay.report.load.markdown import table, tags
from assay.report.markdown import escape
from assay.report.page import page
from assay.run_directory.directory import to_json
from assay.wording import one_line

if TYPE_CHECKING:
    from rich.console import Console

TEXT_COLUMNS = frozenset({"reason"})  # columns that hold text, not numbers
Results = CapacityResults | SweepResults


@dataclass(frozen=True)
class Trials:
    """The content of a report.

    Attributes:
        answer: The answer, in a few sentences.
        columns: Names of the columns.
        rows: A row of cells for each trial.
        items: The data of each trial.
        verdict: The verdict on the requirement: holds, refuted or undecided.
        required: The requirement; by default, that the test was completed.
        method: How the trials were measured.
        chart: A chart; None if there are too few trials for it.
    """

    title: str
    answer: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    items: Sequence[Data]
    verdict: str
    required: str
    method: str
    chart: Chart | None


def terminal(trials: Trials, results: Results, console: Console) -> None:
    """Print the trials and the answer."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in trials.columns:
        table.add_column(name, justify="left" if name in TEXT_COLUMNS else "right")
    for row in trials.rows:
        table.add_row(*map(Text, row))
    console.print(table)
    console.print(Text(trials.answer, "bold"))
    for warning in results.warnings:
        console.print(Text.assemble(("! ", "bold yellow"), one_line(warning)))


def markdown(trials: Trials, results: Results, plan: LoadPlan) -> str:
    """Return summary.md."""
    cells = [[escape(text) for text in row] for row in trials.rows]
    parts = [
        f"## {escape(trials.title)}",
        *tags(results),
        escape(trials.answer),
        table(trials.columns, cells),
    ]
    parts += [f"> {escape(one_line(warning))}" for warning in results.warnings]
    return "\n\n".join(parts) + "\n"


def html(trials: Trials, results: Results, plan: LoadPlan) -> str:
    """Return index.html."""
    return page(
        "trials.html",
        title=trials.title,
        subject=words.subject(plan) if results.title else "",
        tags=words.tags(results),
        answer=trials.answer,
        chart=trials.chart,
        columns=trials.columns,
        rows=trials.rows,
        method=trials.method,
        warnings=results.warnings,
        command=plan.command,
        run=results.run,
        seed=results.seed,
        partial=results.partial,
        environment=(),
    )


def junit(trials: Trials, results: Results, plan: LoadPlan) -> str:
    """Return junit.xml: one test case for all trials together."""
    case = (one_line(trials.required), trials.verdict, trials.answer)
    return suites.document([case], results.warnings)


def csv_text(trials: Trials, results: Results, plan: LoadPlan) -> str:
    """Return the trials as CSV; times are in seconds, and a missing value is empty."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    rows = [item.model_dump() for item in trials.items]
    writer.writerow(rows[0] if rows else ())
    writer.writerows([cell(value) for value in row.values()] for row in rows)
    return out.getvalue()


def json(trials: Trials, results: Results, plan: LoadPlan) -> str:
    """Return results.json, the same text as capacity.json or sweep.json."""
    return to_json(results)
