"""The rows of a load test: counts and exact percentiles of each kind and name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from assay.load_results import ORDER, Curves, Name, Row, Spread
from assay.load_tests import quantiles, samples
from assay.load_tests.samples import FROM_DUE, LATENCY, SERVICE, Groups, Samples
from assay.run_directory.load_run import ITERATIONS, REQUESTS, LoadRun

if TYPE_CHECKING:
    from assay.load_tests.quantiles import Batch

SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
FEWEST, BEYOND = 20, 5  # requests of a curve, and those beyond its last point
POINTS = 120  # of a curve
FEW = 2_000_000  # samples that a curve may keep
ALL = Name("request", "", "")  # of the row of all requests together


@dataclass(frozen=True)
class Found:
    """What the samples on disk came to.

    Attributes:
        rows: All requests together, then by kind and name.
        requests: How many samples of requests there are, of every kind.
        iterations: How many of tasks.
    """

    rows: tuple[Row, ...]
    requests: int
    iterations: int


def counted(
    run: LoadRun, tasks: Mapping[str, int], over: float, bound: bool = False
) -> Found:
    """Return the rows of a test, and of how many samples they are.

    Args:
        run: Whose samples.
        tasks: How many tasks of each name ended, also those of a single request,
            which have no samples of their own.
        over: When the test had ended.
        bound: Whether latencies are lower bounds, and what they are at most is wanted.

    Raises:
        NotARunError: The samples are damaged, or of an older version of Assay.
    """
    found = samples.groups(run)
    rows, counts = list[Row](), dict[str, int]()
    for kind in (REQUESTS, ITERATIONS):
        tallies = _Tallies(found, over)
        for batch in samples.batches(run, kind, found):
            tallies.add(batch)
        counts[kind] = int(tallies.counts[0, :-1].sum())
        if counts[kind]:
            rows += _rows(run, kind, found, tallies, bound)
    rows.sort(key=lambda row: (ORDER.index(row.kind), bool(row.name or row.method)))
    for place, row in enumerate(rows):
        if row.kind == "task":
            ended = max(row.requests, tasks.get(row.name, 0))
            rows[place] = row.model_copy(update={"requests": ended})
    return Found(tuple(rows), counts[REQUESTS], counts[ITERATIONS])


def curves(
    run: LoadRun, count: int, shares: Sequence[float]
) -> list[list[float | None]]:
    """Return latency and service time of the load's requests at many percentiles.

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


def percentile_curves(run: LoadRun, count: int) -> Curves | None:
    """Return the times of the load's requests by percentile; None if they are few.

    The points are evenly spaced on a logarithmic axis of what lies beyond them.

    Args:
        run: Whose requests.
        count: How many of them have a say in percentiles.
    """
    if count < FEWEST:
        return None
    tail = -math.log10(BEYOND / count)
    shares = [1 - 10 ** -(tail * at / (POINTS - 1)) for at in range(POINTS)]
    latency, service = curves(run, count, shares)
    return Curves(shares=tuple(shares), latency=tuple(latency), service=tuple(service))


def _every(run: LoadRun, which: int) -> Iterator[Batch]:
    """Yield the load's requests that have a say in percentiles, as one group."""
    found = samples.groups(run)
    for batch in samples.batches(run, REQUESTS, found):
        kept = batch.kept & found.load[batch.group]
        yield np.zeros(int(kept.sum()), dtype=np.int64), batch.times(which)[kept]


class _Tallies:
    """Counts and sums of each group, and of the load's together in the last place."""

    def __init__(self, found: Groups, over: float) -> None:
        self._load = found.load
        groups = len(found.names)
        self.counts = np.zeros((4, groups + 1), dtype=np.int64)
        self.sums = np.zeros((2, groups + 1))
        self.longest = np.zeros((2, groups + 1))
        self.over = over

    def add(self, batch: Samples) -> None:
        """Take some samples."""
        groups = self.counts.shape[1] - 1
        group, kept = batch.group, batch.kept
        kinds = (np.ones_like(kept), batch.failed > 0, kept, batch.given_up)
        for row, chosen in enumerate(kinds):
            counts = np.bincount(group[chosen], minlength=groups)
            self.counts[row] += [*counts, counts[self._load].sum()]
        own = group[kept]
        for row in (LATENCY, SERVICE):
            waited = batch.at_least(row, self.over)[kept]
            sums = np.bincount(own, weights=waited, minlength=groups)
            self.sums[row] += [*sums, sums[self._load].sum()]
            np.maximum.at(self.longest[row], own, batch.times(row)[kept])
            longest = self.longest[row, :-1][self._load]
            self.longest[row, -1] = longest.max(initial=0.0)

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


def _rows(
    run: LoadRun, kind: str, found: Groups, tallies: _Tallies, bound: bool
) -> Iterator[Row]:
    """Yield the load's requests together, where there are any, and then by name."""
    every = len(found.names)
    shares = tuple(SHARES.values())
    wanted = (LATENCY, SERVICE, FROM_DUE) if bound else (LATENCY, SERVICE)
    latency, service, *from_due = (
        quantiles.exact(partial(_timed, run, kind, which, found), every + 1, shares)
        for which in wanted
    )
    for group in [*([every] if kind == REQUESTS else []), *range(every)]:
        if tallies.counts[0, group]:
            name = found.names[group] if group < every else ALL
            yield Row(
                kind=name.kind,
                method=name.method,
                name=name.name,
                requests=int(tallies.counts[0, group]),
                failed=int(tallies.counts[1, group]),
                latency=tallies.spread(group, LATENCY, latency[group]),
                service=tallies.spread(group, SERVICE, service[group]),
                at_most=(
                    dict(zip(SHARES, from_due[0][group], strict=True))
                    if from_due
                    else {}
                ),
            )


def _timed(run: LoadRun, kind: str, which: int, found: Groups) -> Iterator[Batch]:
    """Yield the samples that have a say in percentiles, the load's in two groups."""
    load, every = found.load, len(found.names)
    for batch in samples.batches(run, kind, found):
        kept = batch.kept
        group, values = batch.group[kept], batch.times(which)[kept]
        yield group, values
        own = values[load[group]]
        yield np.full(len(own), every, dtype=np.int64), own
