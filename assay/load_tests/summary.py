"""From the directory of a load test to its numbers, whatever its size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.load import lateness
from assay.load_results import LoadResults, Row, WorkerCount
from assay.load_tests import bounds, judging, remarks, rows
from assay.run_directory.directory import reading
from assay.run_directory.load_run import TICKS, LoadRun
from assay.wording import counted

MOST_ERRORS, OTHER_ERRORS = 1000, "(other errors)"

Ticks = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class _Told:
    """What the generator said of a whole test.

    Attributes:
        ended: Whether it said that the test had ended.
        at: Seconds until the last that it said.
        workers: What each of them came to; none if there was only one process.
        tasks: How many tasks of each name ended.
        samples: How many requests ended, and how many tasks of several.
        generator: What it was like itself, as fields of the results.
    """

    ended: bool
    stopped: bool
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


def summed(run: LoadRun) -> LoadResults:
    """Sum up a load test from its directory, and judge its requirements.

    Raises:
        NotARunError: The directory is damaged, or of an older version of Assay.
    """
    plan = run.plan()
    told = _told(run, plan.open)
    found = rows.counted(run, told.tasks, told.at, told.strain.bound)
    missing, gap = remarks.missing(told.samples, (found.requests, found.iterations))
    never = sum(worker.unserved for worker in told.lost)
    sent = told.planned - told.dropped - never
    flaws = (not told.ended, told.stopped, told.lost, missing, told.limit)
    results = LoadResults(
        run=run.name,
        partial=any(flaws),
        ended=told.ended,
        seed=plan.seed,
        host=plan.host,
        planned=told.planned,
        done=told.done,
        dropped=told.dropped,
        unserved=told.unserved,
        owed=never if told.ended else told.unserved,
        loaded=told.loaded,
        rate=sent / told.loaded if told.loaded else 0.0,
        bound=told.strain.bound,
        generator_cpu=told.strain.core,
        **told.generator,
        workers=told.workers,
        rows=found.rows,
        curves=rows.percentile_curves(run, _latencies(found.rows)),
        errors=told.errors,
        raised=told.raised,
        missing=missing,
        limit=told.limit,
        incomplete=told.limit or gap or _unsound(told),
        locust_exit_code=run.exit_code(),
        warnings=tuple(dict.fromkeys([*run.warnings(), *_warnings(told, gap)])),
    )
    judged = judging.judge(plan.requirements, results)
    return results.model_copy(update={"requirements": judged})


def _latencies(found: Sequence[Row]) -> int:
    """Return how many of the load's requests have a say in percentiles."""
    together = (row for row in found if row.kind == "request" and not row.label)
    return next((row.latency.count for row in together), 0)


def _told(run: LoadRun, scheduled: bool) -> _Told:
    """Return what the generator said, from all seconds together."""
    ticks = run.ticks()
    last: Mapping[str, Any] = ticks[-1] if ticks else {}
    with reading(run.path / TICKS):
        ended = bool(last.get("last"))
        planned, done = int(last.get("planned", 0)), int(last.get("done", 0))
        dropped, unserved = int(last.get("dropped", 0)), int(last.get("unserved", 0))
        if not ended:  # it died: nobody waited for what was under way
            unserved = planned - done - dropped
        at = float(last.get("at", 0.0))
        return _Told(
            ended=ended,
            stopped=bool(last.get("stopped")),
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


def _warnings(told: _Told, gap: str) -> Iterator[str]:
    """Yield what readers must know, what weighs most first."""
    yield from remarks.limited(told.limit)
    yield from remarks.incomplete(gap)
    yield from remarks.losses(told.lost)
    yield from remarks.early(told.ended_by, told.loaded)
    yield from remarks.bound(told.strain)
    yield from told.notes
    yield from remarks.dropped(told.dropped)
    yield from remarks.raised(told.raised, told.tasks)


def _unsound(told: _Told) -> str:
    """Return why no requirement can be decided, though no sample is missing."""
    if lost := len(told.lost):
        were = "was" if lost == 1 else "were"
        return f"{counted(lost, 'worker')} {were} lost: the server had less load"
    return "" if told.ended else "the test did not come to its end"


def _generator(ticks: Ticks) -> dict[str, Any]:
    """Return what the generator was like, as fields of the results."""
    lags, own = (_added(ticks, name, most=None) for name in ("lags", "own"))
    return {
        **{f"lag_p{p}": lateness.quantile(lags, p / 100) for p in (50, 99)},
        **{f"own_p{p}": lateness.quantile(own, p / 100) for p in (50, 99)},
        "stall": _worst(ticks, "stall", np.max),
        "reconnects": sum(int(tick.get("reconnects", 0)) for tick in ticks),
    }


def _median(ticks: Ticks) -> float | None:
    """Return about what the median latency was: that of a typical second."""
    known = [float(tick["p50"]) for tick in ticks if tick.get("p50") is not None]
    return float(np.median(known)) if known else None


def _worst(ticks: Ticks, key: str, which: Any) -> float:
    values = [
        float(tick[key]) for tick in ticks if tick.get("requests") and key in tick
    ]
    return float(which(values)) if values else 0.0


def _added(ticks: Ticks, key: str, most: int | None = MOST_ERRORS) -> dict[str, int]:
    """Return the counts of all seconds together, the most frequent first.

    Args:
        ticks: What the generator said of each second.
        key: Of a table of counts.
        most: How many of them are told apart; None for all.
    """
    every: Counter[str] = Counter()
    for tick in ticks:
        every.update(tick.get(key, {}))
    told = dict(every.most_common(most))
    if rest := every.total() - sum(told.values()):
        told[OTHER_ERRORS] = told.get(OTHER_ERRORS, 0) + rest
    return told


def _workers(ticks: Ticks) -> tuple[WorkerCount, ...]:
    """Return what each worker came to; none if there was only one process."""
    told = [tick["workers"] for tick in ticks if tick.get("workers")]
    if not told:
        return ()
    return tuple(
        WorkerCount(
            **{
                **{name: last[name] for name in WorkerCount.model_fields},
                "lag_p99": max(second[number]["lag_p99"] for second in told),
            }
        )
        for number, last in enumerate(told[-1])
    )
