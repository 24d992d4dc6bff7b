"""`assay report`: rebuild the reports of a run or a load test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.cli import load
from assay.cli.output import CONTENT_ERRORS, Json, content_error
from assay.cli.run import report_results
from assay.errors import InputError, MeasureError


def report(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            help="Comma-separated list of: html, markdown, junit, csv, json; for "
            "benchmarks also pytest-benchmark, one file for each side.",
        ),
    ] = "html,markdown,junit,json",
    as_json: Json = False,
) -> None:
    """Rebuild the reports of a run, even of one that did not finish."""
    from assay import report as reports
    from assay.experiment.run import judge
    from assay.run_directory.directory import NotARunError
    from assay.run_directory.run import RunDirectory

    if _is_load_test(directory):
        load.report(directory, formats, as_json)
        return
    names = [name.strip() for name in formats.split(",") if name.strip()]
    unknown = [name for name in names if name not in reports.names()]
    if unknown:
        raise InputError(
            f"--format: no format {unknown[0]!r}; expected some of "
            f"{', '.join(reports.names())}"
        )
    try:
        run = RunDirectory.open(directory)
        results = judge(run)
        run.write_results(results)
        report_results(run, results, names, as_json)
    except BrokenPipeError:
        raise  # the reader of the output is gone; nothing is wrong with the run
    except (NotARunError, OSError) as error:
        raise InputError(str(error)) from error
    except CONTENT_ERRORS as error:
        raise content_error(directory, error) from error
    except MeasureError as error:  # results.json cannot be written
        raise InputError(str(error.__cause__ or error)) from error


def _is_load_test(directory: Path) -> bool:
    try:
        return load.is_load_test(directory)
    except OSError as error:  # for example, the name is too long
        raise InputError(str(error)) from error
