"""`assay profile`: show where one variant spends its time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.cli.output import command_line, open_console, require_finite
from assay.cli.run import Output, create_run, open_progress, run_name
from assay.errors import InputError


def profile(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="TOPIC VARIANT | -- COMMAND...",
            help="A topic and one of its variants; or, with --locustfile, the command "
            "that starts a server on port {port}.",
        ),
    ],
    locustfile: Annotated[
        Path | None,
        typer.Option(help="The load for COMMAND.", exists=True, dir_okay=False),
    ] = None,
    ready: Annotated[
        str,
        typer.Option(help="The path at which COMMAND answers 2xx when it is ready."),
    ] = "/",
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
    """Profile one variant, or a command, and print where it spends its time."""
    from assay.experiment import run
    from assay.inputs import loader
    from assay.report import terminal_tables

    here = Path.cwd()
    if locustfile is not None:
        plan = loader.command_plan(words, locustfile, ready, command_line(), here)
    elif len(words) == 2:
        plan = loader.load([words[0]], {}, command_line(), here)
    else:
        raise InputError(
            f"expected TOPIC VARIANT, got {len(words)} words; to profile a command, "
            "type: assay profile --locustfile FILE -- COMMAND..."
        )
    variant = loader.COMMAND_VARIANT if locustfile else words[1]
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
