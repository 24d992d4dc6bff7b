"""Run one load test: write its samples to disk, and report its status every second."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from assay.analysis import load_failures
from assay.errors import MeasureError
from assay.load import lateness
from assay.load.control.loader import Loader
from assay.load.orders import RunLoad
from assay.load.shapes import Shape
from assay.load.ticks import Tick
from assay.load_plan import LoadPlan
from assay.load_results import LoadResults, Name
from assay.load_tests import summary
from assay.load_tests.generators import TARGET, open_generator
from assay.load_tests.writer import Writer
from assay.run_directory.directory import NotARunError
from assay.run_directory.load_run import ITERATIONS, REQUESTS, LoadRun
from assay.system import interrupts, redaction
from assay.wording import counted

if TYPE_CHECKING:
    from assay.analysis.statistics import Floats

RECENT = 5  # seconds that the live percentiles cover


@dataclass(frozen=True)
class Status:
    """The status of a running load test, once a second.

    Attributes:
        at: Seconds since the test began.
        planned: Arrivals that were due.
        done: Arrivals that were served.
        dropped: Arrivals that were given up at once: too many others were waiting.
        in_flight: Arrivals that a user works on.
        backlog: Arrivals that wait for a user.
        rate: Requests of the load per second, in the last second.
        failed: Failed requests of every kind in the last `RECENT` seconds.
        p50: Median latency over the last `RECENT` seconds, in seconds; NaN without an
            answer.
        p99: 99th percentile of the latency over the same time, in seconds.
        lag_p99: 99th percentile of how late the generator began arrivals, in seconds.
        late_share: Share of the recent arrivals that were late enough to matter.
        generator_cpu: Share of a core that the generator used.
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
    late_share: float
    generator_cpu: float


class Watcher(Protocol):
    """Gets the status of a load test every second."""

    def update(self, status: Status) -> None:
        """Show the latest status."""


@dataclass(frozen=True)
class _Second:
    """The requests that ended in one second.

    Attributes:
        latencies: Latencies of the load's successful requests, in seconds.
        load: Number of requests of the load itself.
        failed: Number of failed requests, of every kind.
        lags: How late arrivals began, in bins: see `lateness.binned`.
    """

    latencies: Floats
    load: int
    failed: int
    lags: Mapping[str, int]


def measure(
    plan: LoadPlan,
    run: LoadRun,
    watcher: Watcher,
    print_line: Callable[[str], None] = lambda text: None,
) -> LoadResults:
    """Run a load test, and write everything to its directory.

    However the test ends, all measurements are kept and summarised.

    Raises:
        InputError: The locustfile cannot be imported.
        MeasureError: The generator ended, no user could start, the generator's machine
            reached one of its limits, or a file cannot be written.
        KeyboardInterrupt: Ctrl-C was pressed twice.
    """
    with (
        reason_kept(run),
        open_generator(plan, run.path, print_line) as generator,
    ):
        print_line(planned(plan))
        results = load(generator, plan, run, watcher, final=True)
        code = generator.finish()
        if code or results.raised or load_failures.nothing_succeeded(results):
            print_line("the last lines of the locustfile's log:")
            for line in generator.last_lines().splitlines():
                print_line(line)
    run.write_end(code)
    results = results.model_copy(update={"locust_exit_code": code})
    run.write_results(results)
    check_limit(results)
    return results


def planned(plan: LoadPlan) -> str:
    """Return what a load test is about to do, in words."""
    where = plan.host or "the host of the user classes"
    time = f"{plan.duration:g} s"
    if plan.open:
        number = counted(round(Shape(plan.times, plan.rates).expected), "arrival")
        return f"loading {where}: about {number} in {time}"
    if plan.shaped:
        return f"loading {where}: as many users as the LoadTestShape says"
    if plan.iterations:
        return f"loading {where}: {counted(plan.iterations, 'task')}, at most {time}"
    most = "up to " * bool(plan.user_times)
    return f"loading {where}: {most}{counted(plan.users, 'user')} for {time}"


@contextlib.contextmanager
def reason_kept(run: LoadRun) -> Iterator[None]:
    """If an error or a signal ends a test, write the reason to the test's directory."""
    try:
        yield
    except BaseException as error:
        reason = interrupts.why_ended(error, "test")
        # Whatever happens now, such as a full disk, the first error is the cause.
        with contextlib.suppress(MeasureError, NotARunError):
            run.write_reason(reason)
            if trials := run.trials():
                warnings = (*trials.warnings, reason)
                run.write_trials(trials.model_copy(update={"warnings": warnings}))
        raise


def load(
    generator: Loader,
    plan: LoadPlan,
    run: LoadRun,
    watcher: Watcher,
    final: bool = False,
) -> LoadResults:
    """Run a load test with a generator that is ready.

    Args:
        generator: The generator, whose users exist already.
        plan: The plan of the test.
        run: Gets samples, ticks and results.
        watcher: Gets the status every second.
        final: Whether this is the last test; the users then stop at its end.

    Raises:
        MeasureError: The generator ended, or a file cannot be written.
    """
    run.write_warnings([*plan.notes, *([] if plan.shaped else generator.warnings)])
    generator.load(order(plan, final))
    _collect(generator, run, watcher)
    results = summary.summarise(run)
    run.write_results(results)
    return results


def check_limit(results: LoadResults) -> None:
    """Check that the generator's machine did not reach one of its limits.

    Raises:
        MeasureError: The machine reached a limit.
    """
    if results.limit:
        raise MeasureError(results.limit)


def order(plan: LoadPlan, final: bool = False) -> RunLoad:
    """Return the order for the generator.

    Args:
        plan: The plan of the test.
        final: Whether this is the last test.
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
        user_shape=(
            Shape(plan.user_times, plan.user_counts) if plan.user_times else None
        ),
        final=final,
    )


def _collect(generator: Loader, run: LoadRun, watcher: Watcher) -> None:
    """Write the generator's reports to disk until the test has ended.

    Raises:
        MeasureError: The generator ended, or a file cannot be written.
    """
    writers = {kind: Writer(run, kind) for kind in (REQUESTS, ITERATIONS)}
    try:
        with _stopped_by_signals(generator) as signals:
            _store_ticks(generator, run, watcher, writers, signals)
    except BaseException:
        for writer in writers.values():
            with contextlib.suppress(MeasureError):  # the first error is the cause
                writer.flush()
        raise


def _store_ticks(
    generator: Loader,
    run: LoadRun,
    watcher: Watcher,
    writers: Mapping[str, Writer],
    signals: Sequence[int],
) -> None:
    """Store the generator's ticks, second by second, until the last one.

    Args:
        generator: Sends the ticks.
        run: Gets the ticks.
        watcher: Gets the status.
        writers: Get the samples.
        signals: The signals received so far; the list grows during the test.
    """
    recent: list[_Second] = []
    before, ended, limited = 0.0, False, False
    while not ended:
        tick = _redacted(generator.tick())
        ended = tick.last
        names = [Name.from_list(list(name)) for name in tick.names]
        second = _second(tick, names)
        run.write_names([n._replace(name=redaction.text(n.name)) for n in names])
        writers[REQUESTS].add(tick.request_columns, tick.began)
        writers[ITERATIONS].add(tick.task_columns, tick.began)
        if ended:  # the last tick on disk means that all samples are there
            for writer in writers.values():
                writer.flush()
        p50, p99 = _percentiles([second])
        row = {**tick.row(), "p50": p50, "p99": p99, "stopped": bool(signals)}
        if signals:
            row["stopped_by"] = interrupts.name(signals[0])
        run.append_tick(row)
        recent = [*recent, second][-RECENT:]
        watcher.update(_status(tick, recent, tick.at - before))
        before = tick.at
        if tick.limit and not limited and not ended:
            limited = True
            generator.stop()  # the rest of the test would not measure the server


@contextlib.contextmanager
def _stopped_by_signals(generator: Loader) -> Iterator[list[int]]:
    """Let the first Ctrl-C stop the test cleanly, with every arrival accounted for.

    An exception could cut a message in half, so the first Ctrl-C raises none. A second
    Ctrl-C does, for a user who does not want to wait.

    Yields:
        The signals received so far, in a list that grows.
    """
    received: list[int] = []

    def stop(number: int, frame: object) -> None:
        if received:
            interrupts.raise_interrupt(number, frame)
        received.append(number)
        generator.stop()

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    original_handlers = {
        number: signal.signal(number, stop)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # nohup ignores SIGHUP
    }
    try:
        yield received
    finally:
        for number, handler in original_handlers.items():
            signal.signal(number, handler)


def _redacted(tick: Tick) -> Tick:
    """Return a tick without secrets in its texts, which can quote URLs.

    The names of its samples are redacted only when they are written.
    """
    return replace(
        tick,
        errors=_redacted_counts(tick.errors),
        raised=_redacted_counts(tick.raised),
        tracebacks={
            redaction.text(error): redaction.text(trace)
            for error, trace in tick.tracebacks.items()
        },
        tasks=_redacted_counts(tick.tasks),
    )


def _redacted_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts by redacted text."""
    redacted_counts = Counter[str]()
    for text, count in counts.items():
        redacted_counts[redaction.text(text)] += count
    return dict(redacted_counts)


def _second(tick: Tick, names: Sequence[Name]) -> _Second:
    columns = tick.request_columns
    failed = columns["failed"] > 0
    kinds = np.array([name.kind == "request" for name in names], dtype=bool)
    load = kinds[columns["name"]]
    latencies = columns["waited"] + columns["end"] - columns["start"]
    return _Second(
        latencies=latencies[load & ~failed & np.isfinite(latencies)],
        load=int(load.sum()),
        failed=int(failed.sum()),
        lags=tick.lags,
    )


def _percentiles(
    recent: Sequence[_Second],
) -> tuple[float | None, float | None]:
    """Return the median and 99th percentile in seconds; None without an answer."""
    latencies = np.concatenate([second.latencies for second in recent])
    if not len(latencies):
        return None, None
    p50, p99 = np.quantile(latencies, [0.5, 0.99])
    return float(p50), float(p99)


def _status(tick: Tick, recent: Sequence[_Second], passed: float) -> Status:
    p50, p99 = _percentiles(recent)
    lags = Counter[str]()
    for second in recent:
        lags.update(second.lags)
    return Status(
        at=tick.at,
        planned=tick.counts.planned,
        done=tick.counts.done,
        dropped=tick.counts.dropped,
        in_flight=tick.counts.in_flight,
        backlog=tick.counts.backlog,
        rate=recent[-1].load / max(passed, 1e-9),
        failed=sum(second.failed for second in recent),
        p50=math.nan if p50 is None else p50,
        p99=math.nan if p99 is None else p99,
        lag_p99=tick.lag_p99,
        late_share=lateness.share_late(lags, p50),
        generator_cpu=tick.generator_cpu / max(passed, 1e-9),
    )
