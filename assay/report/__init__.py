"""Reports: a run directory, rendered in formats for people and for machines.

A format in `FORMATS` is a function from a run directory to the text of one file. A
format in `WRITERS` is a function that writes several files itself. A report can be
rebuilt from the directory alone, on another machine.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from assay.errors import InputError
from assay.report import (
    comparisons_csv,
    exports,
    html,
    junit,
    markdown,
    pytest_benchmark,
)
from assay.run_directory.directory import to_json
from assay.run_directory.run import RunDirectory
from assay.system.registry import Registry


class Renderer(Protocol):
    """Turns a run into the whole content of one file."""

    def __call__(self, run: RunDirectory) -> str:
        """Return the file's text."""
        ...


def _json(run: RunDirectory) -> str:
    return to_json(run.results())


# Name of the format -> name of its file in the run directory, and its renderer.
_BUILT_IN: dict[str, tuple[str, Renderer]] = {
    "html": ("index.html", html.render),
    "markdown": ("summary.md", markdown.render),
    "junit": ("junit.xml", junit.render),
    "json": ("results.json", _json),
    "csv": ("comparisons.csv", comparisons_csv.render),
}
# Another package can add a format by an entry point: a file name and a renderer.
FORMATS: Registry[tuple[str, Renderer]] = Registry("assay.reports", _BUILT_IN)

# Name of the format -> the function that writes its files into the run directory.
WRITERS: dict[str, Callable[[RunDirectory], list[Path]]] = {
    "pytest-benchmark": pytest_benchmark.write,
}


def names() -> tuple[str, ...]:
    """Return the names of all formats."""
    return (*FORMATS, *WRITERS)


def write(
    run: RunDirectory, formats: Sequence[str] = ("html", "markdown", "junit", "json")
) -> list[Path]:
    """Write the reports of a run into its directory.

    This also works for a run that was cut short. The report then says so.

    Returns:
        The files written, in the order of `formats`.

    Raises:
        InputError: A format does not exist, or the run has no data for it.
        NotARunError: plan.json or results.json is damaged.
    """
    unknown = [name for name in formats if name not in names()]
    if unknown:
        raise InputError(
            f"unknown report format {unknown[0]!r}; choose from {', '.join(names())}"
        )
    if "html" in formats:  # the page has links to the exports
        exports.write(run)
    written = []
    for name in dict.fromkeys(formats):
        if name in WRITERS:
            written += WRITERS[name](run)
        else:
            file, render = FORMATS[name]
            written.append(run.write_text(file, render(run)))
    return written
