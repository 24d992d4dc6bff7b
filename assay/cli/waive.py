"""`assay waive`: write down what may be slower, until which day, and why."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from assay.cli.output import require_finite
from assay.errors import InputError


def waive(
    what: Annotated[
        str,
        typer.Argument(
            metavar="TEST",
            help="The node id of a benchmark, or a service's request, as the report "
            "has it; or the name of a service's topic.",
        ),
    ],
    metric: Annotated[
        str,
        typer.Argument(
            help="The metric, such as time, request.p25 or cpu_per_request."
        ),
    ],
    ceiling: Annotated[
        float,
        typer.Option(
            help="How many times as slow it may be: 1.3 means 30 % slower.",
            callback=require_finite,
        ),
    ],
    reason: Annotated[
        str, typer.Option(help="Why it may be slower; every report shows the reason.")
    ],
    until: Annotated[
        str,
        typer.Option(help="The last day on which the waiver counts: 2027-01-31."),
    ],
    topic: Annotated[
        str,
        typer.Option(help="The topic of the benchmark or request; any if not given."),
    ] = "",
) -> None:
    """Allow something to be slower until a day: write a waiver to perf/waivers.toml."""
    from assay.inputs import waiving

    waiver = waiving.waiver(
        what, metric, ceiling, reason, _day(until), topic, date.today()
    )
    file, replaced = waiving.write(waiver, Path.cwd())
    verb = "renewed" if replaced else "added"
    typer.echo(f"{verb} in {file}; commit this file, because it is read from HEAD")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"--until: expected a day such as 2027-01-31, and not {text!r}"
        ) from error
