"""Reports: a run directory, rendered in formats for people and machines.

Each format is one function from a run directory to text, registered in `FORMATS`. A
report can be rebuilt from the directory alone, on another machine.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from assay.errors import InputError
from assay.report import comparisons_csv, html, junit, markdown
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
# Another package adds a format as an entry point: a file name and a renderer.
FORMATS: Registry[tuple[str, Renderer]] = Registry("assay.reports", _BUILT_IN)


def write(
    run: RunDirectory, formats: Sequence[str] = ("html", "markdown", "junit", "json")
) -> list[Path]:
    """Write the reports of a run into its directory.

    Also works for a run that was cut short: the report then says what is missing.

    Returns:
        The files written, in the order of `formats`.

    Raises:
        InputError: A format does not exist.
        NotARunError: plan.json or results.json is damaged.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise InputError(
            f"unknown report format {unknown[0]!r}; choose from {', '.join(FORMATS)}"
        )
    return [
        run.write_text(file, render(run))
        for file, render in (FORMATS[name] for name in dict.fromkeys(formats))
    ]
