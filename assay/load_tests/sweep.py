"""Run a sweep: measure the throughput of a service at several numbers of users."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from assay.load_plan import LoadPlan
from assay.load_results import LoadResults, SweepPoint, SweepResults
from assay.load_tests import samples, scalability
from assay.load_tests.bounds import BUSY
from assay.load_tests.generators import open_generator
from assay.load_tests.run import Watcher, check_limit, load, reason_kept
from assay.run_directory.load_run import REQUESTS, LoadRun, redacted

WARM_UP = 0.2  # share of a trial that is not counted
ROUNDS = 2  # trials of each number of users: drift shows as disagreement


def measure(
    plan: LoadPlan,
    users: Sequence[int],
    run: LoadRun,
    watcher: Watcher,
    print_line: Callable[[str], None],
) -> SweepResults:
    """Measure the throughput of closed loops, and fit the scalability law.

    Completed trials are kept, however the sweep ends.

    Args:
        plan: The plan, for the locustfile, host, think time and duration of each trial.
        users: The numbers of users.
        run: Gets the results, and one directory per trial.
        watcher: Gets the status of the running trial every second.
        print_line: Prints each number of users that is tried.

    Raises:
        InputError: The locustfile cannot be imported.
        MeasureError: The generator ended, no user could start, the generator's machine
            reached one of its limits, or a file cannot be written.
    """
    rng = random.Random(plan.seed)
    # A random order in each round, so that drift does not look like scalability.
    order = [
        (round_number, user_count)
        for round_number in range(1, ROUNDS + 1)
        for user_count in rng.sample(sorted(users), len(users))
    ]
    points: list[SweepPoint] = []
    _write(plan, run, points, (), finished=False)
    largest = plan.model_copy(update={"users": max(users)})
    stopped: Sequence[str] = ()
    with (
        reason_kept(run),
        open_generator(largest, run.path, print_line) as generator,
    ):
        for round_number, user_count in order:
            print_line(f"round {round_number} of {ROUNDS}: {user_count} users")
            number = len(points) + 1
            changes = {"users": user_count, "seed": plan.seed + number, "trials": ""}
            trial_plan = plan.model_copy(update=changes)
            path = run.path / "trials" / f"{number:03d}"
            trial = LoadRun.create(path, trial_plan, {})
            results = load(generator, trial_plan, trial, watcher)
            check_limit(results)
            if results.partial:
                stopped = results.warnings
                break
            points.append(_point(user_count, results, trial))
            _write(plan, run, points, generator.warnings, finished=False)
        code = generator.finish()
    finished = len(points) == len(order)
    warnings = [*generator.warnings, *stopped]
    return _write(plan, run, points, warnings, finished, code)


def _write(
    plan: LoadPlan,
    run: LoadRun,
    points: Sequence[SweepPoint],
    warnings: Sequence[str],
    finished: bool,
    exit_code: int | None = None,
) -> SweepResults:
    """Write the results, also those of an unfinished sweep."""
    user_counts = sorted({point.users for point in points})
    throughputs = [_mean_rate(points, users) for users in user_counts]
    law = scalability.fit(user_counts, throughputs)
    shown = redacted(plan)
    results = SweepResults(
        run=run.name,
        partial=not finished,
        seed=plan.seed,
        host=shown.host,
        title=shown.title,
        tags=shown.tags,
        points=tuple(sorted(points, key=lambda point: point.users)),
        law=law,
        locust_exit_code=exit_code,
        warnings=tuple([*warnings, *_warnings(points)]),
    )
    run.write_trials(results)
    return results


def _mean_rate(points: Sequence[SweepPoint], users: int) -> float:
    """Return the mean throughput of a number of users over its trials."""
    rates = [point.rate for point in points if point.users == users]
    return sum(rates) / len(rates)


def _point(users: int, results: LoadResults, trial: LoadRun) -> SweepPoint:
    total = results.total
    requests = total.requests if total else 0
    failed = total.failed if total else 0
    return SweepPoint(
        users=users,
        rate=_throughput(trial, results.loaded),
        requests=requests,
        failed=failed,
        p50=total.latency.p50 if total else None,
        p99=total.latency.p99 if total else None,
        generator=results.generator_cpu,
        bound=results.bound,
    )


def _throughput(trial: LoadRun, loaded: float) -> float:
    """Return the successful requests per second after warm-up and until the load ends.

    Requests that ended outside this period would make many users look faster than few.
    """
    begin = WARM_UP * loaded
    answers = 0
    groups = samples.groups(trial)
    for batch in samples.batches(trial, REQUESTS, groups):
        succeeded = (batch.failed == 0) & groups.load[batch.group]
        in_time = (batch.end > begin) & (batch.end <= loaded)
        answers += int((succeeded & in_time).sum())
    return answers / (loaded - begin) if loaded else 0.0


def _warnings(points: Sequence[SweepPoint]) -> list[str]:
    busy = sorted({point.users for point in points if point.generator > BUSY})
    if not busy:
        return []
    return [
        f"From {busy[0]} users on, the load generator used more than {BUSY:.0%} of a "
        "core and may have been the limit. Use LeanHttpUser or --workers."
    ]
