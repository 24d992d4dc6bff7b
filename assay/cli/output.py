"""What the commands share; nothing in it is slow to import."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.errors import InputError
from assay.system import redaction

if TYPE_CHECKING:
    from rich.console import Console

    from assay.plan import Data
    from assay.run_directory.directory import Directory

HOLD, REFUTED, BAD_INPUT, UNDECIDED, NOT_MEASURED = range(5)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def command_line(seed: object = None) -> str:
    """Return the command that repeats this run, with its seed."""
    words = ["assay", *sys.argv[1:]]
    # What follows `--` is somebody else's, and may have a seed of its own.
    end = words.index("--") if "--" in words else len(words)
    own = words[:end]
    if seed is not None and not any(
        word == "--seed" or word.startswith("--seed=") for word in own
    ):
        own += ["--seed", str(seed)]
    return shlex.join(redaction.arguments([*own, *words[end:]]))


def console(stderr: bool = False) -> Console:
    """Return a console of rich."""
    from rich.console import Console

    return Console(stderr=stderr)


def printing(to: Console) -> Callable[[str], None]:
    """Return what prints a sentence beside what is measured."""
    from assay.wording import one_line

    return lambda words: to.print(
        one_line(words), highlight=False, markup=False, soft_wrap=True
    )


def create[Kind: Directory](  # noqa: D103 (flake8-docstrings cannot see it)
    kind: type[Kind], path: Path, plan: Data, environment: Mapping[str, object]
) -> Kind:
    """Make a run directory.

    Raises:
        InputError: It cannot be made, or has somebody's files in it.
    """
    from assay.run_directory.directory import NotARunError

    try:
        return kind.create(path, plan, environment)
    except (NotARunError, OSError) as error:
        raise InputError(str(error)) from error


def missing(path: Path) -> Path | None:
    """Return the outermost folder of a path that is not there; None if all are."""
    folders = [folder for folder in (path, *path.parents) if not folder.exists()]
    return folders[-1] if folders else None


def discard(path: Path, made: Path | None) -> None:
    """Remove a run directory of which nothing came.

    Args:
        path: The directory.
        made: The outermost folder that was made for it; None if it was there.
    """
    shutil.rmtree(made or path, ignore_errors=True)
    if made is None:
        path.mkdir(exist_ok=True)


def wrote(paths: Iterable[Path]) -> None:
    """Say which reports were written, as they are."""
    say = printing(console(stderr=True))
    for path in paths:
        say(f"wrote {path}")


def show(
    directory: Directory, results: Data, as_json: bool, render: Callable[[], None]
) -> None:
    """Print the results; the last line of a table is the run directory.

    Whether anybody reads them to their end does not change the exit code.
    """
    from assay.run_directory.directory import to_json

    with _unread():
        if as_json:
            typer.echo(to_json(results))
            return
        render()
        typer.echo(directory.path)


@contextlib.contextmanager
def _unread() -> Iterator[None]:
    """Print on into nothing where the reader is gone, as `| head` is."""
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:
        # rich has an end of its own for it.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, OSError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def finite(number: float | None) -> float | None:
    """Refuse inf and nan, which no least and no greatest number keeps out."""
    if number is not None and not math.isfinite(number):
        raise typer.BadParameter(f"expected a number, got {number}")
    return number


def table(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as a table, or as JSON."""
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    from assay.report import terminal_tables

    terminal_tables.render(rows, console())


def printable(text: str) -> str:
    """Return text without control characters: it can hold a target's output."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)
