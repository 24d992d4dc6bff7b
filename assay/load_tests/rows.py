"""The rows of a load test: counts and exact percentiles by kind, method and name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from assay.load_curves import Curves
from assay.load_results import KIND_ORDER, Name, Row, Spread
from assay.load_tests import quantiles, samples
from assay.load_tests.answers import Answers
from assay.load_tests.samples import FROM_DUE, LATENCY, SERVICE, Groups, Samples
from assay.load_tests.timeline import Intervals
from assay.run_directory.load_run import ITERATIONS, REQUESTS, LoadRun

if TYPE_CHECKING:
    from assay.load_tests.quantiles import Batch

SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
MIN_CURVE_REQUESTS = 20
REQUESTS_BEYOND = 5  # requests beyond the last point of a curve
CURVE_POINTS = 120
MAX_EXACT_SAMPLES = 2_000_000  # an exact curve keeps most of its samples in memory
ALL_REQUESTS = Name("request", "", "")  # the row of all the load's requests together


@dataclass(frozen=True)
class SampleSummary:
    """The samples on disk, summarised.

    Attributes:
        rows: First a row of all the load's requests together, then a row for each kind,
            method and name.
        requests: Number of samples of requests, of every kind.
        iterations: Number of samples of tasks.
        intervals: The requests over time.
    """

    rows: tuple[Row, ...]
    requests: int
    iterations: int
    intervals: Intervals


def summarise_samples(
    run: LoadRun, tasks: Mapping[str, int], test_end: float, bound: bool = False
) -> SampleSummary:
    """Return the rows of a test, and the number of samples behind them.

    Args:
        run: The directory of the test.
        tasks: How many tasks of each name ended, including tasks of a single request,
            which have no separate sample.
        test_end: When the test ended, in seconds since its start.
        bound: Whether latencies are lower bounds, so that the rows also need upper
            bounds.

    Raises:
        NotARunError: The samples are damaged, or an older version of Assay wrote them.
    """
    groups = samples.groups(run)
    rows, counts = list[Row](), dict[str, int]()
    intervals = Intervals(groups, test_end)
    for kind in (REQUESTS, ITERATIONS):
        tallies = _Tallies(groups, test_end)
        for batch in samples.batches(run, kind, groups):
            tallies.add(batch)
            if kind == REQUESTS:
                intervals.add(batch)
        counts[kind] = int(tallies.counts[0, :-1].sum())
        if counts[kind]:
            rows += _rows(run, kind, groups, tallies, bound)
    rows.sort(
        key=lambda row: (KIND_ORDER.index(row.kind), bool(row.name or row.method))
    )
    for index, row in enumerate(rows):
        if row.kind == "task":
            ended = max(row.requests, tasks.get(row.name, 0))
            rows[index] = row.model_copy(update={"requests": ended})
    return SampleSummary(tuple(rows), counts[REQUESTS], counts[ITERATIONS], intervals)


def curves(
    run: LoadRun, count: int, shares: Sequence[float]
) -> list[list[float | None]]:
    """Return latency and service time of the load's requests at many percentiles.

    For more than `MAX_EXACT_SAMPLES` requests the times are exact only to 1 %: exact
    times would need nearly all samples in memory.

    Args:
        run: The directory of the test.
        count: Number of the load's requests that count in percentiles.
        shares: The percentiles, from 0 to 1.
    """
    sources = [partial(_load_times, run, which) for which in (LATENCY, SERVICE)]
    if count > MAX_EXACT_SAMPLES:
        return [quantiles.rough(batches, shares) for batches in sources]
    return [quantiles.exact(batches, 1, shares)[0] for batches in sources]


def percentile_curves(run: LoadRun, count: int) -> Curves | None:
    """Return the times of the load's requests by percentile; None for too few requests.

    The points are evenly spaced on a logarithmic axis of the share beyond them.

    Args:
        run: The directory of the test.
        count: Number of the load's requests that count in percentiles.
    """
    if count < MIN_CURVE_REQUESTS:
        return None
    decades = -math.log10(REQUESTS_BEYOND / count)
    shares = [
        1 - 10 ** -(decades * point / (CURVE_POINTS - 1))
        for point in range(CURVE_POINTS)
    ]
    latency, service = curves(run, count, shares)
    return Curves(shares=tuple(shares), latency=tuple(latency), service=tuple(service))


def _load_times(run: LoadRun, which: int) -> Iterator[Batch]:
    """Yield the times that count in the load's percentiles, as one group."""
    groups = samples.groups(run)
    for batch in samples.batches(run, REQUESTS, groups):
        chosen = batch.timed & groups.load[batch.group]
        yield np.zeros(int(chosen.sum()), dtype=np.int64), batch.times(which)[chosen]


class _Tallies:
    """Counts and sums of each group; the last column is the total of the load.

    The rows of `counts` are all samples, those that failed, those that are timed and
    those that were given up. The rows of `sums` and `longest` are `LATENCY` and
    `SERVICE`, in seconds.
    """

    def __init__(self, groups: Groups, test_end: float) -> None:
        self._load = groups.load
        columns = len(groups.names) + 1
        self.counts = np.zeros((4, columns), dtype=np.int64)
        self.sums = np.zeros((2, columns))
        self.longest = np.zeros((2, columns))
        self.test_end = test_end
        self.answers = Answers(groups)

    def add(self, batch: Samples) -> None:
        """Add a batch of samples."""
        self.answers.add(batch)
        groups = self.counts.shape[1] - 1
        group, timed = batch.group, batch.timed
        selections = (np.ones_like(timed), batch.failed > 0, timed, batch.given_up)
        for row, selected in enumerate(selections):
            counts = np.bincount(group[selected], minlength=groups)
            self.counts[row] += [*counts, counts[self._load].sum()]
        timed_group = group[timed]
        for which in (LATENCY, SERVICE):
            times = batch.at_least(which, self.test_end)[timed]
            sums = np.bincount(timed_group, weights=times, minlength=groups)
            self.sums[which] += [*sums, sums[self._load].sum()]
            np.maximum.at(self.longest[which], timed_group, batch.times(which)[timed])
            longest = self.longest[which, :-1][self._load]
            self.longest[which, -1] = longest.max(initial=0.0)

    def spread(
        self, group: int, which: int, percentiles: Sequence[float | None]
    ) -> Spread:
        """Return the spread of a group's `LATENCY` or `SERVICE` times."""
        _, _, timed, given_up = self.counts[:, group].tolist()
        return Spread(
            count=timed,
            unanswered=given_up,
            mean=float(self.sums[which, group]) / timed if timed else None,
            longest=float(self.longest[which, group]) if timed else None,
            **dict(zip(SHARES, percentiles, strict=True)),
        )


def _rows(
    run: LoadRun, kind: str, groups: Groups, tallies: _Tallies, bound: bool
) -> Iterator[Row]:
    """Yield the row of the whole load, if there are requests, then a row per name."""
    total = len(groups.names)  # the number of the group of all the load's requests
    shares = tuple(SHARES.values())
    times = (LATENCY, SERVICE, FROM_DUE) if bound else (LATENCY, SERVICE)
    latency, service, *from_due = (
        quantiles.exact(
            partial(_group_times, run, kind, which, groups), total + 1, shares
        )
        for which in times
    )
    for group in [*([total] if kind == REQUESTS else []), *range(total)]:
        if tallies.counts[0, group]:
            name = groups.names[group] if group < total else ALL_REQUESTS
            yield Row(
                kind=name.kind,
                method=name.method,
                name=name.name,
                requests=int(tallies.counts[0, group]),
                failed=int(tallies.counts[1, group]),
                **tallies.answers.fields(group),
                latency=tallies.spread(group, LATENCY, latency[group]),
                service=tallies.spread(group, SERVICE, service[group]),
                at_most=(
                    dict(zip(SHARES, from_due[0][group], strict=True))
                    if from_due
                    else {}
                ),
            )


def _group_times(
    run: LoadRun, kind: str, which: int, groups: Groups
) -> Iterator[Batch]:
    """Yield the times that count in percentiles by name; then the load's as a total."""
    total = len(groups.names)
    for batch in samples.batches(run, kind, groups):
        timed = batch.timed
        group, times = batch.group[timed], batch.times(which)[timed]
        yield group, times
        load_times = times[groups.load[group]]
        yield np.full(len(load_times), total, dtype=np.int64), load_times
