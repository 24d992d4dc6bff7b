"""comparisons.csv: one row for each comparison, for spreadsheets."""

import csv
from io import StringIO

from assay.report.summary import gate_key, gates_by_key
from assay.results import Comparison
from assay.run_directory.run import RunDirectory
from assay.wording import one_line

COLUMNS = (*Comparison.model_fields, "gate", "gate_reason")
# A spreadsheet runs a text that starts with one of these as a formula.
_FORMULA_STARTS = ("=", "+", "-", "@")


def render(run: RunDirectory) -> str:
    """Return the comparisons as CSV; a missing value is an empty cell."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    results = run.results()
    gates = gates_by_key(results)
    for comparison in results.comparisons:
        gate = gates.get(gate_key(comparison))
        fields = comparison.model_dump() | {
            "gate": gate.verdict if gate else "",
            "gate_reason": gate.reason if gate else "",
        }
        writer.writerow([cell(fields[name]) for name in COLUMNS])
    return out.getvalue()


def cell(value: object) -> object:
    """Return a value that is safe in a spreadsheet: no text acts as a formula."""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
