"""`assay profile`: where one variant's time goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.output import command_line
from assay.cli.output import console as open_console
from assay.cli.output import finite
from assay.cli.run import create_run, progress_of, run_name


def profile(
    topic: Annotated[str, typer.Argument(help="A topic, as for assay run.")],
    variant: Annotated[str, typer.Argument(help="One of its variants.")],
    presets: Annotated[
        str, typer.Option("--profiles", help="Presets of profiles/, with commas.")
    ] = "cpu,memory",
    rate: Annotated[
        float | None,
        typer.Option(
            help="Arrivals per second; from the topic if not given.",
            min=0.1,
            callback=finite,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The run directory; under reports/ if not given."),
    ] = None,
) -> None:
    """Profile one variant under load, and print where its time goes."""
    from assay.experiment import run
    from assay.inputs import loader
    from assay.report import terminal_tables

    here = Path.cwd()
    plan = loader.load([topic], {}, command_line(), here)
    plan = loader.profile_plan(plan, variant, presets.split(","), here)
    name = f"{run_name(plan)}-{variant}-profile"
    directory = create_run(plan, output or here / "reports" / name)
    errors = open_console(stderr=True)
    with progress_of(plan, errors) as progress:
        run.profile(plan, directory, progress, variant, rate)
    console = open_console()
    for taken in directory.profiles():
        terminal_tables.render_profile(taken, console)
    typer.echo(directory.path)
