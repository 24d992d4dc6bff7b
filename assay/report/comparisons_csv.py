"""comparisons.csv: every comparison as one row, for spreadsheets."""

import csv
from io import StringIO

from assay.results import Comparison
from assay.run_directory.run import RunDirectory
from assay.wording import one_line

COLUMNS = tuple(Comparison.model_fields)
# A spreadsheet would run a text that starts like this as a formula.
_FORMULA = ("=", "+", "-", "@")


def render(run: RunDirectory) -> str:
    """Return the comparisons as CSV; ratios are plain numbers, missing is empty."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for comparison in run.results().comparisons:
        fields = comparison.model_dump()
        writer.writerow([cell(fields[name]) for name in COLUMNS])
    return out.getvalue()


def cell(value: object) -> object:
    """Return a value fit for a spreadsheet: text that cannot act as a formula."""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
