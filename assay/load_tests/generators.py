"""The generator of a load test: opened, and given its users."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from assay.errors import InputError, MeasureError
from assay.load.control.fleet import Fleet
from assay.load.control.generator import Generator
from assay.load.control.process import Setup
from assay.load_plan import LoadPlan
from assay.system import processes

TARGET = "target"
LOOPBACK = "127.0.0.1:0"  # and a port that is free
HIRED_WAIT = 60.0  # seconds for workers of this machine to join
FIRST_USERS = 4  # that are there before the arrivals begin
MOST_USERS = 10_000  # of a LoadTestShape
JOINED_WAIT = 600.0  # the same from elsewhere, where somebody has to start them

Loader = Generator | Fleet


@contextlib.contextmanager
def generating(
    plan: LoadPlan, keep: Path, say: Callable[[str], None] = lambda words: None
) -> Iterator[Loader]:
    """Give a generator whose users are ready for a plan's host.

    Args:
        plan: Whose locustfile, host and users, and how many workers.
        keep: A folder that keeps what the locustfile prints and logs.
        say: Takes who of the workers has joined.

    Raises:
        InputError: The locustfile cannot be imported.
        MeasureError: No user could begin.
    """
    with tempfile.TemporaryDirectory(prefix="assay-") as name:
        folder = Path(name)
        with processes.guarded([folder]):
            generator = _opened(plan, folder, keep)
            try:
                if plan.shaped and not generator.shape:
                    raise InputError(
                        "say how much load: --rate 200 for arrivals on a schedule, or "
                        "--users 20 for users who wait for their answers (the "
                        "locustfile has no LoadTestShape that would say it)"
                    )
                if isinstance(generator, Fleet):
                    _gather(generator, plan, say)
                _attach(generator, plan)
                yield generator
            finally:
                generator.close()


def _opened(plan: LoadPlan, folder: Path, keep: Path) -> Loader:
    setup = Setup(
        plan.locustfiles,
        folder,
        plan.locust,
        plan.host,
        {
            "num_users": plan.users,
            "spawn_rate": plan.spawn_rate or plan.users,
            "run_time": math.ceil(plan.duration),
        },
        cwd=Path.cwd(),  # what a locustfile opens is found as under `locust`
        keep=keep,
    )
    if plan.workers == 1 and not plan.bind:
        return Generator(setup, processes.split_cores().generator)
    host, _, port = (plan.bind or LOOPBACK).rpartition(":")
    return Fleet(setup, (host, int(port)))


def _attach(generator: Loader, plan: LoadPlan) -> None:
    """Have the users made that are there before the load begins.

    Raises:
        MeasureError: One could not begin; with what the locustfile printed last.
    """
    try:
        generator.attach({TARGET: plan.host}, {}, (), **_users(plan))
    except MeasureError as error:
        raise MeasureError(
            f"{error}\n  the last lines of the locustfile's log:\n"
            f"{generator.last_lines()}"
        ) from error


def _users(plan: LoadPlan) -> dict[str, Any]:
    """Return how many users there are before the load begins, and may be at most.

    Arrivals have more of them made as they are needed; a closed loop has all of them,
    unless they come at a rate of their own.
    """
    if plan.shaped:
        return {"users": 0, "most": MOST_USERS}
    if plan.open or plan.trials == "capacity":
        first = min(plan.users, max(FIRST_USERS, plan.workers))
        return {"users": first, "most": plan.users, "strict": False}
    return {"users": 0 if plan.spawn_rate else plan.users, "most": plan.users}


def _gather(fleet: Fleet, plan: LoadPlan, say: Callable[[str], None]) -> None:
    """Wait until all workers are there: those of this machine, or from elsewhere."""
    if not plan.bind:
        fleet.hire(plan.workers)
        fleet.gather(plan.workers, HIRED_WAIT)
        return
    host, port = fleet.address
    say(f"waiting for {plan.workers} workers: assay worker --join {host}:{port}")
    fleet.gather(plan.workers, JOINED_WAIT, say)
