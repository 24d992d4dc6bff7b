"""What failed in a load test, requests, log-ins or tasks, and whether all did."""

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

    Requests that a lost worker should have made count as failed, too.
    """
    counts = [count(results, kind) for kind in REQUESTS]
    failed = results.owed + sum(failed for failed, _ in counts)
    total = results.owed + sum(requests for _, requests in counts)
    return failed / total if total else None


def raised(results: LoadResults) -> tuple[int, int]:
    """Return how many tasks raised an error outside their requests, and the total."""
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
    """Say that all requests, or all log-ins, failed; empty if some did not."""
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
    """Yield what failed besides the load itself: on_start in part, on_stop, tasks."""
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
