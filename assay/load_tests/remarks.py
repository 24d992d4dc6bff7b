"""What whoever reads the numbers of a load test must know of them, in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assay.load_results import WorkerCount
from assay.load_tests.bounds import Strain
from assay.wording import counted, quantity

WHAT = ("requests", "tasks of several requests")
LOCUSTFILE, USERS = "locustfile", "users"  # what can end a test before its time


def ended(ticks: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return how many requests, and tasks of several, the generator says had ended."""
    return (
        sum(int(tick["requests"]) for tick in ticks),
        sum(int(tick.get("iterations", 0)) for tick in ticks),
    )


def missing(told: tuple[int, int], found: tuple[int, int]) -> tuple[int, str]:
    """Compare what is on disk with what the generator said that had ended.

    Args:
        told: See `ended`.
        found: How many samples of each there are.

    Returns:
        How many samples are missing, and what that means; empty if none is.
    """
    said, lost = [], 0
    for what, ended, there in zip(WHAT, told, found, strict=True):
        if there < ended:
            lost += ended - there
            said.append(f"{ended - there:,} of the {ended:,} {what} that ended")
    if not lost:
        return 0, ""
    are = "is" if lost == 1 else "are"
    return lost, f"{' and '.join(said)} {are} not on disk"


def limited(limit: str) -> Iterator[str]:
    """Yield which limit of the generator's own machine was hit, if one was."""
    if limit:
        yield limit


def incomplete(gap: str) -> Iterator[str]:
    """Yield what is missing of the samples, if anything is."""
    if gap:
        yield f"{gap}: the numbers are of the rest, and no requirement is decided."


def bound(strain: Strain) -> Iterator[str]:
    """Yield why latencies are lower bounds, if they are."""
    if strain.limit:
        yield strain.warning()


def losses(lost: Sequence[WorkerCount]) -> Iterator[str]:
    """Yield what became of the load of workers that were lost."""
    for worker in lost:
        yield (
            f"Worker {worker.name} was lost: {worker.lost}. {worker.unserved:,} of its "
            f"{worker.planned:,} arrivals count as unserved, and the server had less "
            "load than was asked for."
        )


def early(ended_by: str, loaded: float) -> Iterator[str]:
    """Yield who ended a test before its time, if the locustfile did.

    Args:
        ended_by: As the generator says it: empty if nobody did.
        loaded: Seconds of load.
    """
    after = f"after {quantity(loaded, 's')}"
    if ended_by == LOCUSTFILE:
        yield f"The locustfile ended the test {after}."
    elif ended_by == USERS:
        yield f"All users had stopped (StopUser) {after}."


def dropped(number: int) -> Iterator[str]:
    """Yield why arrivals were dropped."""
    if number:
        yield (
            f"{number:,} arrivals were dropped: so many waited for a free user "
            "already. The server was slower than its load, or --users is too few."
        )


def raised(errors: Mapping[str, int], tasks: Mapping[str, int]) -> Iterator[str]:
    """Yield which tasks raised errors of their own.

    Args:
        errors: ``task NAME raised ERROR: TEXT``, and how often each came.
        tasks: How many tasks of each name ended.
    """
    texts: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for error, count in errors.items():
        name = _task_of(error, tasks)
        texts.setdefault(name, []).append(error)
        counts[name] = counts.get(name, 0) + count
    for name, own in texts.items():
        told = own[0].removeprefix(f"task {name} raised ") if name else own[0]
        rest = counted(len(own) - 1, "other error")
        others = f" (and {rest})" if len(own) > 1 else ""
        if name:
            ended = max(tasks[name], counts[name])
            whose = f"{counts[name]:,} of {counted(ended, 'task')} {name} raised an "
        else:
            whose = f"{counted(counts[name], 'task')} raised an "
        yield f"{whose}error of their own, though no request failed: {told}{others}."


def _task_of(error: str, tasks: Mapping[str, int]) -> str:
    """Return whose error it is; empty if that cannot be told."""
    fitting = [name for name in tasks if error.startswith(f"task {name} raised ")]
    return max(fitting, key=len, default="")
