"""requests.csv of a load test: a row for each request or task, for spreadsheets."""

import csv
from collections.abc import Sequence
from io import StringIO

from assay.load_results import Row, Spread
from assay.report.comparisons_csv import cell
from assay.run_directory.load_run import LoadRun

_SPREAD_FIELDS = tuple(Spread.model_fields)
COLUMNS = (
    *("kind", "method", "name", "requests", "failed"),
    *(f"latency_{name}" for name in _SPREAD_FIELDS),
    *(f"service_{name}" for name in _SPREAD_FIELDS),
    *("statuses", "size_mean", "size_max"),
)


def render(run: LoadRun) -> str:
    """Return the rows of a test as CSV."""
    return csv_text(run.results().rows)


def csv_text(rows: Sequence[Row]) -> str:
    """Return rows as CSV; times are in seconds, and a missing value is empty."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        spreads = [
            getattr(spread, name)
            for spread in (row.latency, row.service)
            for name in _SPREAD_FIELDS
        ]
        labels = (row.kind, cell(row.method), cell(row.name))
        statuses = " ".join(f"{name}={count}" for name, count in row.statuses.items())
        answers = (cell(statuses), row.size_mean, row.size_max)
        writer.writerow([*labels, row.requests, row.failed, *spreads, *answers])
    return out.getvalue()
