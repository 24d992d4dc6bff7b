"""Reports of load tests, in the same formats as reports of other runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import InputError
from assay.load_plan import LoadPlan
from assay.load_results import CapacityResults, LoadResults
from assay.report.load import (
    capacity,
    html,
    junit,
    markdown,
    sweep,
    table,
    terminal,
    trials,
)
from assay.report.load.trials import Results, Trials
from assay.run_directory.directory import to_json
from assay.run_directory.load_run import LoadRun

if TYPE_CHECKING:
    from rich.console import Console


def _json(run: LoadRun) -> str:
    return to_json(run.results())


# Name of the format -> name of its file in the run directory, and its renderer.
FORMATS: dict[str, tuple[str, Callable[[LoadRun], str]]] = {
    "html": ("index.html", html.render),
    "markdown": ("summary.md", markdown.render),
    "junit": ("junit.xml", junit.render),
    "json": ("results.json", _json),
    "csv": ("requests.csv", table.render),
}
# The same for a capacity search or a sweep, which has many trials.
TRIAL_FORMATS: dict[str, tuple[str, Callable[[Trials, Results, LoadPlan], str]]] = {
    "html": ("index.html", trials.html),
    "markdown": ("summary.md", trials.markdown),
    "junit": ("junit.xml", trials.junit),
    "json": ("results.json", trials.json),
    "csv": ("trials.csv", trials.csv_text),
}


def check(formats: Sequence[str]) -> None:
    """Check that the formats exist.

    Raises:
        InputError: A format does not exist.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise InputError(
            f"--format: no format {unknown[0]!r}; expected some of {', '.join(FORMATS)}"
        )


def write(run: LoadRun, formats: Sequence[str]) -> list[Path]:
    """Write the reports of a load test into its directory.

    This works for a single load test, a capacity search and a sweep.

    Returns:
        The files written, in the order of `formats`.

    Raises:
        InputError: A format does not exist.
        NotARunError: The plan or the results are damaged.
    """
    check(formats)
    names, results = list(dict.fromkeys(formats)), run.trials()
    if results is None:
        texts = [(FORMATS[name][0], FORMATS[name][1](run)) for name in names]
    else:
        plan = run.plan()
        report = _trials(results, plan)
        texts = [
            (TRIAL_FORMATS[name][0], TRIAL_FORMATS[name][1](report, results, plan))
            for name in names
        ]
    return [run.write_text(file, text) for file, text in texts]


def show(run: LoadRun, results: LoadResults | Results, console: Console) -> None:
    """Print the results of a load test, a capacity search or a sweep."""
    if isinstance(results, LoadResults):
        terminal.render(results, console)
    else:
        trials.terminal(_trials(results, run.plan()), results, console)


def _trials(results: Results, plan: LoadPlan) -> Trials:
    if isinstance(results, CapacityResults):
        return capacity.trials(results, plan)
    return sweep.trials(results, plan)
