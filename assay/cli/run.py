"""`assay run`: measure claims, judge them, and write reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.output import (
    HOLD,
    NOT_MEASURED,
    REFUTED,
    UNDECIDED,
    AllowHost,
    Json,
    command_line,
    create_directory,
    line_printer,
    open_console,
    print_results,
    print_written,
    require_finite,
)

if TYPE_CHECKING:
    from rich.console import Console

    from assay.experiment.progress import Progress
    from assay.plan import Plan
    from assay.results import Results
    from assay.run_directory.run import RunDirectory

RUN_FORMATS = ("html", "markdown", "junit")  # formats written beside results.json
Topics = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TOPIC...",
        help="Names of topics in perf/, scenarios/ or load_tests/, folders, or paths "
        "of claims.toml files; every topic found here if none is given.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(help="The run directory; a new one under reports/ if not given."),
]
Seed = Annotated[
    int | None,
    typer.Option(help="Seed of every random choice; a random one if not given."),
]
Budget = Annotated[
    float | None,
    typer.Option(
        help="Seconds that each topic may take.", min=1, callback=require_finite
    ),
]
Margin = Annotated[
    float | None,
    typer.Option(
        help="The largest change that is too small to matter, such as 0.05 for 5 %.",
        min=0.001,
        max=0.9,
        callback=require_finite,
    ),
]
Launches = Annotated[
    str | None,
    typer.Option(
        metavar="N[,N...]",
        help="Judge after N launches; if a claim is undecided, continue to the next "
        "number.",
    ),
]
Profiles = Annotated[
    bool | None,
    typer.Option(
        "--profiles/--no-profiles",
        help="Profile every pair, or no pair. By default, pairs that differ or have a "
        "claim are profiled. Profiles show the causes of a difference; each pair takes "
        "about 40 seconds.",
    ),
]


def run(
    topics: Topics = None,
    output: Output = None,
    seed: Seed = None,
    budget: Budget = None,
    margin: Margin = None,
    launches: Launches = None,
    profiles: Profiles = None,
    allow_host: AllowHost = None,
    as_json: Json = False,
) -> None:
    """Measure the claims of one or more topics and write a report."""
    import secrets

    from assay.inputs import loader

    options = {
        "seed": secrets.randbelow(2**32) if seed is None else seed,
        "time_budget": budget,
        "margin": margin,
        "looks": None if launches is None else _parse_looks(launches),
        "profile": profiles,
        "allow_hosts": tuple(allow_host) if allow_host else None,
    }
    settings = {name: value for name, value in options.items() if value is not None}
    here = Path.cwd()
    plan = loader.load(topics or [], settings, command_line(settings["seed"]), here)
    directory = create_run(plan, output or here / "reports" / run_name(plan))
    from assay.experiment.run import measure

    results = measure_and_report(plan, directory, as_json, measure)
    raise typer.Exit(exit_code(results))


def measure_and_report(
    plan: Plan,
    directory: RunDirectory,
    as_json: bool,
    measure: Callable[[Plan, RunDirectory, Progress], Results],
) -> Results:
    """Measure a plan, write the reports, and print the results.

    If measuring ends early, everything that was measured is reported.

    Args:
        plan: The plan.
        directory: The run directory.
        as_json: Whether the results are printed as JSON.
        measure: Measures the plan into the directory.

    Raises:
        typer.Exit: Ctrl-C stopped the run.
        AssayError: `measure` raised it, for example because something could not be
            measured.
    """
    from assay.experiment import earlier_runs
    from assay.system import interrupts

    errors = open_console(stderr=True)
    try:
        with open_progress(plan, errors) as progress:
            folder = directory.path.parent
            for forecast in earlier_runs.duration_forecasts(plan, folder):
                progress.note(forecast)
            results = measure(plan, directory, progress)
    except (KeyboardInterrupt, Exception) as error:
        # Even a bug in Assay leaves the data so far. The measuring is over; a second
        # Ctrl-C may stop the writing of the report.
        why, cause = interrupts.why_ended(error, "run"), interrupts.cause(error)
        stopped = interrupts.interrupted(error)
        interrupts.handled()
        _report_partial(directory, as_json, why)
        if not stopped:
            raise
        errors.print(f"Stopped by {cause}; the report is partial.", style="yellow")
        raise typer.Exit(NOT_MEASURED) from error
    _report_measured(directory, results, as_json)
    return results


def _report_measured(directory: RunDirectory, results: Results, as_json: bool) -> None:
    """Write the reports of a run that was measured, and print its results.

    Raises:
        MeasureError: A report cannot be written.
    """
    from assay.errors import MeasureError

    try:
        report_results(directory, results, RUN_FORMATS, as_json)
    except BrokenPipeError:
        raise  # the reader of the output is gone; nothing is wrong with the run
    except OSError as error:
        raise MeasureError(
            f"{directory.path}: the reports cannot be written: {error}; free some "
            f"space, then run: assay report {directory.path}"
        ) from error


def _parse_looks(text: str) -> tuple[int, ...]:
    """Return the numbers of launches after which the verdicts are judged.

    Raises:
        typer.BadParameter: The text is not a list of ascending numbers from 1 to
            `MOST_LAUNCHES`.
    """
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


def exit_code(results: Results) -> int:
    """Return the exit code for the results of a run."""
    claims = [claim.verdict for claim in results.claims]
    claims += [budget.verdict for budget in results.budgets]
    pairs = [pair.outcome for pair in results.pairs]  # from topics without claims
    if results.partial:
        return NOT_MEASURED
    if "refuted" in claims or "fails" in pairs:
        return REFUTED
    if "undecided" in claims or "undecided" in pairs:
        return UNDECIDED
    return HOLD


def run_name(plan: Plan) -> str:
    """Return the name of a new run directory: the time, and the topic."""
    topics = (
        plan.topics[0].name if len(plan.topics) == 1 else f"{len(plan.topics)}-topics"
    )
    return f"{datetime.now():%Y-%m-%dT%H-%M-%S}-{topics}"


def create_run(plan: Plan, path: Path) -> RunDirectory:
    """Create a run directory.

    Raises:
        InputError: The directory cannot be created, it exists and is not empty, or the
            plan loads another machine, which the user does not allow.
    """
    from assay.inputs.hosts import check_hosts
    from assay.run_directory.run import RunDirectory
    from assay.system import environment

    check_hosts(plan)
    return create_directory(RunDirectory, path, plan, environment.describe(plan))


def open_progress(plan: Plan, console: Console) -> Any:
    """Return a context manager that shows progress: a screen, or lines in a log.

    Entering it gives a `Progress`. There is a screen only if the console is a terminal.
    """
    import contextlib

    from assay.experiment.progress import Lines, Screen

    if console.is_terminal:
        return Screen(plan, console)
    return contextlib.nullcontext(Lines(plan, console))


def _report_partial(directory: RunDirectory, as_json: bool, why: str) -> None:
    """Judge and report what was measured before a run ended early, and why it did.

    If the disk is full, the results are shown without being written.
    """
    from assay.errors import MeasureError
    from assay.experiment.run import judge
    from assay.run_directory.directory import NotARunError

    print_line = line_printer(open_console(stderr=True))
    try:
        results = judge(directory, why)
        directory.write_results(results)
    except MeasureError as full:
        print_line(str(full))
    except NotARunError as damaged:  # the error that ended the run says more
        print_line(str(damaged))
        return
    try:
        report_results(directory, results, RUN_FORMATS, as_json)
    except (OSError, NotARunError) as failed:
        print_line(f"{directory.path}: the reports cannot be written: {failed}")


def report_results(
    directory: RunDirectory, results: Results, formats: Sequence[str], as_json: bool
) -> None:
    """Write the reports, and print the results even if a report cannot be written.

    Raises:
        OSError: A report cannot be written.
        NotARunError: results.json is missing, or the directory is damaged.
    """
    from assay import report as reports
    from assay.report import terminal
    from assay.run_directory.directory import NotARunError, without_secrets

    write_error: OSError | NotARunError | None = None
    try:
        print_written(reports.write(directory, formats))
    except (OSError, NotARunError) as error:
        write_error = error
    shown = without_secrets(results)
    settings = directory.plan().settings
    print_results(
        directory,
        shown,
        as_json,
        lambda: terminal.render(shown, open_console(), settings),
    )
    if write_error:
        raise write_error
