"""`assay load`: run a load test, a capacity search or a sweep, and report it."""

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
    CONTENT_ERRORS,
    HOLD,
    NOT_MEASURED,
    REFUTED,
    UNDECIDED,
    AllowHost,
    Json,
    content_error,
    create_directory,
    discard,
    line_printer,
    open_console,
    outermost_missing,
    print_results,
    print_written,
)
from assay.cli.trials import Trials, requested_trials
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
    allow_host: AllowHost = None,
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
    baseline: options.Baseline = None,
    title: options.Title = "",
    tag: options.Tag = None,
    seed: options.Seed = None,
    output: options.Output = None,
    as_json: Json = False,
    arguments: options.Arguments = None,
) -> None:
    """Load a server, and measure exact latencies, queueing included.

    With --rate, arrivals follow a schedule whatever the server does (an open loop).
    With --users alone, each user waits for its answer before it sends the next request
    (a closed loop). With neither, the locustfile's LoadTestShape or locust.conf
    determines the load.
    """
    import secrets

    request = LoadRequest(
        locustfile=locustfile,
        seed=secrets.randbelow(2**32) if seed is None else seed,
        host=host,
        allow_host=tuple(allow_host or ()),
        rate=rate,
        users=load_request.parse_users(users),
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
        baseline=baseline,
        title=title,
        tag=tuple(tag or ()),
        arguments=tuple(arguments or ()),
    )
    results = run(request, output or _default_path(), as_json)
    raise typer.Exit(exit_code(results))


def run(request: LoadRequest, path: Path, as_json: bool) -> Results:
    """Run a load test, write its reports, and print and return its results.

    If the test is stopped by Ctrl-C, the results are partial.

    Args:
        request: The options of the command.
        path: The run directory.
        as_json: Whether to print JSON instead of tables.

    Raises:
        InputError: An option is invalid, or options contradict each other.
        MeasureError: The test failed, its results cannot be read, or its reports cannot
            be written.
        KeyboardInterrupt: Ctrl-C stopped the test before there was anything to report.
    """
    from assay.errors import MeasureError
    from assay.inputs import locust_conf
    from assay.run_directory.directory import NotARunError

    configuration = locust_conf.read(Path.cwd(), Path.home())
    request = load_request.with_locust_conf(request, configuration)
    trials = requested_trials(request)
    if trials:
        trials.check(request)
    plan = load_request.make_plan(request, trials, tuple(configuration.ignored))
    former = read_former(request)
    created = outermost_missing(path)
    directory = create_run(plan, path, former)
    stopped_by: BaseException | None = None
    try:
        _measure(plan, directory, trials)
    except (AssayError, KeyboardInterrupt) as error:
        if isinstance(error, InputError) and not directory.began():
            discard(path, created)
            raise
        stopped_by = error
    # The measuring is over; a second Ctrl-C may stop the writing of the reports.
    try:
        results = _results(directory, finished=stopped_by is None)
    except NotARunError as error:
        # If the test itself failed, its error is reported instead.
        raise stopped_by or MeasureError(f"{error}; run the test again") from error
    try:
        _report_results(directory, results, ("html", "markdown", "junit"), as_json)
    except (OSError, ValueError) as error:
        # If the test itself failed, its error is reported instead.
        stopped_by = stopped_by or _report_error(directory, error)
    if isinstance(stopped_by, AssayError):
        raise stopped_by
    return results


def read_former(request: LoadRequest) -> LoadResults | None:
    """Return the results of the former test that --baseline names; None without it.

    Raises:
        InputError: The directory has no results of a single load test, or this request
            is not for a single load test.
    """
    if request.baseline is None:
        return None
    from assay.load_tests import former

    if request.many_trials:
        raise InputError(
            "--baseline shows single tests side by side; leave it out, or leave out "
            "--find-capacity and --sweep"
        )
    return former.read(request.baseline)


def _measure(plan: LoadPlan, run: LoadRun, trials: Trials | None) -> None:
    """Run a single load test, or the trials of a search or a sweep."""
    from assay.load_tests import run as single_test
    from assay.run_directory.load_run import redacted

    errors = open_console(stderr=True)
    measure = trials.measure if trials else single_test.measure
    with _open_watcher(redacted(plan), errors) as watcher:
        measure(plan, run, watcher, line_printer(errors))


def is_load_test(directory: Path) -> bool:
    """Say whether a run directory belongs to a load test."""
    from assay.run_directory.load_run import LoadRun

    return LoadRun.recognises(directory)


def report(directory: Path, formats: str, as_json: bool) -> None:
    """Rebuild the reports of a load test, even of one that did not finish.

    Raises:
        InputError: The directory cannot be read, or a format does not exist.
        typer.Exit: The test finished, but some of its samples are missing.
    """
    from assay.load_results import LoadResults
    from assay.report import load as reports
    from assay.run_directory.directory import NotARunError
    from assay.run_directory.load_run import LoadRun

    names = [name.strip() for name in formats.split(",") if name.strip()]
    reports.check(names)
    run = LoadRun(directory)
    try:
        results = _results(run)
        _report_results(run, results, names, as_json)
    except (NotARunError, OSError) as error:
        raise InputError(str(error)) from error
    except CONTENT_ERRORS as error:
        raise content_error(directory, error) from error
    if isinstance(results, LoadResults) and results.ended and results.missing:
        raise typer.Exit(NOT_MEASURED)


def exit_code(results: Results) -> int:
    """Return the exit code for the results of a test.

    An incomplete measurement comes first. Then come the failures: a refuted
    requirement, the locustfile's own exit code, and a test in which nothing succeeded.
    An undecided requirement comes last.
    """
    from assay.analysis import load_failures
    from assay.load_results import LoadResults

    locust_code = results.locust_exit_code or 0
    if locust_code:  # a shell sees only eight bits, and 256 must not become 0
        locust_code = locust_code % 256 or 1
    if not isinstance(results, LoadResults):
        return trials.exit_code(results) or locust_code
    verdicts = {item.verdict for item in results.requirements}
    if results.partial:
        return NOT_MEASURED
    if "refuted" in verdicts:
        return REFUTED
    if locust_code:
        return locust_code
    if load_failures.nothing_succeeded(results):
        return REFUTED
    return UNDECIDED if "undecided" in verdicts else HOLD


def _default_path() -> Path:
    return Path.cwd() / "reports" / f"{datetime.now():%Y-%m-%dT%H-%M-%S}-load"


def create_run(plan: LoadPlan, path: Path, former: LoadResults | None) -> LoadRun:
    """Create the directory of a load test.

    Args:
        plan: The plan of the test.
        path: The directory.
        former: The results of a former test, to be shown beside this one.

    Raises:
        InputError: The directory cannot be created, or it exists and is not empty.
        MeasureError: The former results cannot be written.
    """
    from assay.plan import Plan
    from assay.run_directory.load_run import LoadRun
    from assay.system import environment

    file = plan.locustfile
    machine = environment.describe(Plan(topics=()), {file.name: file.parent})
    run = create_directory(LoadRun, path, plan, machine)
    if former is not None:
        run.write_former(former)
    return run


def _results(run: LoadRun, finished: bool = False) -> Results:
    """Return the results of a test, even of one that did not finish.

    Args:
        run: Its directory.
        finished: Whether results.json is already complete.

    Raises:
        NotARunError: The directory is damaged, an older version of Assay wrote it, or a
            search or sweep ended before its first trial.
    """
    from assay.errors import MeasureError
    from assay.load_results import LoadResults
    from assay.load_tests import summary
    from assay.run_directory.directory import RESULTS

    trial_results = run.trials()
    if trial_results is not None:
        return trial_results
    if finished:
        return run.results()
    run.check_replaceable(RESULTS, LoadResults)
    results = summary.summarise(run)
    try:
        run.write_results(results)
    except MeasureError as error:
        # The disk is full: the samples on it can still be summarised and shown.
        line_printer(open_console(stderr=True))(str(error))
    return results


def _open_watcher(plan: LoadPlan, errors: Console) -> Any:
    """Return a context manager that shows progress: a screen, or lines in a log.

    Entering it gives a `Watcher`. There is a screen only if the console is a terminal.
    """
    from assay.load_tests.progress import Lines, Screen

    if errors.is_terminal:
        return Screen(plan, errors)
    return contextlib.nullcontext(Lines(plan, errors))


def _report_results(
    run: LoadRun, results: Results, formats: Sequence[str], as_json: bool
) -> None:
    """Write the reports, and print the results even if a report cannot be written.

    Raises:
        InputError: A format does not exist.
        OSError: A report cannot be written.
        NotARunError: results.json is missing, or the directory is damaged.
    """
    from assay.report import load as reports
    from assay.run_directory.directory import NotARunError

    write_error: OSError | NotARunError | None = None
    try:
        print_written(reports.write(run, formats))
    except (OSError, NotARunError) as error:
        write_error = error
    print_results(
        run, results, as_json, lambda: reports.show(run, results, open_console())
    )
    if write_error:
        raise write_error


def _report_error(run: LoadRun, error: Exception) -> AssayError:
    """Return the error that is raised if the reports cannot be written."""
    from assay.errors import MeasureError

    return MeasureError(
        f"{run.path}: the reports cannot be written: {error}; free some space, then "
        f"run: assay report {run.path}"
    )
