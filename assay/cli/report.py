"""`assay report`: the reports of a run or a load test, built anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.cli import load
from assay.cli.output import Json
from assay.cli.run import finish
from assay.errors import InputError


def report(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    formats: Annotated[
        str, typer.Option("--format", help="Some of html, markdown, junit, csv, json.")
    ] = "html,markdown,junit,json",
    as_json: Json = False,
) -> None:
    """Rebuild the reports of a run, also of one that died."""
    from assay.experiment.run import judge
    from assay.report import FORMATS
    from assay.run_directory.directory import NotARunError
    from assay.run_directory.run import RunDirectory

    if _is_load_test(directory):
        load.report(directory, formats, as_json)
        return
    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown:
        raise InputError(
            f"--format: no format {unknown[0]!r}; expected some of {', '.join(FORMATS)}"
        )
    try:
        found = RunDirectory.open(directory)
        results = judge(found)
        found.write_results(results)
        finish(found, results, wanted, as_json)
    except BrokenPipeError:
        raise  # nobody reads what is printed: that is no fault of the run's
    except (NotARunError, OSError) as error:
        raise InputError(str(error)) from error


def _is_load_test(directory: Path) -> bool:
    try:
        return load.is_load_test(directory)
    except OSError as error:  # such as a name that is too long
        raise InputError(str(error)) from error
