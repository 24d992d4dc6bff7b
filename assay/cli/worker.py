"""`assay worker`: join a load test as one of its worker processes."""

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
            help="The locustfile; the master sends its own if none is given.",
        ),
    ] = None,
) -> None:
    """Join a load test that runs on several machines, and generate part of its load.

    The master assigns the load and collects the samples. If the locustfile imports
    modules of its own, copy them to this machine and name the locustfile here.
    """
    from assay.load.control import process

    host, colon, port = join.rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
        raise InputError(f"--join {join!r}: expected HOST:PORT, such as 10.0.0.5:5557")
    if locustfile is not None and not locustfile.is_file():
        raise InputError(f"{locustfile}: no such locustfile")
    path = "-" if locustfile is None else str(locustfile.resolve())
    argv = process.argv(path, "-", f"worker:{host}:{port}", (), {})
    # Replace this process: signals then reach the worker, and no parent is left over.
    sys.stdout.flush()
    os.execve(argv[0], argv, process.environment())
