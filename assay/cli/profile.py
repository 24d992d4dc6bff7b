"""`assay profile`: show where one variant spends its time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.output import command_line, open_console, require_finite
from assay.cli.run import Output, create_run, open_progress, run_name


def profile(
    topic: Annotated[str, typer.Argument(help="A topic, as for assay run.")],
    variant: Annotated[str, typer.Argument(help="A variant of the topic.")],
    presets: Annotated[
        str,
        typer.Option("--profiles", help="Presets from profiles/, separated by commas."),
    ] = "cpu,memory",
    rate: Annotated[
        float | None,
        typer.Option(
            help="Arrivals per second; from the topic's load if not given.",
            min=0.1,
            callback=require_finite,
        ),
    ] = None,
    output: Output = None,
) -> None:
    """Profile one variant under load, and print where it spends its time."""
    from assay.experiment import run
    from assay.inputs import loader
    from assay.report import terminal_tables

    here = Path.cwd()
    plan = loader.load([topic], {}, command_line(), here)
    plan = loader.profile_plan(plan, variant, presets.split(","), here)
    name = f"{run_name(plan)}-{variant}-profile"
    directory = create_run(plan, output or here / "reports" / name)
    errors = open_console(stderr=True)
    with open_progress(plan, errors) as progress:
        run.profile(plan, directory, progress, variant, rate)
    console = open_console()
    for captured in directory.profiles():
        terminal_tables.render_profile(captured, console)
    typer.echo(directory.path)
