"""`assay worker`: one of several processes that share a load test."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from assay.errors import InputError


def worker(
    join: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help="Where `assay load --master` listens."),
    ],
    locustfile: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="The locustfile; the master sends its own if none is named.",
        ),
    ] = None,
) -> None:
    """Join a load test that is spread over several machines, and do a part of it.

    The master says what to do and takes the samples. A locustfile that imports
    modules of its own has to be here: name it.
    """
    from assay.load.control import process

    host, colon, port = join.rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
        raise InputError(f"--join {join!r}: expected HOST:PORT, such as 10.0.0.5:5557")
    if locustfile is not None and not locustfile.is_file():
        raise InputError(f"{locustfile}: there is no such locustfile")
    path = "-" if locustfile is None else str(locustfile.resolve())
    argv = process.argv(path, "-", f"worker:{host}:{port}", (), {})
    # This process becomes the worker: signals reach it, and nobody is left behind.
    sys.stdout.flush()
    os.execve(argv[0], argv, process.environment())
