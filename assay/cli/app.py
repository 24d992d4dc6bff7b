"""The `assay` command: its subcommands, and the exit codes of errors."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from assay.cli.output import NOT_MEASURED, accept_any_text, printable
from assay.errors import AssayError
from assay.system import interrupts

# The error for wrong options or arguments; newer versions of typer do not export it.
USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # errors of a full disk
INTERRUPTED = 130  # typer's exit code after a KeyboardInterrupt

# The subcommands. Each is a function of the same name in a module of the same name. The
# module is imported only when the command is called, so `assay --help` is quick.
COMMANDS = {
    "init": "Write a first topic for your own service.",
    "run": "Measure the claims of topics, and write a report.",
    "compare": "Compare two commits: is HEAD slower, and why?",
    "bisect": "Find the commit that made something slower.",
    "load": "Load a server, and measure exact latencies.",
    "worker": "Join a load test that runs on several machines.",
    "report": "Rebuild the reports of a run.",
    "explain": "Say what the differences of a run come from.",
    "history": "Show the numbers of many runs, and their changes.",
    "profile": "Profile one variant, or a command.",
    "comment": "Say in a pull request what a comparison found.",
    "waive": "Allow something to be slower until a day.",
    "services": "List the databases and caches that are available.",
    "schema": "Print the JSON Schema of claims.toml.",
    "doctor": "Check whether this machine is fit to measure on.",
}
EPILOGS = {
    "init": "Example: assay init shop.main:app, or assay init --command "
    "'python serve.py --port {port}' --with-writes",
    "run": "Example: assay run caching --budget 120   "
    "Exit code: 0 all claims hold, 1 a claim is refuted, 2 bad input, 3 a claim is "
    "undecided, 4 the measurement failed.",
    "compare": "Example: assay compare main --topic perf, or assay compare "
    "--benchmarks tests/benchmarks --budget 5m, or assay compare before.json "
    "after.json   "
    "Exit code: 0 nothing is slower, 1 something is slower, 2 bad input, 3 undecided, "
    "4 the measurement failed.",
    "bisect": "Example: assay bisect v1.4 HEAD --benchmarks tests/benchmarks   "
    "Exit code: 0 nothing became slower, 1 the commit is found, 2 bad input, 3 it is "
    "not certain, 4 the measurement failed.",
    "load": "Example: assay load locustfile.py --host http://127.0.0.1:8000 "
    "--rate 'ramp 100..500' --duration 2m --require 'latency.p99 <= 50ms'   "
    "Exit code: 0 all requirements hold, 1 a requirement is refuted, 2 bad input, "
    "3 a requirement is undecided, 4 the measurement failed.",
    "worker": "Example: assay worker --join 10.0.0.5:5557",
    "report": "Example: assay report reports/2026-11-23T10-15-02, or assay report "
    "reports/2026-11-23T10-15-02-compare --format pytest-benchmark",
    "explain": "Example: assay explain reports/2026-11-23T10-15-02 caching",
    "history": "Example: assay history reports s3://bucket/runs --output history.html",
    "profile": "Example: assay profile n_plus_one lazy --rate 50, or assay profile "
    "--locustfile locustfile.py -- python -m uvicorn app:app --port {port}",
    "comment": "Example: assay comment reports/2026-11-23T10-15-02-compare "
    "--exit-code 1",
    "waive": "Example: assay waive 'tests/test_io.py::test_read' time --ceiling 1.3 "
    "--reason 'the check is worth it' --until 2027-01-31",
    "services": "Example: assay services --json",
    "schema": "Example: assay schema > claims.schema.json",
    "doctor": "Example: assay doctor --seconds 10",
}
SETTINGS: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,  # rendering with rich would double the time of --help
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class Commands(TyperGroup):
    """The subcommands, each of which is imported only when it is called."""

    def __init__(self, **attributes: Any) -> None:
        """Register the names, so that typer can suggest the nearest to a wrong one."""
        super().__init__(**attributes)
        self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment]

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order in which --help lists them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the subcommand of that name; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"assay.cli.{cmd_name}")
        single = typer.Typer(**SETTINGS)
        single.command(cmd_name, epilog=EPILOGS[cmd_name])(getattr(module, cmd_name))
        return typer.main.get_command(single)

    def invoke(self, ctx: Any) -> Any:
        """Run a subcommand; messages about wrong options contain no secrets."""
        from assay.system import redaction  # compiling its patterns would delay --help

        redaction.learn(os.environ, words=sys.argv)
        try:
            return super().invoke(ctx)
        except USAGE_ERROR as error:
            message = str(getattr(error, "message", error))
            setattr(error, "message", printable(message))
            raise

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the names and descriptions of the subcommands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(cls=Commands, no_args_is_help=True, **SETTINGS)


@app.callback()
def assay() -> None:
    """Put performance claims to the test: is it faster, by how much, and why?"""


def main() -> None:
    """Run the command line."""
    # Closing the terminal must stop a run as cleanly as Ctrl-C does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, interrupts.raise_interrupt)
    accept_any_text()
    try:
        app()
    except AssayError as error:
        typer.echo(f"assay: {printable(str(error))}", err=True)
        sys.exit(error.exit_code)
    except SystemExit as system_exit:
        if isinstance(system_exit.__context__, OSError):  # a broken pipe
            sys.exit(NOT_MEASURED)  # typer exits with 1, which means "refuted"
        if system_exit.code != INTERRUPTED:
            raise
        typer.echo("assay: stopped", err=True)
        sys.exit(NOT_MEASURED)
    except KeyboardInterrupt:
        typer.echo("assay: stopped", err=True)
        sys.exit(NOT_MEASURED)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            typer.echo(f"assay: {printable(str(error))}; free some space", err=True)
            sys.exit(NOT_MEASURED)
        if interrupts.interrupted(error):
            typer.echo("assay: stopped", err=True)
            sys.exit(NOT_MEASURED)
        # A bug in Assay.
        # Python would exit with 1, which means "refuted".
        typer.echo(printable(traceback.format_exc()), err=True, nl=False)
        sys.exit(NOT_MEASURED)


if __name__ == "__main__":
    main()
