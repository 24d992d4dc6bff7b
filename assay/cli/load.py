"""`assay load`: one load test on its own."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from assay.cli import load_options as options
from assay.cli import load_request, trials
from assay.cli.load_request import LoadRequest
from assay.cli.output import (
    HOLD,
    NOT_MEASURED,
    REFUTED,
    UNDECIDED,
    Json,
    console,
    create,
    discard,
    missing,
    printing,
    show,
    wrote,
)
from assay.cli.trials import Trials, asked_for
from assay.errors import AssayError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from assay.load_plan import LoadPlan
    from assay.load_results import CapacityResults, LoadResults, SweepResults
    from assay.run_directory.load_run import LoadRun

    Results = LoadResults | CapacityResults | SweepResults


def load(
    locustfile: options.Locustfile,
    host: options.Host = "",
    rate: options.Rate = None,
    users: options.Users = None,
    spawn_rate: options.SpawnRate = None,
    duration: options.Duration = None,
    iterations: options.Iterations = None,
    arrivals: options.Arrivals = "poisson",
    think_time: options.ThinkTime = False,
    require: options.Require = None,
    find_capacity: options.FindCapacity = False,
    slo: options.Slo = None,
    most: options.Most = 20_000,
    sweep: options.Sweep = None,
    workers: options.Workers = 1,
    master: options.Master = False,
    expect_workers: options.ExpectWorkers = None,
    bind: options.Bind = None,
    drain: options.Drain = "10s",
    seed: options.Seed = None,
    output: options.Output = None,
    as_json: Json = False,
    arguments: options.Arguments = None,
) -> None:
    """Load a server: exact latencies, with what it lets arrivals wait.

    With --rate arrivals come by a schedule, whatever the server does (an open loop);
    with --users alone each user waits for its answer (a closed loop). With neither, a
    LoadTestShape of the locustfile decides, or what locust.conf says.
    """
    import secrets

    request = LoadRequest(
        locustfile=locustfile,
        seed=secrets.randbelow(2**32) if seed is None else seed,
        host=host,
        rate=rate,
        users=users,
        spawn_rate=spawn_rate,
        duration=duration,
        iterations=iterations,
        arrivals=arrivals,
        think_time=think_time,
        require=tuple(require or ()),
        find_capacity=find_capacity,
        slo=slo,
        most=most,
        sweep=sweep,
        workers=workers,
        master=master,
        expect_workers=expect_workers,
        bind=bind,
        drain=drain,
        arguments=tuple(arguments or ()),
    )
    results = run(request, output or _path(), as_json)
    raise typer.Exit(exit_code(results))


def run(request: LoadRequest, path: Path, as_json: bool) -> Results:
    """Run a load test, report it, and print what came of it.

    Args:
        request: What was asked for.
        path: Of the run directory.
        as_json: Whether JSON is printed instead of a table.

    Raises:
        InputError: The request makes no sense.
        MeasureError: It could not be measured, or not reported.
    """
    from assay.inputs import locust_conf

    said = locust_conf.read(Path.cwd(), Path.home())
    request = load_request.completed(request, said)
    trials = asked_for(request)
    if trials:
        trials.check(request)
    plan = load_request.planned(request, trials, tuple(said.ignored))
    made = missing(path)
    directory = create_run(plan, path)
    stopped: BaseException | None = None
    try:
        _measure(plan, directory, trials)
    except (AssayError, KeyboardInterrupt) as error:
        if isinstance(error, InputError) and not directory.began():
            discard(path, made)
            raise
        stopped = error
    # From here on nothing is measured; a second Ctrl-C may end the writing.
    results = _results(directory, summed=stopped is None)
    try:
        _finish(directory, results, ("html", "markdown", "junit"), as_json)
    except (OSError, ValueError) as error:
        # What ended the test is the better reason, if something did.
        stopped = stopped or _unwritten(directory, error)
    if isinstance(stopped, AssayError):
        raise stopped
    return results


def _measure(plan: LoadPlan, run: LoadRun, asked: Trials | None) -> None:
    """Do what was asked for, in one test or in many."""
    from assay.load_tests import run as running
    from assay.run_directory.load_run import redacted

    errors = console(stderr=True)
    measure = asked.measure if asked else running.measure
    with _watcher(redacted(plan), errors) as watcher:
        measure(plan, run, watcher, printing(errors))


def is_load_test(directory: Path) -> bool:
    """Say whether a run directory is that of a load test."""
    from assay.run_directory.load_run import LoadRun

    return LoadRun.is_one(directory)


def report(directory: Path, formats: str, as_json: bool) -> None:
    """Rebuild the reports of a load test, also of one that died.

    Raises:
        InputError: The directory cannot be read, or there is no such format.
        typer.Exit: Some of the samples of a test that had come to its end are lost.
    """
    from assay.load_results import LoadResults
    from assay.report import load as reports
    from assay.run_directory.directory import NotARunError
    from assay.run_directory.load_run import LoadRun

    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    reports.check(wanted)
    run = LoadRun(directory)
    try:
        results = _results(run)
        _finish(run, results, wanted, as_json)
    except (NotARunError, OSError) as error:
        raise InputError(str(error)) from error
    if isinstance(results, LoadResults) and results.ended and results.missing:
        raise typer.Exit(NOT_MEASURED)


def exit_code(results: Results) -> int:
    """Return what the results mean to a shell.

    What could not be measured comes first, then what is known to be wrong: by a
    requirement, by the locustfile itself, or because nothing at all succeeded.
    """
    from assay.analysis import load_failures
    from assay.load_results import LoadResults

    own = results.locust_exit_code or 0
    if own:  # a shell sees its last eight bits, and 256 must be no success
        own = own % 256 or 1
    if not isinstance(results, LoadResults):
        return trials.exit_code(results) or own
    words = {item.verdict for item in results.requirements}
    if results.partial:
        return NOT_MEASURED
    if "refuted" in words:
        return REFUTED
    if own:
        return own
    if load_failures.nothing_succeeded(results):
        return REFUTED
    return UNDECIDED if "undecided" in words else HOLD


def _path() -> Path:
    return Path.cwd() / "reports" / f"{datetime.now():%Y-%m-%dT%H-%M-%S}-load"


def create_run(plan: LoadPlan, path: Path) -> LoadRun:
    """Make the directory of a load test.

    Raises:
        InputError: It cannot be made, or has somebody's files in it.
    """
    from assay.plan import Plan
    from assay.run_directory.load_run import LoadRun
    from assay.system import environment

    file = plan.locustfile
    about = environment.describe(Plan(topics=()), {file.name: file.parent})
    return create(LoadRun, path, plan, about)


def _results(run: LoadRun, summed: bool = False) -> Results:
    """Return what came of a test, also of one that died.

    Args:
        run: Its directory.
        summed: Whether it is summed up already.

    Raises:
        NotARunError: The directory is damaged, or of an older version of Assay.
    """
    from assay.errors import MeasureError
    from assay.load_tests import summary

    found = run.trials()
    if found is not None:
        return found
    if summed:
        return run.results()
    results = summary.summed(run)
    try:
        run.write_results(results)
    except MeasureError as error:
        # Of a full disk: what is on it can be summed up and shown all the same.
        printing(console(stderr=True))(str(error))
    return results


def _watcher(plan: LoadPlan, errors: Console) -> Any:
    from assay.load_tests.progress import Lines, Screen

    if errors.is_terminal:
        return Screen(plan, errors)
    return contextlib.nullcontext(Lines(plan, errors))


def _finish(
    run: LoadRun, results: Results, formats: Sequence[str], as_json: bool
) -> None:
    """Write the reports, and print the results, even where nothing can be written.

    Raises:
        OSError: A report cannot be written.
        NotARunError: The results could not be, or the directory is damaged.
    """
    from assay.report import load as reports
    from assay.run_directory.directory import NotARunError

    unwritten: OSError | NotARunError | None = None
    try:
        wrote(reports.write(run, formats))
    except (OSError, NotARunError) as error:
        unwritten = error
    show(run, results, as_json, lambda: reports.show(run, results, console()))
    if unwritten:
        raise unwritten


def _unwritten(run: LoadRun, error: Exception) -> AssayError:
    """Return what ends a test whose reports cannot be written."""
    from assay.errors import MeasureError

    return MeasureError(
        f"{run.path}: the reports cannot be written: {error}; make room there, then: "
        f"assay report {run.path}"
    )
