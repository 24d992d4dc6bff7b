"""From the directory of a load test to its numbers, whatever its size."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.directories import NotARunError, reading
from assay.loadtest import quantiles, requirements
from assay.loadtest.plan import LoadResults, Row, Spread, WorkerCount
from assay.loadtest.runs import ITERATIONS, REQUESTS, TICKS, LoadRun
from assay.report.text import counted, quantity

if TYPE_CHECKING:
    from assay.loadtest.quantiles import Batch
    from assay.statistics import Floats

SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
LATENCY, SERVICE = range(2)  # since when requests are timed
TIMED_OUT = 2  # in the column `failed`, see assay.load.recorder
FEW = 2_000_000  # samples that a curve may keep
MOST_ERRORS, OTHER_ERRORS = 1000, "(other errors)"
BUSY = 0.9  # of a core: a generator so busy is measured itself

Numbers = NDArray[np.int64]


def summed(run: LoadRun) -> LoadResults:
    """Sum up a load test from its directory, and judge its requirements."""
    plan, ticks = run.plan(), run.ticks()
    last: Mapping[str, Any] = ticks[-1] if ticks else {}
    ended = bool(last.get("last"))
    planned, done = int(last.get("planned", 0)), int(last.get("done", 0))
    dropped, unserved = int(last.get("dropped", 0)), int(last.get("unserved", 0))
    if not ended:  # it died: nobody waited for what was under way
        unserved = planned - done - dropped
    at = float(last.get("at", 0.0))
    loaded = float(last.get("loaded", at))
    with reading(run.path / TICKS):
        workers, errors = _workers(ticks), _errors(ticks)
    lost = [worker for worker in workers if worker.lost]
    sent = planned - dropped - sum(worker.unserved for worker in lost)
    results = LoadResults(
        run=run.name,
        partial=not ended or bool(last.get("stopped")) or bool(lost),
        seed=plan.seed,
        host=plan.host,
        planned=planned,
        done=done,
        dropped=dropped,
        unserved=unserved,
        loaded=loaded,
        rate=sent / loaded if loaded else 0.0,
        lag_p50=_worst(ticks, "lag_p50", np.median),
        lag_p99=_worst(ticks, "lag_p99", np.max),
        stall=_worst(ticks, "stall", np.max),
        generator_cpu=_busiest(ticks),
        reconnects=sum(int(tick.get("reconnects", 0)) for tick in ticks),
        workers=workers,
        rows=(*_rows(run, REQUESTS, at), *_rows(run, ITERATIONS, at)),
        errors=errors,
        warnings=tuple(
            dict.fromkeys([*run.warnings(), *_losses(lost), *_warnings(ticks, dropped)])
        ),
    )
    judged = requirements.judge(plan.requirements, results)
    return results.model_copy(update={"requirements": judged})


def curves(
    run: LoadRun, count: int, shares: Sequence[float]
) -> list[list[float | None]]:
    """Return latency and service time of all requests at many percentiles.

    Of very many requests to 1 %, since nearly all of them would have to be kept.

    Args:
        run: Whose requests.
        count: How many of them have a say in percentiles.
        shares: Which percentiles, from 0 to 1.
    """
    every = [partial(_every, run, which) for which in (LATENCY, SERVICE)]
    if count > FEW:
        return [quantiles.rough(batches, shares) for batches in every]
    return [quantiles.exact(batches, 1, shares)[0] for batches in every]


def _every(run: LoadRun, which: int) -> Iterator[Batch]:
    """Yield all requests that have a say in percentiles, as one group."""
    for batch in _batches(run, REQUESTS):
        kept = batch.kept
        yield np.zeros(int(kept.sum()), dtype=np.int64), batch.times(which)[kept]


def _worst(ticks: Sequence[Mapping[str, Any]], key: str, which: Any) -> float:
    values = [
        float(tick[key]) for tick in ticks if tick.get("requests") and key in tick
    ]
    return float(which(values)) if values else 0.0


def _busiest(ticks: Sequence[Mapping[str, Any]]) -> float:
    shares, before = [0.0], 0.0
    for tick in ticks:
        passed = float(tick["at"]) - before
        before = float(tick["at"])
        if passed > 0.5:
            shares.append(float(tick["generator_cpu"]) / passed)
    return max(shares)


def _errors(ticks: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for tick in ticks:
        counted.update(tick.get("errors", {}))
    told = dict(counted.most_common(MOST_ERRORS))
    if rest := counted.total() - sum(told.values()):
        told[OTHER_ERRORS] = told.get(OTHER_ERRORS, 0) + rest
    return told


def _workers(ticks: Sequence[Mapping[str, Any]]) -> tuple[WorkerCount, ...]:
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


def _losses(lost: Sequence[WorkerCount]) -> Iterator[str]:
    for worker in lost:
        yield (
            f"Worker {worker.name} was lost: {worker.lost}. {worker.unserved:,} of its "
            f"{worker.planned:,} arrivals count as unserved, and the server had less "
            "load than was asked for."
        )


def _warnings(ticks: Sequence[Mapping[str, Any]], dropped: int) -> Iterator[str]:
    late = [
        float(tick["lag_p99"])
        for tick in ticks
        if tick.get("requests")
        and requirements.is_late(float(tick.get("lag_p99", 0.0)), tick.get("p50"))
    ]
    if late:
        yield (
            f"The load generator itself was late in {counted(len(late), 'second')} of "
            f"{len(ticks)}, by {quantity(max(late), 's')} in the worst: latencies "
            "hold that delay, too."
        )
    busy = _busiest(ticks)
    if busy > BUSY:
        yield (
            f"The load generator used {busy:.0%} of a core: what was measured may be "
            "the generator. Use LeanHttpUser, or --workers."
        )
    if dropped:
        yield (
            f"{dropped:,} arrivals were dropped: so many waited for a free user "
            "already. The server was slower than its load, or --users is too few."
        )


@dataclass(frozen=True)
class _Samples:
    """Some of the samples.

    Attributes:
        since: When each was due, and when it was sent.
        given_up: Those that nobody waited for any longer.
    """

    number: Numbers
    failed: Numbers
    since: tuple[Floats, Floats]
    end: Floats
    given_up: NDArray[np.bool_]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Those that have a say in latency: a quick error is no quick answer."""
        found: NDArray[np.bool_] = (self.failed == 0) | self.given_up
        return found

    def times(self, which: int) -> Floats:
        """Return what each took; infinity if it was given up."""
        found: Floats = np.where(self.given_up, math.inf, self.end - self.since[which])
        return found

    def at_least(self, which: int, over: float) -> Floats:
        """Return what each took, or for how long it was waited.

        Args:
            which: `LATENCY` or `SERVICE`.
            over: When the test had ended, and with it what had no end of its own.
        """
        end = np.where(np.isnan(self.end), over, self.end)
        # One that was never sent was not waited for since then.
        return np.maximum(0.0, np.nan_to_num(end - self.since[which]))


class _Tallies:
    """Counts and sums of each name, and of all names together in the last place."""

    def __init__(self, groups: int, over: float) -> None:
        self.counts = np.zeros((4, groups + 1), dtype=np.int64)
        self.sums = np.zeros((2, groups + 1))
        self.longest = np.zeros((2, groups + 1))
        self.over = over

    def add(self, batch: _Samples) -> None:
        """Take some samples."""
        groups = self.counts.shape[1] - 1
        number, kept = batch.number, batch.kept
        kinds = (np.ones_like(kept), batch.failed > 0, kept, batch.given_up)
        for row, chosen in enumerate(kinds):
            counts = np.bincount(number[chosen], minlength=groups)
            self.counts[row] += [*counts, counts.sum()]
        names = number[kept]
        for row in (LATENCY, SERVICE):
            waited = batch.at_least(row, self.over)[kept]
            sums = np.bincount(names, weights=waited, minlength=groups)
            self.sums[row] += [*sums, sums.sum()]
            longest = batch.times(row)[kept]
            np.maximum.at(self.longest[row], names, longest)
            if len(longest):
                self.longest[row, -1] = max(self.longest[row, -1], longest.max())

    def spread(self, group: int, which: int, found: Sequence[float | None]) -> Spread:
        """Return how long a group took: `LATENCY` or `SERVICE` time."""
        _, _, timed, given_up = self.counts[:, group].tolist()
        known = dict(zip(SHARES, found, strict=True))
        return Spread(
            count=timed,
            unanswered=given_up,
            mean=float(self.sums[which, group]) / timed if timed else None,
            longest=float(self.longest[which, group]) if timed else None,
            **known,
        )


def _rows(run: LoadRun, kind: str, over: float) -> Iterator[Row]:
    """Yield all samples together, where they are requests, and then by name."""
    names = run.names()
    groups = len(names)
    tallies = _Tallies(groups, over)
    for batch in _batches(run, kind):
        if len(batch.number) and batch.number.max() >= groups:
            raise NotARunError(f"{run.path}: its samples have names that are lost")
        tallies.add(batch)
    if not tallies.counts.any():
        return
    shares = tuple(SHARES.values())
    latency, service = (
        quantiles.exact(partial(_timed, run, kind, which, groups), groups + 1, shares)
        for which in (LATENCY, SERVICE)
    )
    requests = kind == REQUESTS
    for group in [*([groups] if requests else []), *range(groups)]:
        if tallies.counts[0, group]:
            yield Row(
                name=names[group] if group < groups else "",
                kind="request" if requests else "iteration",
                requests=int(tallies.counts[0, group]),
                failed=int(tallies.counts[1, group]),
                latency=tallies.spread(group, LATENCY, latency[group]),
                service=tallies.spread(group, SERVICE, service[group]),
            )


def _batches(run: LoadRun, kind: str) -> Iterator[_Samples]:
    """Yield the samples piece by piece."""
    columns = ("scheduled", "start", "end", "name", "failed")
    for batch in run.batches(kind, columns):
        scheduled, start, end, name, failed = (
            batch.column(column).to_numpy(zero_copy_only=False) for column in columns
        )
        yield _Samples(
            number=name.astype(np.int64),
            failed=failed.astype(np.int64),
            since=(scheduled, start),
            end=end,
            given_up=np.isnan(end) | (failed == TIMED_OUT),
        )


def _timed(run: LoadRun, kind: str, which: int, groups: int) -> Iterator[Batch]:
    """Yield the samples that have a say in percentiles, each in two groups."""
    for batch in _batches(run, kind):
        kept = batch.kept
        values = batch.times(which)[kept]
        yield batch.number[kept], values
        yield np.full(len(values), groups, dtype=np.int64), values
