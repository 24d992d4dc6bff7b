"""`assay init`: write a first topic for the user's own service."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.output import (
    NOT_MEASURED,
    Json,
    line_printer,
    open_console,
    print_table,
)

PORT = "8000"  # the port in the commands that are shown

if TYPE_CHECKING:
    from assay.first_topic.claims import FirstTarget
    from assay.first_topic.create import Created
    from assay.first_topic.request import Task


def init(
    app: Annotated[
        str | None,
        typer.Argument(
            metavar="APP",
            help="The ASGI or WSGI app, such as shop.main:app; the only one in this "
            "folder if not given.",
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(help="How the service is started, with {port} for its port."),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="A service that runs on this machine already.")
    ] = None,
    openapi: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|FILE",
            help="Where the OpenAPI document is: a path of the service, or a file.",
        ),
    ] = None,
    har: Annotated[
        Path | None,
        typer.Option(
            "--from-har",
            help="A HAR file, whose requests are written instead of the document's.",
        ),
    ] = None,
    ready: Annotated[
        str | None,
        typer.Option(help="The path that answers 2xx when the service is ready."),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="An environment variable of the service."
        ),
    ] = None,
    needs: Annotated[
        list[str] | None,
        typer.Option(help="A service that it needs: postgres or redis."),
    ] = None,
    prepare: Annotated[
        str | None, typer.Option(help="A command to run first, such as a migration.")
    ] = None,
    with_writes: Annotated[
        bool, typer.Option("--with-writes", help="Send POST, PUT and PATCH, too.")
    ] = False,
    with_delete: Annotated[
        bool, typer.Option("--with-delete", help="Send DELETE, too.")
    ] = False,
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder for the two files.")
    ] = Path("perf"),
    force: Annotated[
        bool, typer.Option("--force", help="Write over files that exist.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a first topic for your service: claims.toml and a locustfile.

    The service is started once. The requests of the locustfile are made from the
    service's OpenAPI document, or from a HAR file. Each request is sent once, unless it
    changes data and no option allows that. A request that is not answered with 2xx is
    switched off, with the reason.
    """
    from assay.first_topic.create import create
    from assay.first_topic.target import Asked

    asked = Asked(
        app=app or "",
        command=command or "",
        url=url or "",
        openapi=openapi or "",
        har=har,
        ready=ready or "",
        env=tuple(env or ()),
        needs=tuple(needs or ()),
        prepare=prepare or "",
        with_writes=with_writes,
        with_delete=with_delete,
        output=output,
        force=force,
    )
    say = line_printer(open_console(stderr=True))
    created = create(asked, Path.cwd(), say)
    print_table([_row(task) for task in created.tasks], as_json)
    _say_next_steps(created, url or "")
    if not created.on:
        raise typer.Exit(NOT_MEASURED)


def _row(task: Task) -> dict[str, object]:
    """Return the row of a task: whether it is on, or why it is off."""
    from assay.wording import one_line

    method, _, path = task.label.partition(" ")
    return {
        "method": method,
        "path": one_line(path),
        "status": task.status,
        "task": "on" if not task.off else f"off: {one_line(task.off)}",
        "advice": one_line(task.advice),
    }


def _say_next_steps(created: Created, url: str) -> None:
    from assay.wording import counted

    say = line_printer(open_console(stderr=True))
    off = len(created.tasks) - created.on
    say(f"{counted(created.on, 'request')} on, {off} off")
    for note in created.notes:
        say(f"note: {note}")
    say(f"wrote {_shown(created.claims)} and {_shown(created.locustfile)}")
    if not created.on:
        say("no request answers 2xx, so there is nothing to run yet")
        return
    if not url:
        say(f"start it: {_command(created.started)}")
    file = shlex.quote(_shown(created.locustfile))
    host = url or f"http://127.0.0.1:{PORT}"
    say(f"load it: assay load {file} --host {host} --users 4 --duration 10s")


def _command(started: FirstTarget) -> str:
    """Return the command that starts the service, as the user types it."""
    from assay.first_topic.servers import typed
    from assay.services import SERVICES

    words = [f"{name}={shlex.quote(value)}" for name, value in started.env.items()]
    words += [f"{SERVICES[name].variable}=…" for name in started.needs]
    command = typed(started.command, Path.cwd())
    return " ".join([*words, command.replace("{port}", PORT)])


def _shown(path: Path) -> str:
    """Return a path, relative to the working directory if it lies inside."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
