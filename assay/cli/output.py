"""Helpers that the commands share; this module imports nothing slow."""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import math
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from assay.plan import Data
    from assay.run_directory.directory import Directory

HOLD, REFUTED, BAD_INPUT, UNDECIDED, NOT_MEASURED = range(5)

# The errors of a report if a file of a run has other content than Assay writes, such as
# a table with other columns.
CONTENT_ERRORS = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST",
        help="Another machine that may be loaded, such as 'shop.test' or '*.test'; "
        "without it, only this machine is. Can be repeated.",
        envvar="ASSAY_ALLOW_HOSTS",
    ),
]


def command_line(seed: object = None) -> str:
    """Return the command line of this process, without secrets.

    Args:
        seed: Added as --seed if the command line has none; None to add nothing.
    """
    from assay.system import redaction

    words = ["assay", *sys.argv[1:]]
    # The words after `--` are for the locustfile, which may have its own --seed.
    end = words.index("--") if "--" in words else len(words)
    options = words[:end]
    if seed is not None and not any(
        word == "--seed" or word.startswith("--seed=") for word in options
    ):
        options += ["--seed", str(seed)]
    return shlex.join(redaction.arguments([*options, *words[end:]]))


def accept_any_text() -> None:
    """Print a question mark for each character that the output cannot show.

    Names of files whose bytes are not UTF-8 are printed with the same bytes.
    """
    codecs.register_error("assay", _in_its_place)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="assay")


def _in_its_place(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = ord(error.object[error.start])
    is_byte = 0xDC80 <= character <= 0xDCFF
    return bytes([character - 0xDC00]) if is_byte else "?", error.start + 1


def open_console(stderr: bool = False) -> Console:
    """Return a rich console on standard output or standard error."""
    from rich.console import Console

    return Console(stderr=stderr)


def line_printer(console: Console) -> Callable[[str], None]:
    """Return a function that prints a text to a console, cleaned and on one line."""
    from assay.system import redaction
    from assay.wording import one_line

    return lambda text: console.print(
        one_line(redaction.text(text)), highlight=False, markup=False, soft_wrap=True
    )


def create_directory[Kind: Directory](  # noqa: D103 (pydocstyle misreads generics)
    kind: type[Kind], path: Path, plan: Data, environment: Mapping[str, object]
) -> Kind:
    """Create a run directory; see `Directory.create`.

    Raises:
        InputError: The directory cannot be created, or it exists and is not empty.
    """
    from assay.run_directory.directory import NotARunError

    try:
        return kind.create(path, plan, environment)
    except (NotARunError, OSError) as error:
        raise InputError(str(error)) from error


def content_error(directory: Path, error: Exception) -> InputError:
    """Return the error for a run directory with a file that Assay cannot have written.

    A bug in Assay raises the same errors, so the message names the line.
    """
    package = Path(__file__).parents[1]
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f" at {Path(frame.filename).relative_to(package.parent)}:{frame.lineno}"
        for frame in frames
        if package in Path(frame.filename).parents
    ]
    return InputError(
        f"{directory}: cannot be reported: a file has other content than Assay writes, "
        f"or there is a bug in Assay ({type(error).__name__}: {error}"
        f"{''.join(places[-1:])})"
    )


def outermost_missing(path: Path) -> Path | None:
    """Return the outermost missing folder of a path; None if the path exists."""
    folders = [folder for folder in (path, *path.parents) if not folder.exists()]
    return folders[-1] if folders else None


def discard(path: Path, created: Path | None) -> None:
    """Remove a run directory in which nothing was measured.

    Args:
        path: The directory.
        created: The outermost folder that was created for it. None if the directory
            existed before; then it is only emptied.
    """
    shutil.rmtree(created or path, ignore_errors=True)
    if created is None:
        path.mkdir(exist_ok=True)


def print_written(paths: Iterable[Path]) -> None:
    """Print the paths of written reports on standard error."""
    print_line = line_printer(open_console(stderr=True))
    for path in paths:
        print_line(f"wrote {path}")


def print_results(
    directory: Directory, results: Data, as_json: bool, render: Callable[[], None]
) -> None:
    """Print the results as JSON, or as tables followed by the run directory's path.

    A reader that closes the pipe early does not change the exit code.
    """

    def render_and_name_directory() -> None:
        render()
        typer.echo(directory.path)

    print_table_or_json(results, as_json, render_and_name_directory)


def print_table_or_json(
    results: Data, as_json: bool, render: Callable[[], None]
) -> None:
    """Print the results as JSON, or as tables.

    A reader that closes the pipe early does not change the exit code.

    Args:
        results: The results.
        as_json: Whether they are printed as JSON.
        render: Prints the tables.
    """
    from assay.run_directory.directory import to_json

    with _broken_pipe_ignored():
        if as_json:
            typer.echo(to_json(results))
        else:
            render()


@contextlib.contextmanager
def _broken_pipe_ignored() -> Iterator[None]:
    """Discard the rest of the output if its reader has closed the pipe (`| head`)."""
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:
        # rich turns a broken pipe into SystemExit.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, OSError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def require_finite(number: float | None) -> float | None:
    """Return the number, unless it is inf or nan, which typer's `min` and `max` allow.

    Raises:
        typer.BadParameter: The number is infinite or NaN.
    """
    if number is not None and not math.isfinite(number):
        raise typer.BadParameter(f"expected a finite number, got {number}")
    return number


def print_table(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as a table, or as JSON."""
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    from assay.report import terminal_tables

    terminal_tables.render(rows, open_console())


def printable(text: str) -> str:
    """Return a text without secrets and unprintable characters, except newlines.

    An error message may quote the output of a target.
    """
    from assay.system import redaction

    shown = redaction.text(text)
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in shown)
