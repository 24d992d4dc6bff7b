"""Run a search for the capacity of a service, one load test per probe."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from assay.load import shapes
from assay.load.control.loader import Loader
from assay.load_plan import LoadPlan, Requirement
from assay.load_results import CapacityResults, LoadResults, Probe
from assay.load_tests import capacity
from assay.load_tests.generators import TARGET, open_generator
from assay.load_tests.run import Watcher, check_limit, load, reason_kept
from assay.metrics import requests_needed
from assay.run_directory.load_run import LoadRun, redacted
from assay.wording import judgement

# A short closed loop estimates the first rate to try.
CLOSED_LOOP_SECONDS = 1.0
CLOSED_LOOP_USERS = 8
MAX_PROBE_SECONDS = 60.0  # a low rate needs long to collect enough requests
PAUSE = 1.0  # seconds after a missed probe, so that the server can finish its backlog
REQUEST_RESERVE = 1.2  # arrivals are random: plan for more than a percentile needs


class _ProbeStopped(Exception):  # noqa: N818 (it is not an error)
    """A probe was stopped early: its result is unknown, and the search ends."""


@dataclass
class _Search:
    """A search in progress."""

    plan: LoadPlan
    objective: Sequence[Requirement]
    max_rate: float
    run: LoadRun
    watcher: Watcher
    print_line: Callable[[str], None]
    probes: list[Probe] = field(default_factory=list)
    warnings: Sequence[str] = ()
    exit_code: int | None = None

    def holds(self, generator: Loader, rate: float) -> bool:
        """Probe a rate; return whether the objective was met.

        Raises:
            _ProbeStopped: The probe was stopped early.
            MeasureError: The generator's machine reached one of its limits, or a file
                cannot be written.
        """
        number = len(self.probes) + 1
        plan = _probe_plan(self.plan, self.objective, rate, self.plan.seed + number)
        run = LoadRun.create(self.run.path / "probes" / f"{number:03d}", plan, {})
        self.print_line(f"probe {number}: {rate:,.1f} arrivals per second")
        results = load(generator, plan, run, self.watcher)
        check_limit(results)
        if results.partial:
            self.warnings = [*self.warnings, *results.warnings]
            raise _ProbeStopped
        probe = _probe(rate, results)
        self.probes.append(probe)
        self.write(None)
        outcome = "it held" if probe.held else f"it did not hold: {probe.reason}"
        self.print_line(f"  {outcome}")
        if not probe.held:
            time.sleep(PAUSE)
        return probe.held

    def write(self, interval: capacity.Capacity | None) -> CapacityResults:
        """Write the results; `interval` is None while the search is unfinished."""
        finished = interval is not None
        if interval is None:
            trials = ((probe.rate, probe.held) for probe in self.probes)
            interval = capacity.from_trials(trials)
        warnings = _warnings(self.probes, interval) if finished else []
        shown = redacted(self.plan)
        results = CapacityResults(
            run=self.run.name,
            partial=not finished,
            seed=self.plan.seed,
            host=shown.host,
            title=shown.title,
            tags=shown.tags,
            objective=" and ".join(part.text.strip() for part in self.objective),
            low=interval.low,
            high=interval.high,
            most=self.max_rate,
            probes=tuple(self.probes),
            locust_exit_code=self.exit_code,
            warnings=(*self.warnings, *warnings),
        )
        self.run.write_trials(results)
        return results


def measure(
    plan: LoadPlan,
    objective: Sequence[Requirement],
    max_rate: float,
    run: LoadRun,
    watcher: Watcher,
    print_line: Callable[[str], None],
) -> CapacityResults:
    """Search for the highest rate that meets an objective.

    Completed probes are kept, however the search ends.

    Args:
        plan: The plan, for locustfile, host and users; its `duration` is the shortest
            duration of a probe.
        objective: The requirements that a rate must meet.
        max_rate: The highest rate to try.
        run: Gets the results, and one directory per probe.
        watcher: Gets the status of the running probe every second.
        print_line: Prints each rate that is tried, and the outcome.

    Raises:
        InputError: The locustfile cannot be imported.
        MeasureError: The generator ended, no user could start, the generator's machine
            reached one of its limits, or a file cannot be written.
    """
    search = _Search(plan, objective, max_rate, run, watcher, print_line)
    search.write(None)
    interval = None
    with (
        reason_kept(run),
        open_generator(plan, run.path, print_line) as generator,
    ):
        search.warnings = generator.warnings
        closed_loop_rate = generator.closed_loop_rate(
            TARGET, min(plan.users, CLOSED_LOOP_USERS), CLOSED_LOOP_SECONDS
        )
        start = max(capacity.MIN_RATE, closed_loop_rate / 2)
        with contextlib.suppress(_ProbeStopped):
            interval = capacity.search(
                partial(search.holds, generator), start, max_rate
            )
        search.exit_code = generator.finish()
    return search.write(interval)


def _probe_plan(
    plan: LoadPlan, objective: Sequence[Requirement], rate: float, seed: int
) -> LoadPlan:
    """Return the plan of a probe, if possible long enough for the objective.

    A percentile needs enough requests, but `MAX_PROBE_SECONDS` limits the duration.
    """
    needed = max(
        requests_needed(f"latency.{part.metric.partition('.')[2]}")
        for part in objective
    )
    expected_seconds = REQUEST_RESERVE * needed / rate
    duration = max(plan.duration, min(MAX_PROBE_SECONDS, expected_seconds))
    shape = shapes.constant(rate, duration)
    return plan.model_copy(
        update={
            "times": shape.times,
            "rates": shape.rates,
            "duration": duration,
            "shape": f"{rate:.4g}",
            "requirements": tuple(objective),
            "seed": seed,
            "trials": "",
        }
    )


def _probe(rate: float, results: LoadResults) -> Probe:
    total = results.total
    missed = [
        f"{item.text.strip()}: {judgement(item)}"
        for item in results.requirements
        if item.verdict != "holds"
    ]
    return Probe(
        rate=rate,
        held=not missed,
        requests=total.requests if total else 0,
        failed=total.failed if total else 0,
        p50=total.latency.p50 if total else None,
        p99=total.latency.p99 if total else None,
        reason="; ".join(missed),
        late=results.bound,
    )


def _warnings(probes: Sequence[Probe], interval: capacity.Capacity) -> list[str]:
    warnings = []
    if interval.high is None and interval.low is not None:
        warnings.append(
            "Every rate held, up to the highest that was allowed (--most): the "
            f"capacity is {interval.low:,.0f} arrivals per second or more."
        )
    if any(probe.late and probe.rate == interval.high for probe in probes):
        warnings.append(
            "At the upper end of the interval the load generator itself was the limit, "
            "not the service. Use LeanHttpUser or --workers, or give the generator its "
            "own core."
        )
    return warnings
