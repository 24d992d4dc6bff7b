"""`assay doctor`: is this machine fit to measure on?"""

from __future__ import annotations

from typing import Annotated

import typer

from assay.cli.output import NOT_MEASURED, Json
from assay.cli.output import console as open_console
from assay.cli.output import finite, table


def doctor(
    seconds: Annotated[
        float,
        typer.Option(
            help="How long to watch the machine's noise.", min=1, callback=finite
        ),
    ] = 5.0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out the trial, of about 20 s.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say whether this machine is fit to measure on, and how small a change it finds.

    A trial measures a small server against itself; from how much the launches
    differ follows the least change that a run of a minute would find.
    """
    from dataclasses import asdict

    from assay.doctor import examination
    from assay.report import terminal_tables

    with terminal_tables.status(open_console(stderr=True)) as say:
        found = examination.examine(seconds, quick, say)
    table([asdict(finding) for finding in found], as_json)
    if any(finding.state == "bad" for finding in found):
        raise typer.Exit(NOT_MEASURED)
