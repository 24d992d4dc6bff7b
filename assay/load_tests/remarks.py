"""Warnings for the readers of a load test's report, in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assay.analysis.load_failures import raised_text
from assay.load_results import WorkerCount
from assay.load_tests.bounds import Strain
from assay.wording import counted, quantity

SAMPLE_KINDS = ("requests", "tasks of several requests")
# Values of `ended_by`: who ended a test early.
LOCUSTFILE = "locustfile"
USERS = "users"


def ended(ticks: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return how many requests, and how many tasks with several requests, ended."""
    return (
        sum(int(tick["requests"]) for tick in ticks),
        sum(int(tick.get("iterations", 0)) for tick in ticks),
    )


def missing(
    ended_counts: tuple[int, int], stored_counts: tuple[int, int]
) -> tuple[int, str]:
    """Compare the number of samples on disk with the number that ended.

    Args:
        ended_counts: See `ended`.
        stored_counts: Number of samples of each kind on disk.

    Returns:
        The number of missing samples, and a text about them; empty if none is missing.
    """
    parts, total = [], 0
    for kind, ended, stored in zip(
        SAMPLE_KINDS, ended_counts, stored_counts, strict=True
    ):
        if stored < ended:
            total += ended - stored
            parts.append(f"{ended - stored:,} of the {ended:,} {kind} that ended")
    if not total:
        return 0, ""
    are = "is" if total == 1 else "are"
    return total, f"{' and '.join(parts)} {are} not on disk"


def machine_limit(limit: str) -> Iterator[str]:
    """Yield the limit of the generator's own machine that was hit, if any."""
    if limit:
        yield limit


def incomplete(gap: str) -> Iterator[str]:
    """Yield a warning about missing samples, if any."""
    if gap:
        yield (
            f"{gap}: the results do not include them, so no requirement can be judged."
        )


def generator_limit(strain: Strain) -> Iterator[str]:
    """Yield a warning if the generator was the limit."""
    if strain.generator_limited:
        yield strain.warning()


def losses(lost: Sequence[WorkerCount]) -> Iterator[str]:
    """Yield a warning for each lost worker: why it was lost, and the consequences."""
    for worker in lost:
        yield (
            f"Worker {worker.name} was lost: {worker.lost}. {worker.unserved:,} of its "
            f"{worker.planned:,} arrivals count as unserved, and the server got less "
            "load than requested."
        )


def early(ended_by: str, loaded: float) -> Iterator[str]:
    """Yield a remark if the locustfile or its users ended a test early.

    Args:
        ended_by: `LOCUSTFILE`, `USERS`, or empty.
        loaded: Seconds of load.
    """
    after = f"after {quantity(loaded, 's')}"
    if ended_by == LOCUSTFILE:
        yield f"The locustfile ended the test {after}."
    elif ended_by == USERS:
        yield f"All users had stopped (StopUser) {after}."


def stopped(by: str, reason: str, limit: str, loaded: float) -> Iterator[str]:
    """Yield what stopped a test: a signal, or an error.

    Args:
        by: The signal, in words; empty if there was none.
        reason: Why the test ended before it was complete; empty if it is unknown.
        limit: The limit of the generator's machine that was hit; empty if none was. It
            has a remark of its own.
        loaded: Seconds of load.
    """
    if by:
        yield f"{by} stopped the test after {quantity(loaded, 's')}."
    if reason and not (limit and limit in reason):
        yield reason


def dropped(number: int) -> Iterator[str]:
    """Yield a warning if arrivals were dropped."""
    if number:
        yield (
            f"{number:,} arrivals were dropped: too many others already waited for a "
            "free user. The server was too slow for this load, or --users is too low."
        )


def raised(errors: Mapping[str, int], tasks: Mapping[str, int]) -> Iterator[str]:
    """Yield a warning for each task that raised errors without a failed request.

    Args:
        errors: ``task NAME raised ERROR: TEXT``, and how often each occurred.
        tasks: How many tasks of each name ended.
    """
    texts: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for error, count in errors.items():
        name = _task_name(error, tasks)
        texts.setdefault(name, []).append(error)
        counts[name] = counts.get(name, 0) + count
    for name, task_errors in texts.items():
        first, *rest = task_errors
        others = f" (and {counted(len(rest), 'other error')})" if rest else ""
        if name:
            first = first.removeprefix(f"task {name} raised ")
            runs = counted(max(tasks[name], counts[name]), "run")
            subject = f"{counts[name]:,} of {runs} of task {name}"
        else:
            subject = counted(counts[name], "task")
        yield f"{raised_text(counts[name], subject)}: {first}{others}."


def _task_name(error: str, tasks: Mapping[str, int]) -> str:
    """Return the name of the task that raised an error; empty if it is unknown."""
    names = [name for name in tasks if error.startswith(f"task {name} raised ")]
    return max(names, key=len, default="")
