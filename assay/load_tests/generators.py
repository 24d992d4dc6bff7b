"""Start the load generator of a test, with its workers and its first users."""

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
from assay.load.control.loader import Loader
from assay.load.control.process import Setup
from assay.load.protocol import ALLOW_HOSTS
from assay.load_plan import LoadPlan
from assay.system import processes

TARGET = "target"
LOOPBACK = "127.0.0.1:0"  # 0: any free port
FIRST_USERS = 4  # users created before the arrivals begin
MAX_SHAPE_USERS = 10_000  # maximum number of users of a LoadTestShape
LOCAL_JOIN_TIMEOUT = 60.0  # seconds until all workers on this machine have joined
REMOTE_JOIN_TIMEOUT = 600.0  # the same if a person starts them on other machines


@contextlib.contextmanager
def open_generator(
    plan: LoadPlan, keep: Path, print_line: Callable[[str], None] = lambda text: None
) -> Iterator[Loader]:
    """Start a generator whose users are ready to load a plan's host.

    Args:
        plan: The plan, for the locustfile, the host, and the numbers of users and
            workers.
        keep: A folder for the log of the locustfile.
        print_line: Prints a line for each worker that joins.

    Raises:
        InputError: The locustfile cannot be imported, or nothing says how much load to
            generate.
        MeasureError: No user could start, or workers did not join.
    """
    with tempfile.TemporaryDirectory(prefix="assay-") as name:
        folder = Path(name)
        with processes.guarded([folder]):
            generator = _start(plan, folder, keep)
            try:
                if plan.shaped and not generator.shape:
                    raise InputError(
                        "say how much load to generate: --rate 200 for arrivals on a "
                        "schedule, or --users 20 for users who wait for their answers "
                        "(the locustfile has no LoadTestShape)"
                    )
                if isinstance(generator, Fleet):
                    _gather_workers(generator, plan, print_line)
                _create_users(generator, plan)
                yield generator
            finally:
                generator.close()


def _start(plan: LoadPlan, folder: Path, keep: Path) -> Loader:
    setup = Setup(
        plan.locustfiles,
        folder,
        plan.locust,
        plan.host,
        {
            "num_users": plan.users,
            "spawn_rate": plan.spawn_rate or plan.users,
            "run_time": math.ceil(plan.duration),
            ALLOW_HOSTS: list(plan.allow_hosts),
        },
        cwd=Path.cwd(),  # relative paths in a locustfile work as under `locust`
        keep=keep,
    )
    if plan.workers == 1 and not plan.bind:
        return Generator(setup, processes.split_cores().generator)
    host, _, port = (plan.bind or LOOPBACK).rpartition(":")
    return Fleet(setup, (host, int(port)))


def _create_users(generator: Loader, plan: LoadPlan) -> None:
    """Create the users that exist before the load begins.

    Raises:
        MeasureError: A user could not start; the message has the end of the
            locustfile's log.
    """
    try:
        generator.attach({TARGET: plan.host}, {}, (), **_user_counts(plan))
    except MeasureError as error:
        raise MeasureError(
            f"{error}\n  the last lines of the locustfile's log:\n"
            f"{generator.last_lines()}"
        ) from error


def _user_counts(plan: LoadPlan) -> dict[str, Any]:
    """Return the number of users before the load begins, and the maximum.

    An open loop creates more users as its arrivals need them. A closed loop starts with
    all of its users, unless it has a spawn rate.
    """
    if plan.shaped:
        return {"users": 0, "max_users": MAX_SHAPE_USERS}
    if plan.open or plan.trials == "capacity":
        first = min(plan.users, max(FIRST_USERS, plan.workers))
        return {"users": first, "max_users": plan.users, "strict": False}
    later = plan.spawn_rate or plan.user_times
    return {"users": 0 if later else plan.users, "max_users": plan.users}


def _gather_workers(
    fleet: Fleet, plan: LoadPlan, print_line: Callable[[str], None]
) -> None:
    """Wait until all workers have joined; start them first if they run here."""
    if not plan.bind:
        fleet.start_workers(plan.workers)
        fleet.wait_for_workers(plan.workers, LOCAL_JOIN_TIMEOUT)
        return
    host, port = fleet.address
    print_line(f"waiting for {plan.workers} workers: assay worker --join {host}:{port}")
    fleet.wait_for_workers(plan.workers, REMOTE_JOIN_TIMEOUT, print_line)
