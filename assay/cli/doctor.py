"""`assay doctor`: check whether this machine is fit to measure on."""

from __future__ import annotations

from typing import Annotated

import typer

from assay.cli.output import (
    NOT_MEASURED,
    Json,
    open_console,
    print_table,
    require_finite,
)


def doctor(
    seconds: Annotated[
        float,
        typer.Option(
            help="How long to watch the machine's noise.",
            min=1,
            callback=require_finite,
        ),
    ] = 5.0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Skip the trial, which takes about 20 s.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check whether this machine is fit to measure on, and how precisely it measures.

    A trial compares a small server with itself. The spread of its launches gives the
    smallest change that a run of one minute could detect.
    """
    from dataclasses import asdict

    from assay.doctor import examination
    from assay.report import terminal_tables

    with terminal_tables.status(open_console(stderr=True)) as print_status:
        findings = examination.examine(seconds, quick, print_status)
    print_table([asdict(finding) for finding in findings], as_json)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(NOT_MEASURED)
