"""Count the failures of a load test: requests, log-ins and tasks.

The module also says whether all requests or all log-ins (requests of on_start) failed.
"""

from collections.abc import Iterator

from assay.load_results import Kind, LoadResults
from assay.wording import counted

REQUESTS: tuple[Kind, ...] = ("request", "start", "stop")


def count(results: LoadResults, kind: Kind) -> tuple[int, int]:
    """Return how many requests of a kind failed, and how many there were."""
    if kind == "request":
        total = results.total
        return (total.failed, total.requests) if total else (0, 0)
    rows = [row for row in results.rows if row.kind == kind]
    return sum(row.failed for row in rows), sum(row.requests for row in rows)


def share(results: LoadResults) -> float | None:
    """Return the share of all requests that failed; None if there were none.

    Arrivals whose results were lost with a worker also count as failed requests.
    """
    counts = [count(results, kind) for kind in REQUESTS]
    failed = results.owed + sum(failed for failed, _ in counts)
    total = results.owed + sum(requests for _, requests in counts)
    return failed / total if total else None


def raised(results: LoadResults) -> tuple[int, int]:
    """Return how many tasks raised an error, and how many tasks there were.

    Errors of requests do not count.
    """
    errors = sum(results.raised.values())
    return errors, max(errors, results.done)


def raised_text(errors: int, subject: str) -> str:
    """Return ``5 of 112 tasks raised an error outside their requests``.

    Args:
        errors: How many tasks raised an error.
        subject: The tasks, with their number: ``5 of 112 tasks``.
    """
    whose = "its" if errors == 1 else "their"
    return f"{subject} raised an error outside {whose} requests"


def nothing_succeeded(results: LoadResults) -> str:
    """Return sentences on kinds of requests that always failed; empty if none did.

    The sentences say that every request failed, every on_start request failed, or both.
    """
    sentences = []
    failed, requests = count(results, "request")
    if requests and failed == requests:
        sentences.append(f"No request succeeded: {failed:,} of {requests:,} failed.")
    failed, requests = count(results, "start")
    if requests and failed == requests:
        sentences.append(
            f"No request of on_start succeeded: {failed:,} of {requests:,} failed."
        )
    return " ".join(sentences)


def other_failures(results: LoadResults) -> Iterator[str]:
    """Yield a sentence for each failure that `nothing_succeeded` does not report.

    Such failures are: some on_start requests (not all), any on_stop requests, and tasks
    that raised an error.
    """
    failed, requests = count(results, "start")
    if 0 < failed < requests:
        yield f"{failed:,} of {requests:,} requests of on_start failed."
    failed, requests = count(results, "stop")
    if failed:
        yield f"{failed:,} of {counted(requests, 'request')} of on_stop failed."
    errors, tasks = raised(results)
    if errors:
        subject = f"{errors:,} of {counted(tasks, 'task')}"
        yield f"{raised_text(errors, subject)}."
