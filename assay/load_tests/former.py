"""A former load test beside a new one."""

from collections.abc import Iterator
from pathlib import Path

from assay.errors import InputError
from assay.load_former import Beside, Former
from assay.load_results import LoadResults, Name, Row
from assay.metrics import requests_needed
from assay.run_directory.directory import RESULTS, NotARunError
from assay.run_directory.load_run import LoadRun
from assay.wording import significant

MAX_ROWS = 50  # rows that are put side by side
MAX_TITLES = 20  # titles of rows that only one test has
PERCENTILES = ("p50", "p99")
SAME_RATE = 0.1  # rates that differ by less, as a share, are called the same


def read(path: Path) -> LoadResults:
    """Return the results of a former test.

    Raises:
        InputError: The directory has no results of a single load test.
    """
    run = LoadRun(path)
    advice = "expected the directory of a single test of assay load"
    try:
        if not LoadRun.recognises(path):
            raise InputError(f"--baseline {path}: no load test is there; {advice}")
        if run.trials() is not None:
            raise InputError(f"--baseline {path}: a search or a sweep; {advice}")
        return run.results()
    except (NotARunError, OSError) as error:
        is_unfinished = not (path / RESULTS).exists()
        hint = f"; if it did not finish, type: assay report {path}" * is_unfinished
        raise InputError(f"--baseline {path}: {error}{hint}") from error


def beside(former: LoadResults, results: LoadResults) -> Former:
    """Put the numbers of a former test beside those of a new one."""
    before, now = _rows(former), _rows(results)
    both = sorted(
        (name for name in now if name in before),
        key=lambda name: (bool(name.label), -now[name].requests),
    )
    return Former(
        run=former.run,
        title=former.title,
        host=former.host,
        numbers=tuple(
            number
            for name in both[:MAX_ROWS]
            for number in _numbers(
                name, before[name], now[name], former.bound, results.bound
            )
        ),
        more=max(0, len(both) - MAX_ROWS),
        only_before=_titles(before, now),
        only_now=_titles(now, before),
        remarks=tuple(_remarks(former, results)),
    )


def _rows(results: LoadResults) -> dict[Name, Row]:
    return {
        Name(row.kind, row.method, row.name): row
        for row in results.rows
        if row.kind == "request"
    }


def _titles(rows: dict[Name, Row], others: dict[Name, Row]) -> tuple[str, ...]:
    return tuple([name.title for name in rows if name not in others][:MAX_TITLES])


def _numbers(
    name: Name, before: Row, now: Row, before_bound: bool, now_bound: bool
) -> Iterator[Beside]:
    """Yield the numbers of a row; a percentile of too few requests is left out.

    Args:
        name: The name of the row.
        before: The row of the former test.
        now: The row of the new test.
        before_bound: Whether latencies of the former test are lower bounds.
        now_bound: Whether latencies of the new test are lower bounds.
    """
    for metric in PERCENTILES:
        values = [
            (
                getattr(row.latency, metric)
                if row.latency.count >= requests_needed(f"latency.{metric}")
                else None
            )
            for row in (before, now)
        ]
        number = _beside(name, f"latency.{metric}", *values)
        bounds = {"before_bound": before_bound, "now_bound": now_bound}
        yield number.model_copy(update=bounds)
    yield _beside(
        name, "errors", before.failed / before.requests, now.failed / now.requests
    )


def _beside(name: Name, metric: str, before: float | None, now: float | None) -> Beside:
    return Beside(
        kind=name.kind,
        method=name.method,
        name=name.name,
        metric=metric,
        before=before,
        now=now,
    )


def _remarks(former: LoadResults, results: LoadResults) -> Iterator[str]:
    """Yield what a reader must know before comparing the numbers of two tests."""
    if former.host != results.host:
        yield f"The former test loaded another host: {former.host or 'unknown'}."
    if abs(former.rate - results.rate) > SAME_RATE * max(former.rate, results.rate):
        yield (
            f"The former test had {significant(former.rate)} arrivals a second, and "
            f"this one {significant(results.rate)}: latency depends on the load."
        )
    for test, which in ((former, "The former test"), (results, "This test")):
        if test.partial:
            yield f"{which} is partial."
        if test.bound:
            yield (
                f"In {which[0].lower()}{which[1:]} the generator was the limit: its "
                "latencies are lower bounds."
            )
