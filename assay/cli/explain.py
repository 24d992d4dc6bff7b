"""`assay explain`: print why the two sides of a comparison differ."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.output import Json, open_console
from assay.errors import InputError


def explain(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    claim: Annotated[
        str,
        typer.Argument(
            metavar="[CLAIM]",
            help="Show only pairs whose claim, topic or variant name contains this "
            "text.",
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Say what the differences of a run come from."""
    from assay.report import explanation
    from assay.run_directory.directory import NotARunError
    from assay.run_directory.run import RunDirectory

    try:
        results = RunDirectory.open(directory).results()
    except (NotARunError, OSError) as error:
        raise InputError(str(error)) from error
    pairs = explanation.pairs(results, claim)
    if claim and not pairs:
        names = ", ".join(explanation.name(pair) for pair in explanation.pairs(results))
        raise InputError(
            f"{directory}: no claim, topic or variant contains {claim!r}; "
            f"this run compared: {names}"
        )
    if as_json:
        typer.echo(explanation.to_json(results, pairs))
    else:
        explanation.render(results, pairs, open_console())
