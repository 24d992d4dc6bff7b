"""The options that `assay compare` and `assay bisect` share."""

from __future__ import annotations

from typing import Annotated

import typer

from assay.errors import InputError

Topics = Annotated[
    list[str] | None,
    typer.Option(
        help="A topic of the newer commit: a folder with a claims.toml, which needs no "
        "variants. All topics if not given; can be repeated."
    ),
]
Benchmarks = Annotated[
    list[str] | None,
    typer.Option(
        help="A file, folder or test of the newer commit that uses pytest-benchmark. "
        "Each test is judged by itself. Can be repeated."
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(help="A metric that alone decides; can be repeated."),
]
VariantName = Annotated[
    str,
    typer.Option(
        help="The variant that both commits run, if a topic has variants; the first "
        "variant if not given."
    ),
]
PythonVersion = Annotated[
    str | None,
    typer.Option(
        help="Version or path of the Python of all commits, such as 3.12; the "
        "project's own choice if not given."
    ),
]
BuildCommand = Annotated[
    str | None,
    typer.Option(
        help="A command that installs everything, where lock files do not say what is "
        "needed; it runs in each checkout, in a new environment."
    ),
]


def seconds_of(text: str | None) -> float | None:
    """Return the seconds of --budget; None if it was not given.

    Raises:
        InputError: The text is not a duration of at least 10 seconds.
    """
    from assay.load import shapes

    if text is None:
        return None
    try:
        seconds = shapes.seconds(text)
    except ValueError as error:
        raise InputError(f"--budget: {error}") from error
    if seconds < 10:
        raise InputError(f"--budget: {text}: expected at least 10s, such as 5m")
    return seconds
