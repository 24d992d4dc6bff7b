"""A load test while it runs: samples to disk, news to whoever watches."""

from __future__ import annotations

import contextlib
import math
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from assay import processes, redaction
from assay.load.fleet import Fleet, cores_of
from assay.load.remote import Generator, Tick
from assay.loadtest import summary
from assay.loadtest.plan import LoadPlan, LoadResults
from assay.loadtest.runs import ITERATIONS, REQUESTS, LoadRun

if TYPE_CHECKING:
    import pyarrow as pa

    from assay.statistics import Floats

TARGET = "target"
FILE_ROWS = 500_000  # or some seconds, whatever comes first: a crash costs no more
FILE_SECONDS = 5.0
RECENT = 5  # seconds that the live percentiles are about
LOOPBACK = "127.0.0.1:0"  # and a port that is free
HIRED_WAIT = 60.0  # seconds for workers of this machine to join
JOINED_WAIT = 600.0  # the same from elsewhere, where somebody has to start them

Loader = Generator | Fleet


@dataclass(frozen=True)
class News:
    """How a load test stands, once a second.

    Attributes:
        at: Seconds since it began.
        rate: Requests that ended in the last second.
        p50: Latency of the last seconds: median; NaN if nothing was answered.
        p99: The same for one in a hundred.
        lag_p99: Seconds that arrivals were late by the generator itself.
        generator: Share of a core that it used.
    """

    at: float
    planned: int
    done: int
    dropped: int
    in_flight: int
    backlog: int
    rate: float
    failed: int
    p50: float
    p99: float
    lag_p99: float
    generator: float


class Watcher(Protocol):
    """Takes news of a load test."""

    def heard(self, news: News) -> None:
        """Take how it stands."""


@dataclass
class _Writer:
    """Gathers samples until there are enough for a file."""

    run: LoadRun
    kind: str
    number: int = 0
    rows: int = 0
    since: float = field(default_factory=time.monotonic)
    parts: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, columns: Mapping[str, Any], began: float) -> None:
        """Take the samples of a second."""
        if len(columns["end"]):
            times = {
                name: columns[name] - began for name in ("scheduled", "start", "end")
            }
            self.parts.append({**columns, **times})
            self.rows += len(columns["end"])
        if self.rows >= FILE_ROWS or time.monotonic() - self.since > FILE_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what there is."""
        self.since = time.monotonic()
        if not self.parts:
            return
        self.number += 1
        self.run.write_samples(self.kind, self.number, _table(self.parts))
        self.parts, self.rows = [], 0


def measure(
    plan: LoadPlan,
    run: LoadRun,
    watcher: Watcher,
    say: Callable[[str], None] = lambda words: None,
) -> LoadResults:
    """Do a load test into its directory.

    Whatever ends it, what was measured is kept and summed up.

    Raises:
        InputError: The locustfile cannot be imported.
        MeasureError: The generator ended, or no user could begin.
        KeyboardInterrupt: Ctrl-C, a second time.
    """
    with generating(plan, say) as generator:
        return load(generator, plan, run, watcher)


@contextlib.contextmanager
def generating(
    plan: LoadPlan, say: Callable[[str], None] = lambda words: None
) -> Iterator[Loader]:
    """Give a generator whose users are ready for a plan's host.

    Args:
        plan: Whose locustfile, host and users, and how many workers.
        say: Takes who of the workers has joined.

    Raises:
        InputError: The locustfile cannot be imported.
        MeasureError: No user could begin.
    """
    with tempfile.TemporaryDirectory(prefix="assay-") as name:
        folder = Path(name)
        with processes.guarded([folder]):
            generator = _opened(plan, folder)
            try:
                if isinstance(generator, Fleet):
                    _gather(generator, plan, say)
                generator.attach({TARGET: plan.host}, {}, (), plan.users)
                yield generator
            finally:
                generator.close()


def _opened(plan: LoadPlan, folder: Path) -> Loader:
    if plan.workers == 1 and not plan.bind:
        cores = processes.split_cores().generator
        return Generator(plan.locustfile, folder, cores, plan.locust, host=plan.host)
    host, _, port = (plan.bind or LOOPBACK).rpartition(":")
    address = (host, int(port))
    return Fleet(plan.locustfile, folder, plan.locust, address, plan.host)


def _gather(fleet: Fleet, plan: LoadPlan, say: Callable[[str], None]) -> None:
    """Wait until all workers are there: those of this machine, or from elsewhere."""
    if not plan.bind:
        fleet.hire(plan.workers, cores_of(plan.workers))
        fleet.gather(plan.workers, HIRED_WAIT)
        return
    host, port = fleet.address
    say(f"waiting for {plan.workers} workers: assay worker --join {host}:{port}")
    fleet.gather(plan.workers, JOINED_WAIT, say)


def load(
    generator: Loader, plan: LoadPlan, run: LoadRun, watcher: Watcher
) -> LoadResults:
    """Do a load test with a generator that is ready."""
    run.write_warnings(generator.warnings)
    generator.load(TARGET, order(plan))
    _collect(generator, run, watcher)
    results = summary.summed(run)
    run.write_results(results)
    return results


def order(plan: LoadPlan) -> dict[str, Any]:
    """Return what the generator is told: see `assay.load.loading.Loading.run`."""
    shape = {"times": list(plan.times), "rates": list(plan.rates)}
    return {
        "shape": shape if plan.open else None,
        "schedule": plan.arrivals,
        "users": plan.users,
        "duration": plan.duration,
        "iterations": plan.iterations,
        "think_time": plan.think_time,
        "seed": plan.seed,
        "drain": plan.drain,
    }


def _collect(generator: Loader, run: LoadRun, watcher: Watcher) -> None:
    """Keep what the generator says until it has ended."""
    writers = {kind: _Writer(run, kind) for kind in (REQUESTS, ITERATIONS)}
    recent: list[tuple[Floats, int]] = []
    before, ended = 0.0, False
    try:
        with _stopping(generator) as asked:
            while not ended:
                tick = generator.tick()
                header = tick.header
                header["errors"] = _without_secrets(header["errors"])
                writers[REQUESTS].add(tick.columns, header["began"])
                writers[ITERATIONS].add(tick.iterations, header["began"])
                run.write_names([redaction.url(name) for name in header.pop("names")])
                latest = _latencies(tick)
                p50, p99 = _percentiles([latest])
                told = {**header, "p50": p50, "p99": p99, "stopped": bool(asked)}
                run.append_tick(told)
                recent = [*recent, latest][-RECENT:]
                watcher.heard(_news(header, recent, header["at"] - before))
                before, ended = header["at"], bool(header.get("last"))
    finally:
        for writer in writers.values():
            writer.flush()


@contextlib.contextmanager
def _stopping(generator: Loader) -> Iterator[list[int]]:
    """Let the first Ctrl-C end the test in order: it ends with all accounted for.

    Raising an exception wherever it comes could tear a message apart. The second one
    does, for whoever does not want to wait.

    Yields:
        The signals that came.
    """
    asked: list[int] = []

    def stop(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        generator.stop()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {
        number: signal.signal(number, stop)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # as nohup sets it
    }
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _without_secrets(errors: Mapping[str, int]) -> dict[str, int]:
    """Return errors, which can quote URLs, by what may be kept of them."""
    found = Counter[str]()
    for error, count in errors.items():
        found[redaction.url(error)] += count
    return dict(found)


def _latencies(tick: Tick) -> tuple[Floats, int]:
    columns = tick.columns
    failed = columns["failed"] > 0
    return (columns["end"] - columns["scheduled"])[~failed], int(failed.sum())


def _percentiles(
    recent: Sequence[tuple[Floats, int]],
) -> tuple[float | None, float | None]:
    """Return the median and the 99th percentile; None where nothing was answered."""
    waited = np.concatenate([latencies for latencies, _ in recent])
    if not len(waited):
        return None, None
    p50, p99 = np.quantile(waited, [0.5, 0.99])
    return float(p50), float(p99)


def _news(
    header: Mapping[str, Any], recent: Sequence[tuple[Floats, int]], passed: float
) -> News:
    p50, p99 = _percentiles(recent)
    return News(
        at=header["at"],
        planned=header["planned"],
        done=header["done"],
        dropped=header["dropped"],
        in_flight=header["in_flight"],
        backlog=header["backlog"],
        rate=header["requests"] / max(passed, 1e-9),
        failed=sum(failed for _, failed in recent),
        p50=math.nan if p50 is None else p50,
        p99=math.nan if p99 is None else p99,
        lag_p99=header["lag_p99"],
        generator=header["generator_cpu"] / max(passed, 1e-9),
    )


def _table(parts: Sequence[Mapping[str, Any]]) -> pa.Table:
    import pyarrow as pa

    return pa.table(
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    )
