"""The `assay` command: its subcommands, and what it does with errors."""

from __future__ import annotations

import signal
import sys
import traceback

import typer

from assay.cli import (
    doctor,
    explain,
    load,
    profile,
    report,
    run,
    schema,
    services,
    worker,
)
from assay.cli.output import NOT_MEASURED, printable
from assay.errors import AssayError

INTERRUPTED = 130  # typer's exit code after a KeyboardInterrupt

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rendering with rich would double the time of --help
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Put performance claims to the test: is it faster, by how much, and why?",
)
app.command(
    epilog="Example: assay run caching --budget 120   "
    "Exit code: 0 all claims hold, 1 a claim is refuted, 2 bad input, 3 a claim is "
    "undecided, 4 the measurement failed."
)(run.run)
app.command(
    epilog="Example: assay load locustfile.py --host http://127.0.0.1:8000 "
    "--rate 'ramp 100..500' --duration 2m --require 'latency.p99 <= 50ms'   "
    "Exit code: 0 all requirements hold, 1 a requirement is refuted, 2 bad input, "
    "3 a requirement is undecided, 4 the measurement failed."
)(load.load)
app.command(epilog="Example: assay worker --join 10.0.0.5:5557")(worker.worker)
app.command(epilog="Example: assay report reports/2026-11-23T10-15-02")(report.report)
app.command(epilog="Example: assay explain reports/2026-11-23T10-15-02 caching")(
    explain.explain
)
app.command(epilog="Example: assay profile n_plus_one lazy --rate 50")(profile.profile)
app.command(epilog="Example: assay services --json")(services.services)
app.command(epilog="Example: assay schema > claims.schema.json")(schema.schema)
app.command(epilog="Example: assay doctor --seconds 10")(doctor.doctor)


def main() -> None:
    """Run the command line."""
    # Closing the terminal must stop a run as cleanly as Ctrl-C does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, _interrupt)
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
    except Exception:  # a bug in Assay
        # Python would exit with 1, which means "refuted".
        typer.echo(printable(traceback.format_exc()), err=True, nl=False)
        sys.exit(NOT_MEASURED)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
