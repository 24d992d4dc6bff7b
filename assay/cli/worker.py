"""`assay worker`: join a load test as one of its worker processes."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from assay.errors import InputError


def worker(
    join: Annotated[
        str,
        typer.Option(metavar="HOST:PORT", help="Where `assay load --master` listens."),
    ],
    locustfile: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]",
            help="The locustfile, or several (a.py,b.py); the master sends its own if "
            "none is given.",
        ),
    ] = None,
    wait: Annotated[
        str, typer.Option(help="How long to wait for the master: 15s, 10m.")
    ] = "15s",
) -> None:
    """Join a load test that runs on several machines, and generate part of its load.

    The master assigns the load and collects the samples. If it listens for other
    machines, set its ASSAY_TOKEN here, too. If the locustfile imports
    modules of its own, copy them to this machine and name the locustfile here.
    """
    from assay.cli import load_request
    from assay.load import shapes
    from assay.load.control import process
    from assay.load.protocol import SEPARATOR

    host, colon, port = join.rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
        raise InputError(f"--join {join!r}: expected HOST:PORT, such as 10.0.0.5:5557")
    path = "-"
    if locustfile is not None:
        path = SEPARATOR.join(map(str, load_request.locustfiles(locustfile)))
    try:
        settings = {"wait": shapes.seconds(wait)}
    except ValueError as error:
        raise InputError(f"--wait: {error}") from error
    argv = process.argv(path, "-", f"worker:{host}:{port}", (), settings)
    # Replace this process, so that signals reach the worker and no parent remains.
    sys.stdout.flush()
    os.execve(argv[0], argv, process.environment())
