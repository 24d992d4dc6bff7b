"""A load test while it runs: samples to disk, news to whoever watches."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from assay.analysis import load_failures
from assay.errors import MeasureError
from assay.load import lateness
from assay.load.answers import Tick
from assay.load.orders import RunLoad
from assay.load.shapes import Shape
from assay.load_plan import LoadPlan
from assay.load_results import LoadResults, Name
from assay.load_tests import summary
from assay.load_tests.generators import TARGET, Loader, generating
from assay.load_tests.writer import Writer
from assay.run_directory.load_run import ITERATIONS, REQUESTS, LoadRun
from assay.system import redaction

if TYPE_CHECKING:
    from assay.analysis.statistics import Floats

RECENT = 5  # seconds that the live percentiles are about


@dataclass(frozen=True)
class News:
    """How a load test stands, once a second.

    Attributes:
        at: Seconds since it began.
        rate: Requests of the load itself that ended in the last second.
        failed: Requests of every kind that failed in the last seconds.
        p50: Latency of the last seconds: median; NaN if nothing was answered.
        p99: The same for one in a hundred.
        lag_p99: Seconds that arrivals were begun late by the generator itself.
        late: Share of the arrivals of the last seconds that this matters for.
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
    late: float
    generator: float


class Watcher(Protocol):
    """Takes news of a load test."""

    def heard(self, news: News) -> None:
        """Take how it stands."""


@dataclass(frozen=True)
class _Second:
    """What the requests that ended in a second were like.

    Attributes:
        latencies: In seconds, of the load's requests that were answered well.
        load: How many requests of the load itself ended.
        failed: How many requests failed, of every kind.
        lags: How late arrivals were begun, see `lateness.binned`.
    """

    latencies: Floats
    load: int
    failed: int
    lags: Mapping[str, int]


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
        MeasureError: The generator ended, or no user could begin; a limit of its own
            machine was hit; or a file cannot be written.
        KeyboardInterrupt: Ctrl-C, a second time.
    """
    with generating(plan, run.path, say) as generator:
        results = load(generator, plan, run, watcher, final=True)
        code = generator.finish()
        if code or results.raised or load_failures.nothing_succeeded(results):
            say("the last lines of the locustfile's log:")
            for line in generator.last_lines().splitlines():
                say(line)
    run.write_end(code)
    results = results.model_copy(update={"locust_exit_code": code})
    run.write_results(results)
    check_limit(results)
    return results


def load(
    generator: Loader,
    plan: LoadPlan,
    run: LoadRun,
    watcher: Watcher,
    final: bool = False,
) -> LoadResults:
    """Do a load test with a generator that is ready.

    Args:
        generator: Whose users are there.
        plan: What it is to do.
        run: Takes what came of it.
        watcher: Takes news.
        final: Whether no other test follows: then the users stop at its end.

    Raises:
        MeasureError: The generator ended, or a file cannot be written.
    """
    run.write_warnings([*plan.notes, *([] if plan.shaped else generator.warnings)])
    generator.load(order(plan, final))
    _collect(generator, run, watcher)
    results = summary.summed(run)
    run.write_results(results)
    return results


def check_limit(results: LoadResults) -> None:
    """Make sure that the server was what was measured.

    Raises:
        MeasureError: A limit of the generator's own machine was hit.
    """
    if results.limit:
        raise MeasureError(results.limit)


def order(plan: LoadPlan, final: bool = False) -> RunLoad:
    """Return what the generator is told.

    Args:
        plan: Of the test.
        final: Whether no other test follows.
    """
    return RunLoad(
        TARGET,
        shape=Shape(plan.times, plan.rates) if plan.open else None,
        schedule=plan.arrivals,
        users=plan.users,
        duration=plan.duration,
        iterations=plan.iterations,
        think_time=plan.think_time,
        seed=plan.seed,
        drain=plan.drain,
        spawn_rate=plan.spawn_rate,
        shaped=plan.shaped,
        final=final,
    )


def _collect(generator: Loader, run: LoadRun, watcher: Watcher) -> None:
    """Keep what the generator says until it has ended.

    Raises:
        MeasureError: The generator ended, or a file cannot be written.
    """
    writers = {kind: Writer(run, kind) for kind in (REQUESTS, ITERATIONS)}
    try:
        with _stopping(generator) as asked:
            _listen(generator, run, watcher, writers, asked)
    except BaseException:
        for writer in writers.values():
            with contextlib.suppress(MeasureError):  # the first one says why
                writer.flush()
        raise


def _listen(
    generator: Loader,
    run: LoadRun,
    watcher: Watcher,
    writers: Mapping[str, Writer],
    asked: Sequence[int],
) -> None:
    """Take second after second until the last one.

    Args:
        generator: Who tells of them.
        run: Where they are kept.
        watcher: Takes how it stands.
        writers: Take the samples.
        asked: The signals that came: whether somebody wants it to end.
    """
    recent: list[_Second] = []
    before, ended, limited = 0.0, False, False
    while not ended:
        tick = generator.tick()
        header = _shown(tick.header)
        ended = bool(header.get("last"))
        names = [Name.of(list(name)) for name in header.pop("names")]
        second = _second(tick, names)
        run.write_names([n._replace(name=redaction.url(n.name)) for n in names])
        writers[REQUESTS].add(tick.columns, header["began"])
        writers[ITERATIONS].add(tick.iterations, header["began"])
        if ended:  # whoever reads the last second can rely on all samples
            for writer in writers.values():
                writer.flush()
        p50, p99 = _percentiles([second])
        run.append_tick({**header, "p50": p50, "p99": p99, "stopped": bool(asked)})
        recent = [*recent, second][-RECENT:]
        watcher.heard(_news(header, recent, header["at"] - before))
        before = header["at"]
        if header["limit"] and not limited and not ended:
            limited = True
            generator.stop()  # what follows would say nothing about the server


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


def _shown(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return a header whose texts, which can quote URLs, hold no secrets."""
    texts = {
        name: _without_secrets(header[name]) for name in ("errors", "raised", "tasks")
    }
    return {**header, **texts}


def _without_secrets(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts by what may be kept of their texts."""
    found = Counter[str]()
    for text, count in counts.items():
        found[redaction.url(text)] += count
    return dict(found)


def _second(tick: Tick, names: Sequence[Name]) -> _Second:
    columns = tick.columns
    failed = columns["failed"] > 0
    kinds = np.array([name.kind == "request" for name in names], dtype=bool)
    load = kinds[columns["name"]]
    latencies = columns["waited"] + columns["end"] - columns["start"]
    return _Second(
        latencies=latencies[load & ~failed & np.isfinite(latencies)],
        load=int(load.sum()),
        failed=int(failed.sum()),
        lags=tick.header["lags"],
    )


def _percentiles(
    recent: Sequence[_Second],
) -> tuple[float | None, float | None]:
    """Return the median and the 99th percentile; None where nothing was answered."""
    latencies = np.concatenate([second.latencies for second in recent])
    if not len(latencies):
        return None, None
    p50, p99 = np.quantile(latencies, [0.5, 0.99])
    return float(p50), float(p99)


def _news(header: Mapping[str, Any], recent: Sequence[_Second], passed: float) -> News:
    p50, p99 = _percentiles(recent)
    lags = Counter[str]()
    for second in recent:
        lags.update(second.lags)
    return News(
        at=header["at"],
        planned=header["planned"],
        done=header["done"],
        dropped=header["dropped"],
        in_flight=header["in_flight"],
        backlog=header["backlog"],
        rate=recent[-1].load / max(passed, 1e-9),
        failed=sum(second.failed for second in recent),
        p50=math.nan if p50 is None else p50,
        p99=math.nan if p99 is None else p99,
        lag_p99=header["lag_p99"],
        late=lateness.share_late(lags, p50),
        generator=header["generator_cpu"] / max(passed, 1e-9),
    )
