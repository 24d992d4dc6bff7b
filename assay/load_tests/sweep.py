"""Throughput at several numbers of users, on the service itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from assay.load_plan import LoadPlan
from assay.load_results import LoadResults, SweepPoint, SweepResults
from assay.load_tests import samples, scalability
from assay.load_tests.bounds import BUSY
from assay.load_tests.generators import generating
from assay.load_tests.run import Watcher, check_limit, load
from assay.run_directory.load_run import REQUESTS, LoadRun, redacted

WARMING = 0.2  # of a trial's time
ROUNDS = 2  # each number of users is tried as often: drift shows as disagreement


def measure(
    plan: LoadPlan,
    users: Sequence[int],
    run: LoadRun,
    watcher: Watcher,
    say: Callable[[str], None],
) -> SweepResults:
    """Measure the throughput of closed loops, and fit the scalability law.

    Whatever ends it, the trials that came to their end are kept.

    Args:
        plan: Whose locustfile, host, think time and duration of a trial.
        users: Numbers of users.
        run: Takes a directory for every trial, and the results.
        watcher: Takes news of the trial that runs.
        say: Takes what is tried.

    Raises:
        InputError: The locustfile cannot be imported.
        MeasureError: The generator ended, or no user could begin; a limit of its own
            machine was hit; or a file cannot be written.
    """
    chance = random.Random(plan.seed)
    # In an order of its own each time, so that what drifts is no slope.
    order = [
        (turn, number)
        for turn in range(1, ROUNDS + 1)
        for number in chance.sample(sorted(users), len(users))
    ]
    points: list[SweepPoint] = []
    _keep(plan, run, points, (), over=False)
    most = plan.model_copy(update={"users": max(users)})
    with generating(most, run.path, say) as generator:
        for turn, number in order:
            say(f"round {turn} of {ROUNDS}: {number} users")
            index = len(points) + 1
            changes = {"users": number, "seed": plan.seed + index, "trials": ""}
            own = plan.model_copy(update=changes)
            trial = LoadRun.create(run.path / "trials" / f"{index:03d}", own, {})
            results = load(generator, own, trial, watcher)
            check_limit(results)
            if results.partial:
                break
            points.append(_point(number, results, trial))
            _keep(plan, run, points, generator.warnings, over=False)
        code = generator.finish()
    over = len(points) == len(order)
    return _keep(plan, run, points, generator.warnings, over, code)


def _keep(
    plan: LoadPlan,
    run: LoadRun,
    points: Sequence[SweepPoint],
    warnings: Sequence[str],
    over: bool,
    exit_code: int | None = None,
) -> SweepResults:
    """Write what was found, also of a sweep that is not over."""
    tried = sorted({point.users for point in points})
    law = scalability.fit(tried, [_mean(points, number) for number in tried])
    found = SweepResults(
        run=run.name,
        partial=not over,
        seed=plan.seed,
        host=redacted(plan).host,
        points=tuple(sorted(points, key=lambda point: point.users)),
        law=law,
        locust_exit_code=exit_code,
        warnings=tuple([*warnings, *_warnings(points)]),
    )
    run.write_trials(found)
    return found


def _mean(points: Sequence[SweepPoint], users: int) -> float:
    """Return the throughput of a number of users over its trials."""
    rates = [point.rate for point in points if point.users == users]
    return sum(rates) / len(rates)


def _point(users: int, results: LoadResults, trial: LoadRun) -> SweepPoint:
    every = results.together
    requests = every.requests if every else 0
    failed = every.failed if every else 0
    return SweepPoint(
        users=users,
        rate=_throughput(trial, results.loaded),
        requests=requests,
        failed=failed,
        p50=every.latency.p50 if every else None,
        p99=every.latency.p99 if every else None,
        generator=results.generator_cpu,
        bound=results.bound,
    )


def _throughput(trial: LoadRun, loaded: float) -> float:
    """Return the good answers a second while all users were under way.

    What ended after the load, or before it had settled, would make many users look
    faster than few.
    """
    begin = WARMING * loaded
    answers = 0
    found = samples.groups(trial)
    for batch in samples.batches(trial, REQUESTS, found):
        good = (batch.failed == 0) & found.load[batch.group]
        answers += int((good & (batch.end > begin) & (batch.end <= loaded)).sum())
    return answers / (loaded - begin) if loaded else 0.0


def _warnings(points: Sequence[SweepPoint]) -> list[str]:
    busy = sorted({point.users for point in points if point.generator > BUSY})
    if not busy:
        return []
    return [
        f"From {busy[0]} users on the load generator used more than {BUSY:.0%} of a "
        "core: the limit may be the generator's. Use LeanHttpUser, or --workers."
    ]
