"""`assay load`: one load test on its own."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from assay import cli_load_options as options
from assay import cli_load_plan as planning
from assay import cli_shared, cli_trials
from assay.cli_shared import (
    HOLD,
    NOT_MEASURED,
    REFUTED,
    UNDECIDED,
    Json,
    console,
    printing,
)
from assay.errors import AssayError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from assay.load_plan import LoadPlan
    from assay.load_results import (CapacityResults, LoadResults, SweepResults)
    from assay.run_directory.load_run import LoadRun

    Results = LoadResults | CapacityResults | SweepResults
    Wanted = cli_trials.Capacity | cli_trials.Sweep


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

    from assay.inputs import locust_conf

    said = locust_conf.read(Path.cwd(), Path.home())
    trials = find_capacity or sweep is not None
    if not (rate or users or trials):
        users = planning.number(said, "users", int)
        spawn_rate = spawn_rate or planning.number(said, "spawn-rate", float)
    duration = duration or (None if trials else said.get("run-time"))

    wanted = cli_trials.wanted(find_capacity, slo, most, sweep)
    if wanted:
        wanted.check(
            expect_workers or workers,
            {
                "--rate": rate,
                "--users": users,
                "--require": require,
                "--iterations": iterations,
                "--think-time": think_time,
            },
        )
    address = planning.address(master, bind, expect_workers, workers)
    chosen = secrets.randbelow(2**32) if seed is None else seed
    plan = planning.planned(
        locustfile,
        host or said.get("host", ""),
        rate=rate,
        users=users or (wanted.users if wanted else None),
        spawn_rate=spawn_rate,
        duration=duration or (wanted.trial if wanted else None),
        iterations=iterations,
        arrivals=arrivals,
        think_time=think_time,
        require=require or [],
        drain=drain,
        seed=chosen,
        workers=expect_workers or workers,
        bind=address,
        locust=arguments or [],
        trials=wanted.kind if wanted else "",
        ignored=said.ignored,
    )
    path = output or _path()
    made = cli_shared.missing(path)
    run = _create(plan, path)
    stopped: BaseException | None = None
    try:
        _measure(plan, run, wanted)
    except (AssayError, KeyboardInterrupt) as error:
        if isinstance(error, InputError) and not run.began():
            cli_shared.discard(path, made)
            raise
        stopped = error
    # From here on nothing is measured; a second Ctrl-C may end the writing.
    results = _results(run, summed=stopped is None)
    try:
        _finish(run, results, ("html", "markdown", "junit"), as_json)
    except (OSError, ValueError) as error:
        # What ended the test is the better reason, if something did.
        stopped = stopped or _unwritten(run, error)
    if isinstance(stopped, AssayError):
        raise stopped
    raise typer.Exit(exit_code(results))


def _measure(plan: LoadPlan, run: LoadRun, wanted: Wanted | None) -> None:
    """Do what was asked for, in one test or in many."""
    from assay.load_test import run as running
    from assay.run_directory.load_run import redacted

    errors = console(stderr=True)
    measure = wanted.measure if wanted else running.measure
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
    from assay.run_directory.directory import NotARunError
    from assay.load_results import LoadResults
    from assay.run_directory.load_run import LoadRun
    from assay.report import load as reports

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
    from assay.load_test import failures
    from assay.load_results import LoadResults

    own = results.locust_exit_code or 0
    if own:  # a shell sees its last eight bits, and 256 must be no success
        own = own % 256 or 1
    if not isinstance(results, LoadResults):
        return cli_trials.exit_code(results) or own
    words = {item.verdict for item in results.requirements}
    if results.partial:
        return NOT_MEASURED
    if "refuted" in words:
        return REFUTED
    if own:
        return own
    if failures.nothing_succeeded(results):
        return REFUTED
    return UNDECIDED if "undecided" in words else HOLD


def _path() -> Path:
    return Path.cwd() / "reports" / f"{datetime.now():%Y-%m-%dT%H-%M-%S}-load"


def _create(plan: LoadPlan, path: Path) -> LoadRun:
    from assay.system import environment
    from assay.run_directory.load_run import LoadRun
    from assay.plan import Plan

    file = plan.locustfile
    about = environment.describe(Plan(topics=()), {file.name: file.parent})
    return cli_shared.create(LoadRun, path, plan, about)


def _results(run: LoadRun, summed: bool = False) -> Results:
    """Return what came of a test, also of one that died.

    Args:
        run: Its directory.
        summed: Whether it is summed up already.

    Raises:
        NotARunError: The directory is damaged, or of an older version of Assay.
    """
    from assay.errors import MeasureError
    from assay.load_test import summary

    trials = run.trials()
    if trials is not None:
        return trials
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
    from assay.load_test.progress import Lines, Screen

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
    from assay.run_directory.directory import NotARunError
    from assay.report import load as reports

    unwritten: OSError | NotARunError | None = None
    try:
        cli_shared.wrote(reports.write(run, formats))
    except (OSError, NotARunError) as error:
        unwritten = error
    cli_shared.show(
        run, results, as_json, lambda: reports.show(run, results, console())
    )
    if unwritten:
        raise unwritten


def _unwritten(run: LoadRun, error: Exception) -> AssayError:
    """Return what ends a test whose reports cannot be written."""
    from assay.errors import MeasureError

    return MeasureError(
        f"{run.path}: the reports cannot be written: {error}; make room there, then: "
        f"assay report {run.path}"
    )
