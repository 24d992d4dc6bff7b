"""What failed in a load test: requests, log-ins, tasks; and whether all of it did."""

from collections.abc import Iterator

from assay.load_results import Kind, LoadResults
from assay.wording import counted

REQUESTS: tuple[Kind, ...] = ("request", "start", "stop")


def of(results: LoadResults, kind: Kind) -> tuple[int, int]:
    """Return how many requests of a kind failed, and how many there were."""
    if kind == "request":
        every = results.together
        return (every.failed, every.requests) if every else (0, 0)
    rows = [row for row in results.rows if row.kind == kind]
    return sum(row.failed for row in rows), sum(row.requests for row in rows)


def share(results: LoadResults) -> float | None:
    """Return the share of all requests that failed; None where there were none.

    What a lost worker owed, and nobody did, has failed, too.
    """
    counts = [of(results, kind) for kind in REQUESTS]
    failed = results.owed + sum(failed for failed, _ in counts)
    total = results.owed + sum(requests for _, requests in counts)
    return failed / total if total else None


def raised(results: LoadResults) -> tuple[int, int]:
    """Return how many tasks raised an error of their own, and how many there were."""
    number = sum(results.raised.values())
    return number, max(number, results.done)


def nothing_succeeded(results: LoadResults) -> str:
    """Say that all requests, or all log-ins, failed; empty if some did not."""
    said = []
    failed, requests = of(results, "request")
    if requests and failed == requests:
        said.append(f"No request succeeded: {failed:,} of {requests:,} failed.")
    failed, requests = of(results, "start")
    if requests and failed == requests:
        said.append(
            f"No request of on_start succeeded: {failed:,} of {requests:,} failed."
        )
    return " ".join(said)


def told(results: LoadResults) -> Iterator[str]:
    """Yield what failed beside the load itself, where some of it succeeded."""
    failed, requests = of(results, "start")
    if 0 < failed < requests:
        yield f"{failed:,} of {requests:,} requests of on_start failed."
    failed, requests = of(results, "stop")
    if failed:
        yield f"{failed:,} of {counted(requests, 'request')} of on_stop failed."
    number, tasks = raised(results)
    if number:
        yield f"{number:,} of {counted(tasks, 'task')} raised an error of their own."
