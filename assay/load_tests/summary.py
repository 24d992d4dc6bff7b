"""Compute the results of a load test from its directory, whatever its size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.load import lateness, tracebacks
from assay.load_results import LoadResults, Row, WorkerCount
from assay.load_tests import bounds, former, judging, remarks, rows, timeline
from assay.run_directory.directory import reading
from assay.run_directory.load_run import TICKS, LoadRun
from assay.wording import counted

MAX_ERRORS = 1000  # different errors that are counted separately
OTHER_ERRORS = "(other errors)"

Ticks = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class _Totals:
    """The totals of a test's ticks.

    Attributes:
        ended: Whether the last tick ended the test.
        stopped: Whether a signal stopped the test.
        stopped_by: The signal, in words; empty if there was none.
        reason: Why the test ended before it was complete; empty if it is unknown.
        at: Time of the last tick, in seconds since the test began.
        loaded: Seconds of load.
        workers: The part of each worker; empty if there was only one process.
        tasks: How many tasks of each name ended.
        errors: How often each error of a request occurred.
        raised: How often each exception of a task occurred, not counting tasks that had
            a failed request.
        samples: How many requests ended, and how many tasks with several requests.
        strain: How close the generator came to its limit.
        generator: Numbers about the generator, as fields of the results.
        limit: Which limit of the generator's machine was hit; empty if none.
        ended_by: `locustfile` or `users` if one of these ended the test early; else
            empty.
        notes: Remarks of the generator, in sentences.
    """

    ended: bool
    stopped: bool
    stopped_by: str
    reason: str
    planned: int
    done: int
    dropped: int
    unserved: int
    at: float
    loaded: float
    workers: tuple[WorkerCount, ...]
    tasks: Mapping[str, int]
    errors: dict[str, int]
    raised: dict[str, int]
    samples: tuple[int, int]
    strain: bounds.Strain
    generator: Mapping[str, Any]
    limit: str
    ended_by: str
    notes: tuple[str, ...]

    @property
    def lost(self) -> list[WorkerCount]:
        """The workers that were lost."""
        return [worker for worker in self.workers if worker.lost]


def summarise(run: LoadRun) -> LoadResults:
    """Compute the results of a load test from its directory, and judge them.

    Raises:
        NotARunError: The directory is damaged, or an older version of Assay wrote it.
    """
    plan = run.plan()
    totals = _totals(run, plan.open)
    summary = rows.summarise_samples(
        run, totals.tasks, totals.at, totals.strain.latencies_are_lower_bounds
    )
    stored = (summary.requests, summary.iterations)
    missing, gap = remarks.missing(totals.samples, stored)
    owed_by_lost = sum(worker.unserved for worker in totals.lost)
    sent = totals.planned - totals.dropped - owed_by_lost
    flaws = (not totals.ended, totals.stopped, totals.lost, missing, totals.limit)
    results = LoadResults(
        run=run.name,
        partial=any(flaws),
        ended=totals.ended,
        seed=plan.seed,
        host=plan.host,
        title=plan.title,
        tags=plan.tags,
        planned=totals.planned,
        done=totals.done,
        dropped=totals.dropped,
        unserved=totals.unserved,
        owed=owed_by_lost if totals.ended else totals.unserved,
        loaded=totals.loaded,
        rate=sent / totals.loaded if totals.loaded else 0.0,
        bound=totals.strain.latencies_are_lower_bounds,
        generator_cpu=totals.strain.peak_cpu,
        **totals.generator,
        workers=totals.workers,
        rows=summary.rows,
        curves=rows.percentile_curves(run, _timed_requests(summary.rows)),
        timeline=timeline.timeline(summary.intervals, run.ticks()),
        errors=totals.errors,
        raised=totals.raised,
        tracebacks=tracebacks.merged(*(t.get("tracebacks", {}) for t in run.ticks())),
        missing=missing,
        limit=totals.limit,
        incomplete=totals.limit or gap or _undecidable_because(totals),
        locust_exit_code=run.exit_code(),
        warnings=tuple(dict.fromkeys([*run.warnings(), *_warnings(totals, gap)])),
    )
    judged = judging.judge(plan.requirements, results)
    before = run.former()
    beside = former.beside(before, results) if before else None
    return results.model_copy(update={"requirements": judged, "former": beside})


def _timed_requests(all_rows: Sequence[Row]) -> int:
    """Return the number of the load's requests that count in percentiles."""
    total = (row for row in all_rows if row.kind == "request" and not row.label)
    return next((row.latency.count for row in total), 0)


def _totals(run: LoadRun, scheduled: bool) -> _Totals:
    """Add up the ticks of a test."""
    ticks = run.ticks()
    last: Mapping[str, Any] = ticks[-1] if ticks else {}
    with reading(run.path / TICKS):
        ended = bool(last.get("last"))
        planned, done = int(last.get("planned", 0)), int(last.get("done", 0))
        dropped, unserved = int(last.get("dropped", 0)), int(last.get("unserved", 0))
        if not ended:  # cut off: arrivals without an outcome count as unserved
            unserved = planned - done - dropped
        at = float(last.get("at", 0.0))
        return _Totals(
            ended=ended,
            stopped=bool(last.get("stopped")),
            stopped_by=str(last.get("stopped_by", "")),
            reason=run.reason(),
            planned=planned,
            done=done,
            dropped=dropped,
            unserved=unserved,
            at=at,
            loaded=float(last.get("loaded", at)),
            workers=_workers(ticks),
            tasks=_added(ticks, "tasks", most=None),
            errors=_added(ticks, "errors"),
            raised=_added(ticks, "raised"),
            samples=remarks.ended(ticks),
            strain=bounds.strain(ticks, scheduled, _median(ticks)),
            generator=_generator(ticks),
            limit=next((str(t["limit"]) for t in ticks if t.get("limit")), ""),
            ended_by=str(last.get("ended_by", "")),
            notes=tuple(map(str, last.get("notes", ()))),
        )


def _warnings(totals: _Totals, gap: str) -> Iterator[str]:
    """Yield the warnings for readers, the most serious first."""
    yield from remarks.machine_limit(totals.limit)
    yield from remarks.stopped(
        totals.stopped_by, totals.reason, totals.limit, totals.loaded
    )
    yield from remarks.incomplete(gap)
    yield from remarks.losses(totals.lost)
    yield from remarks.early(totals.ended_by, totals.loaded)
    yield from remarks.generator_limit(totals.strain)
    yield from totals.notes
    yield from remarks.dropped(totals.dropped)
    yield from remarks.raised(totals.raised, totals.tasks)


def _undecidable_because(totals: _Totals) -> str:
    """Return why no requirement can be decided, apart from missing samples."""
    if lost := len(totals.lost):
        were = "was" if lost == 1 else "were"
        return f"{counted(lost, 'worker')} {were} lost: the server had less load"
    return "" if totals.ended else "the test did not finish"


def _generator(ticks: Ticks) -> dict[str, Any]:
    """Return the fields of the results that describe the generator."""
    lags, delays = (_added(ticks, name, most=None) for name in ("lags", "own"))
    return {
        **{f"lag_p{p}": lateness.quantile(lags, p / 100) for p in (50, 99)},
        **{f"own_p{p}": lateness.quantile(delays, p / 100) for p in (50, 99)},
        "stall": _worst(ticks, "stall", np.max),
        "reconnects": sum(int(tick.get("reconnects", 0)) for tick in ticks),
    }


def _median(ticks: Ticks) -> float | None:
    """Estimate the median latency by the median of the medians of all seconds."""
    medians = [float(tick["p50"]) for tick in ticks if tick.get("p50") is not None]
    return float(np.median(medians)) if medians else None


def _worst(ticks: Ticks, key: str, which: Any) -> float:
    values = [
        float(tick[key]) for tick in ticks if tick.get("requests") and key in tick
    ]
    return float(which(values)) if values else 0.0


def _added(ticks: Ticks, key: str, most: int | None = MAX_ERRORS) -> dict[str, int]:
    """Add up a table of counts over all ticks, the most frequent entries first.

    Args:
        ticks: The ticks of a test.
        key: The key of the table.
        most: Maximum number of entries that are counted separately; None for all.
    """
    total: Counter[str] = Counter()
    for tick in ticks:
        total.update(tick.get(key, {}))
    counts = dict(total.most_common(most))
    if rest := total.total() - sum(counts.values()):
        counts[OTHER_ERRORS] = counts.get(OTHER_ERRORS, 0) + rest
    return counts


def _workers(ticks: Ticks) -> tuple[WorkerCount, ...]:
    """Return the part of each worker; empty if there was only one process."""
    seconds = [tick["workers"] for tick in ticks if tick.get("workers")]
    if not seconds:
        return ()
    return tuple(
        WorkerCount(
            **{
                **{name: last[name] for name in WorkerCount.model_fields},
                "lag_p99": max(second[number]["lag_p99"] for second in seconds),
            }
        )
        for number, last in enumerate(seconds[-1])
    )
