"""`assay run`: measure claims, judge them, report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.cli.output import HOLD, NOT_MEASURED, REFUTED, UNDECIDED, Json, command_line
from assay.cli.output import console as open_console
from assay.cli.output import create, finite, show, wrote

if TYPE_CHECKING:
    from rich.console import Console

    from assay.plan import Plan
    from assay.results import Results
    from assay.run_directory.run import RunDirectory

RUN_FORMATS = ("html", "markdown", "junit")  # beside results.json
Topics = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TOPIC...",
        help="Names under scenarios/, folders, or paths of a claims.toml; "
        "all that are here if none is given.",
    ),
]


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
        typer.Option(help="Seconds that one topic may take.", min=1, callback=finite),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            help="The change too small to matter.",
            min=0.001,
            max=0.9,
            callback=finite,
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
    directory = create_run(plan, output or here / "reports" / run_name(plan))
    errors = open_console(stderr=True)
    try:
        with progress_of(plan, errors) as progress:
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
    finish(directory, results, RUN_FORMATS, as_json)
    raise typer.Exit(exit_code(results))


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


def run_name(plan: Plan) -> str:
    """Return the name of a new run directory."""
    topics = (
        plan.topics[0].name if len(plan.topics) == 1 else f"{len(plan.topics)}-topics"
    )
    return f"{datetime.now():%Y-%m-%dT%H-%M-%S}-{topics}"


def create_run(plan: Plan, path: Path) -> RunDirectory:
    """Make a run directory.

    Raises:
        InputError: It cannot be made, or has somebody's files in it.
    """
    from assay.run_directory.run import RunDirectory
    from assay.system import environment

    return create(
        RunDirectory, path, environment.redacted(plan), environment.describe(plan)
    )


def progress_of(plan: Plan, console: Console) -> Any:
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
    finish(directory, results, RUN_FORMATS, as_json)


def finish(
    directory: RunDirectory, results: Results, formats: Sequence[str], as_json: bool
) -> None:
    """Write the reports, and print the results."""
    from assay import report as reports
    from assay.report import terminal

    wrote(reports.write(directory, formats))
    show(
        directory,
        results,
        as_json,
        lambda: terminal.render(
            results, open_console(), directory.plan().settings.margin
        ),
    )
