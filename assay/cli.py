"""The commands; thin. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import json
import math
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay import cli_load, cli_shared, cli_worker
from assay.cli_shared import (
    HOLD,
    NOT_MEASURED,
    REFUTED,
    UNDECIDED,
    Json,
    command_line,
)
from assay.cli_shared import console as open_console
from assay.errors import AssayError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from assay.plan import Plan
    from assay.results import Results
    from assay.run_directory.run import RunDirectory

INTERRUPTED = 130  # what typer makes of a KeyboardInterrupt
RUN_FORMATS = ("html", "markdown", "junit")  # beside results.json

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rendering by rich would double the time of --help
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Put performance claims to the test: is it faster, by how much, and why?",
)


def _finite(number: float | None) -> float | None:
    """Refuse inf and nan, which no least and no greatest number keeps out."""
    if number is not None and not math.isfinite(number):
        raise typer.BadParameter(f"expected a number, got {number}")
    return number


def _looks(text: str) -> tuple[int, ...]:
    """Return the numbers of launches after which verdicts are looked at."""
    from assay.inputs.schema import MOST_LAUNCHES

    if all(re.fullmatch(r"\s*[0-9]{1,3}\s*", number) for number in text.split(",")):
        looks = tuple(map(int, text.split(",")))
        ascending = looks == tuple(sorted(set(looks)))
        if ascending and 1 <= looks[0] <= looks[-1] <= MOST_LAUNCHES:
            return looks
    raise typer.BadParameter(
        f"expected ascending numbers from 1 to {MOST_LAUNCHES}, for example 12 or "
        f"12,18; got {text!r}",
        param_hint="--launches",
    )


Topics = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TOPIC...",
        help="Names under scenarios/, folders, or paths of a claims.toml; "
        "all that are here if none is given.",
    ),
]


@app.command(
    epilog="Example: assay run caching --budget 120   "
    "Exit code: 0 all claims hold, 1 one is refuted, 2 bad input, 3 one is "
    "undecided, 4 could not measure."
)
def run(
    topics: Topics = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The run directory; under reports/ if not given."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Repeats every random choice of a run.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(help="Seconds that one topic may take.", min=1, callback=_finite),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            help="The change too small to matter.",
            min=0.001,
            max=0.9,
            callback=_finite,
        ),
    ] = None,
    launches: Annotated[
        str | None,
        typer.Option(
            metavar="N[,N...]",
            help="Judge after so many launches; what is undecided then goes on to "
            "the next number, if there is one.",
        ),
    ] = None,
    profiles: Annotated[
        bool | None,
        typer.Option("--profiles/--no-profiles", help="Take profiles, or do not."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the claims of some topics and write a report."""
    import secrets

    from assay.experiment import earlier_runs
    from assay.experiment.run import measure
    from assay.inputs import loader

    given = {
        "seed": secrets.randbelow(2**32) if seed is None else seed,
        "time_budget": budget,
        "margin": margin,
        "looks": None if launches is None else _looks(launches),
        "profile": profiles,
    }
    settings = {name: value for name, value in given.items() if value is not None}
    here = Path.cwd()
    plan = loader.load(topics or [], settings, command_line(settings["seed"]), here)
    directory = _create(plan, output or here / "reports" / _run_name(plan))
    errors = open_console(stderr=True)
    try:
        with _progress(plan, errors) as progress:
            for said in earlier_runs.expected(plan, directory.path.parent):
                progress.note(said)
            results = measure(plan, directory, progress)
    except KeyboardInterrupt as stopped:
        # From here on nothing is measured; a second Ctrl-C may end the writing.
        _report_partial(directory, as_json)
        errors.print("Stopped by Ctrl-C; the report is partial.", style="yellow")
        raise typer.Exit(NOT_MEASURED) from stopped
    except Exception:  # ours too: what was measured until then is on disk
        _report_partial(directory, as_json)
        raise
    _finish(directory, results, RUN_FORMATS, as_json)
    raise typer.Exit(exit_code(results))


app.command(
    epilog="Example: assay load locustfile.py --host http://127.0.0.1:8000 "
    "--rate 'ramp 100..500' --duration 2m --require 'latency.p99 <= 50ms'   "
    "Exit code: 0 all requirements hold, 1 one is refuted, 2 bad input, 3 one is "
    "undecided, 4 could not measure."
)(cli_load.load)
app.command(epilog="Example: assay worker --join 10.0.0.5:5557")(cli_worker.worker)


@app.command(epilog="Example: assay report reports/2026-11-23T10-15-02")
def report(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    formats: Annotated[
        str, typer.Option("--format", help="Some of html, markdown, junit, csv, json.")
    ] = "html,markdown,junit,json",
    as_json: Json = False,
) -> None:
    """Rebuild the reports of a run, also of one that died."""
    from assay.experiment.run import judge
    from assay.run_directory.directory import NotARunError
    from assay.report import FORMATS
    from assay.run_directory.run import RunDirectory

    if _is_load_test(directory):
        cli_load.report(directory, formats, as_json)
        return
    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown:
        raise InputError(
            f"--format: no format {unknown[0]!r}; expected some of {', '.join(FORMATS)}"
        )
    try:
        found = RunDirectory.open(directory)
        results = judge(found)
        found.write_results(results)
        _finish(found, results, wanted, as_json)
    except BrokenPipeError:
        raise  # nobody reads what is printed: that is no fault of the run's
    except (NotARunError, OSError) as error:
        raise InputError(str(error)) from error


@app.command(epilog="Example: assay profile n_plus_one lazy --rate 50")
def profile(
    topic: Annotated[str, typer.Argument(help="A topic, as for assay run.")],
    variant: Annotated[str, typer.Argument(help="One of its variants.")],
    presets: Annotated[
        str, typer.Option("--profiles", help="Presets of profiles/, with commas.")
    ] = "cpu,memory",
    rate: Annotated[
        float | None,
        typer.Option(
            help="Arrivals per second; from the topic if not given.",
            min=0.1,
            callback=_finite,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The run directory; under reports/ if not given."),
    ] = None,
) -> None:
    """Profile one variant under load, and print where its time goes."""
    from assay.experiment import run
    from assay.inputs import loader
    from assay.report import terminal_tables

    here = Path.cwd()
    plan = loader.load([topic], {}, command_line(), here)
    plan = loader.profile_plan(plan, variant, presets.split(","), here)
    name = f"{_run_name(plan)}-{variant}-profile"
    directory = _create(plan, output or here / "reports" / name)
    errors = open_console(stderr=True)
    with _progress(plan, errors) as progress:
        run.profile(plan, directory, progress, variant, rate)
    console = open_console()
    for taken in directory.profiles():
        terminal_tables.render_profile(taken, console)
    typer.echo(directory.path)


@app.command(epilog="Example: assay services --json")
def services(as_json: Json = False) -> None:
    """List the databases and caches that a scenario can have here."""
    from assay import services as found

    _table([finding.model_dump() for finding in found.inventory()], as_json)


@app.command(epilog="Example: assay doctor --seconds 10")
def doctor(
    seconds: Annotated[
        float,
        typer.Option(
            help="How long to watch the machine's noise.", min=1, callback=_finite
        ),
    ] = 5.0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out the trial, of about 20 s.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say whether this machine is fit to measure on, and how small a change it finds.

    A trial measures a small server against itself; from how much the launches
    differ follows the least change that a run of a minute would find.
    """
    from dataclasses import asdict

    from assay.doctor import examination
    from assay.report import terminal_tables

    with terminal_tables.status(open_console(stderr=True)) as say:
        found = examination.examine(seconds, quick, say)
    _table([asdict(finding) for finding in found], as_json)
    if any(finding.state == "bad" for finding in found):
        raise typer.Exit(NOT_MEASURED)


def exit_code(results: Results) -> int:
    """Return what the results mean to a shell."""
    claims = [claim.verdict for claim in results.claims]
    claims += [budget.verdict for budget in results.budgets]
    pairs = [pair.verdict for pair in results.pairs]  # of topics without claims
    if results.partial:
        return NOT_MEASURED
    if "refuted" in claims or "slower" in pairs:
        return REFUTED
    if "undecided" in claims or "undecided" in pairs:
        return UNDECIDED
    return HOLD


def main() -> None:
    """Run the command line."""
    # A terminal that goes away must stop a run as cleanly as Ctrl-C does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupt)
    try:
        app()
    except AssayError as error:
        typer.echo(f"assay: {_printable(str(error))}", err=True)
        sys.exit(error.exit_code)
    except SystemExit as ended:
        if isinstance(ended.__context__, OSError):  # nobody reads: typer's code is 1
            sys.exit(NOT_MEASURED)
        if ended.code != INTERRUPTED:
            raise
        typer.echo("assay: stopped", err=True)
        sys.exit(NOT_MEASURED)
    except KeyboardInterrupt:
        typer.echo("assay: stopped", err=True)
        sys.exit(NOT_MEASURED)
    except Exception:  # a fault of Assay's own: Python's exit code says «refuted»
        typer.echo(_printable(traceback.format_exc()), err=True, nl=False)
        sys.exit(NOT_MEASURED)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _run_name(plan: Plan) -> str:
    topics = (
        plan.topics[0].name if len(plan.topics) == 1 else f"{len(plan.topics)}-topics"
    )
    return f"{datetime.now():%Y-%m-%dT%H-%M-%S}-{topics}"


def _create(plan: Plan, path: Path) -> RunDirectory:
    from assay.system import environment
    from assay.run_directory.run import RunDirectory

    return cli_shared.create(
        RunDirectory, path, environment.redacted(plan), environment.describe(plan)
    )


def _progress(plan: Plan, console: Console) -> Any:
    """Return a context manager that gives the progress for this terminal."""
    import contextlib

    from assay.experiment.progress import Lines, Screen

    if console.is_terminal:
        return Screen(plan, console)
    return contextlib.nullcontext(Lines(plan, console))


def _report_partial(directory: RunDirectory, as_json: bool) -> None:
    """Report what there is of a run that was stopped, however early."""
    from assay.experiment.run import judge

    results = judge(directory)
    directory.write_results(results)
    _finish(directory, results, RUN_FORMATS, as_json)


def _is_load_test(directory: Path) -> bool:
    try:
        return cli_load.is_load_test(directory)
    except OSError as error:  # such as a name that is too long
        raise InputError(str(error)) from error


def _finish(
    directory: RunDirectory, results: Results, formats: Sequence[str], as_json: bool
) -> None:
    """Write the reports, and print the results."""
    from assay import report as reports
    from assay.report import terminal

    cli_shared.wrote(reports.write(directory, formats))
    cli_shared.show(
        directory,
        results,
        as_json,
        lambda: terminal.render(
            results, open_console(), directory.plan().settings.margin
        ),
    )


def _table(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    from assay.report import terminal_tables

    terminal_tables.render(rows, open_console())


def _printable(text: str) -> str:
    """Return text without control characters: it can hold a target's output."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)


if __name__ == "__main__":
    main()
