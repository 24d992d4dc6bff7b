"""The commands; thin. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.errors import AssayError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from assay.plan import Plan
    from assay.results import Results, RunDirectory

HOLD, REFUTED, BAD_INPUT, UNDECIDED, NOT_MEASURED = range(5)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rendering by rich would double the time of --help
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Put performance claims to the test: is it faster, by how much, and why?",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
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
        float | None, typer.Option(help="Seconds that one topic may take.", min=1)
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="The change too small to matter.", min=0.001, max=0.9),
    ] = None,
    profiles: Annotated[
        bool | None,
        typer.Option("--profiles/--no-profiles", help="Take profiles, or do not."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the claims of some topics and write a report."""
    import secrets

    from assay import experiment, planfiles

    given = {
        "seed": secrets.randbelow(2**32) if seed is None else seed,
        "time_budget": budget,
        "margin": margin,
        "profile": profiles,
    }
    settings = {name: value for name, value in given.items() if value is not None}
    here = Path.cwd()
    plan = planfiles.load(topics or [], settings, _command(settings["seed"]), here)
    directory = _create(plan, output or here / "reports" / _run_name(plan))
    stopped: BaseException | None = None
    results: Results | None = None
    errors = _console(stderr=True)
    try:
        with _progress(plan, errors) as progress:
            results = experiment.measure(plan, directory, progress)
    except (AssayError, KeyboardInterrupt) as error:
        stopped = error
    # From here on nothing is measured; a second Ctrl-C may end the writing.
    results = results or directory.results()
    _report(directory, ("html", "markdown", "junit"), errors)
    _show(directory, results, as_json)
    if isinstance(stopped, AssayError):
        raise stopped
    if stopped is not None:
        errors.print("Stopped by Ctrl-C; the report is partial.", style="yellow")
        raise typer.Exit(NOT_MEASURED)
    raise typer.Exit(exit_code(results))


@app.command(epilog="Example: assay report reports/2026-11-23T10-15-02")
def report(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    formats: Annotated[
        str, typer.Option("--format", help="Some of html, markdown, junit, csv, json.")
    ] = "html,markdown,junit,json",
    as_json: Json = False,
) -> None:
    """Rebuild the reports of a run, also of one that died."""
    from assay import verdicts
    from assay.report import FORMATS
    from assay.results import NotARunError, RunDirectory

    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown:
        raise InputError(
            f"--format: no format {unknown[0]!r}; expected some of {', '.join(FORMATS)}"
        )
    try:
        found = RunDirectory.open(directory)
        results = verdicts.of_run(found)
    except (NotARunError, OSError) as error:
        raise InputError(str(error)) from error
    found.write_results(results)
    _report(found, wanted, _console(stderr=True))
    _show(found, results, as_json)


@app.command(epilog="Example: assay profile n_plus_one lazy --rate 50")
def profile(
    topic: Annotated[str, typer.Argument(help="A topic, as for assay run.")],
    variant: Annotated[str, typer.Argument(help="One of its variants.")],
    presets: Annotated[
        str, typer.Option("--profiles", help="Presets of profiles/, with commas.")
    ] = "cpu,memory",
    rate: Annotated[
        float | None,
        typer.Option(help="Arrivals per second; from the topic if not given.", min=0.1),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The run directory; under reports/ if not given."),
    ] = None,
) -> None:
    """Profile one variant under load, and print where its time goes."""
    from assay import experiment, planfiles
    from assay.report import findings

    here = Path.cwd()
    plan = planfiles.load([topic], {}, _command(None), here)
    plan = planfiles.profile_plan(plan, variant, presets.split(","), here)
    name = f"{_run_name(plan)}-{variant}-profile"
    directory = _create(plan, output or here / "reports" / name)
    errors = _console(stderr=True)
    with _progress(plan, errors) as progress:
        experiment.profile(plan, directory, progress, variant, rate)
    console = _console()
    for taken in directory.profiles():
        findings.render_profile(taken, console)
    typer.echo(directory.path)


@app.command(epilog="Example: assay services --json")
def services(as_json: Json = False) -> None:
    """List the databases and caches that a scenario can have here."""
    from assay import services as found

    _table([finding.model_dump() for finding in found.inventory()], as_json)


@app.command(epilog="Example: assay doctor --seconds 10")
def doctor(
    seconds: Annotated[
        float, typer.Option(help="How long to watch the machine's noise.", min=1)
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

    from assay import doctor as examination
    from assay.report import findings

    with findings.status(_console(stderr=True)) as say:
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
        signal.signal(number, _interrupt)
    try:
        app()
    except AssayError as error:
        typer.echo(f"assay: {_printable(str(error))}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("assay: stopped", err=True)
        sys.exit(NOT_MEASURED)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _command(seed: object) -> str:
    """Return the command that repeats this run, with its seed."""
    words = ["assay", *sys.argv[1:]]
    if seed is not None and not any(word.startswith("--seed") for word in words):
        words += ["--seed", str(seed)]
    return shlex.join(words)


def _run_name(plan: Plan) -> str:
    topics = (
        plan.topics[0].name if len(plan.topics) == 1 else f"{len(plan.topics)}-topics"
    )
    return f"{datetime.now():%Y-%m-%dT%H-%M-%S}-{topics}"


def _create(plan: Plan, path: Path) -> RunDirectory:
    """Make the run directory.

    Raises:
        InputError: It cannot be made, or has somebody's files in it.
    """
    from assay import environment
    from assay.results import NotARunError, RunDirectory

    try:
        return RunDirectory.create(
            path, environment.redacted(plan), environment.describe(plan)
        )
    except (NotARunError, OSError) as error:
        raise InputError(str(error)) from error


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr)


def _progress(plan: Plan, console: Console) -> Any:
    """Return a context manager that gives the progress for this terminal."""
    import contextlib

    from assay.progress import Lines, Screen

    if console.is_terminal:
        return Screen(plan, console)
    return contextlib.nullcontext(Lines(plan, console))


def _report(directory: RunDirectory, formats: Any, errors: Console) -> None:
    from assay import report as reports

    for path in reports.write(directory, formats):
        errors.print(f"wrote {path}", highlight=False, soft_wrap=True, markup=False)


def _show(directory: RunDirectory, results: Results, as_json: bool) -> None:
    """Print the results; the last line of a table is the run directory."""
    if as_json:
        typer.echo(results.to_json())
        return
    from assay.report import terminal

    terminal.render(results, _console(), directory.plan().settings.margin)
    typer.echo(directory.path)


def _table(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    from assay.report import findings

    findings.render(rows, _console())


def _printable(text: str) -> str:
    """Return text without control characters: it can hold a target's output."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)


if __name__ == "__main__":
    main()
