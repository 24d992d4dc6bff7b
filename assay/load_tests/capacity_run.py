"""The search for a service's capacity, on the service itself."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from assay.load import shapes
from assay.load_plan import LoadPlan, Requirement
from assay.load_results import CapacityResults, LoadResults, Probe
from assay.load_tests import capacity
from assay.load_tests.generators import TARGET, Loader, generating
from assay.load_tests.run import Watcher, check_limit, load
from assay.metrics import requests_needed
from assay.run_directory.load_run import LoadRun, redacted
from assay.wording import judgement

FIRST_LOOK = 1.0  # seconds of a closed loop, from which the search begins
LONGEST = 60.0  # seconds of a probe that has few requests a second
REST = 1.0  # seconds after a probe: what it left behind is no part of the next one
ENOUGH = 1.2  # times the requests that a percentile needs: arrivals are random


class _Ended(Exception):  # noqa: N818 (it is no error)
    """A probe was ended before its time: it says nothing, and the search is over."""


@dataclass
class _Search:
    """A search that is under way."""

    plan: LoadPlan
    objective: Sequence[Requirement]
    most: float
    run: LoadRun
    watcher: Watcher
    say: Callable[[str], None]
    probes: list[Probe] = field(default_factory=list)
    warnings: Sequence[str] = ()
    exit_code: int | None = None

    def holds(self, generator: Loader, rate: float) -> bool:
        """Try a rate for a while; say whether the objective was met.

        Raises:
            _Ended: The probe was ended before its time.
            MeasureError: A limit of the generator's own machine was hit, or a file
                cannot be written.
        """
        number = len(self.probes) + 1
        plan = _at(self.plan, self.objective, rate, self.plan.seed + number)
        run = LoadRun.create(self.run.path / "probes" / f"{number:03d}", plan, {})
        self.say(f"probe {number}: {rate:,.1f} arrivals a second")
        results = load(generator, plan, run, self.watcher)
        check_limit(results)
        if results.partial:
            raise _Ended
        probe = _probe(rate, results)
        self.probes.append(probe)
        self.keep(None)
        self.say(
            f"  it {'held' if probe.held else 'did not hold'} {probe.reason}".rstrip()
        )
        if not probe.held:
            time.sleep(REST)
        return probe.held

    def keep(self, found: capacity.Capacity | None) -> CapacityResults:
        """Write what was found; None if the search did not come to its end."""
        over = found is not None
        if found is None:
            found = capacity.known((probe.rate, probe.held) for probe in self.probes)
        warnings = _warnings(self.probes, found) if over else []
        results = CapacityResults(
            run=self.run.name,
            partial=not over,
            seed=self.plan.seed,
            host=redacted(self.plan).host,
            objective=" and ".join(part.text.strip() for part in self.objective),
            low=found.low,
            high=found.high,
            most=self.most,
            probes=tuple(self.probes),
            locust_exit_code=self.exit_code,
            warnings=(*self.warnings, *warnings),
        )
        self.run.write_trials(results)
        return results


def measure(
    plan: LoadPlan,
    objective: Sequence[Requirement],
    most: float,
    run: LoadRun,
    watcher: Watcher,
    say: Callable[[str], None],
) -> CapacityResults:
    """Search for the highest rate that meets an objective.

    Whatever ends it, the probes that came to their end are kept.

    Args:
        plan: Whose locustfile, host and users; `duration` is that of a probe.
        objective: What has to hold.
        most: A rate that is not exceeded.
        run: Takes a directory for every probe, and the results.
        watcher: Takes news of the probe that runs.
        say: Takes what is tried, and what came of it.

    Raises:
        InputError: The locustfile cannot be imported.
        MeasureError: The generator ended, or no user could begin; a limit of its own
            machine was hit; or a file cannot be written.
    """
    search = _Search(plan, objective, most, run, watcher, say)
    search.keep(None)
    found = None
    with generating(plan, run.path, say) as generator:
        search.warnings = generator.warnings
        first = generator.pace(TARGET, min(plan.users, 8), FIRST_LOOK)
        start = max(capacity.LEAST_RATE, first / 2)
        with contextlib.suppress(_Ended):
            found = capacity.search(partial(search.holds, generator), start, most)
        search.exit_code = generator.finish()
    return search.keep(found)


def _at(
    plan: LoadPlan, objective: Sequence[Requirement], rate: float, seed: int
) -> LoadPlan:
    """Return the plan of a probe, long enough for the percentiles of the objective."""
    needed = max(
        requests_needed(f"latency.{part.metric.partition('.')[2]}")
        for part in objective
    )
    duration = max(plan.duration, min(LONGEST, ENOUGH * needed / rate))
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
    every = results.together
    broken = [
        f"{item.text.strip()}: {judgement(item)}"
        for item in results.requirements
        if item.verdict != "holds"
    ]
    return Probe(
        rate=rate,
        held=not broken,
        requests=every.requests if every else 0,
        failed=every.failed if every else 0,
        p50=every.latency.p50 if every else None,
        p99=every.latency.p99 if every else None,
        reason="; ".join(broken),
        late=results.bound,
    )


def _warnings(probes: Sequence[Probe], found: capacity.Capacity) -> list[str]:
    said = []
    if found.high is None and found.low is not None:
        said.append(
            f"Every rate held, up to {found.low:,.0f} a second, which was not to be "
            "exceeded (--most): the capacity is that much or more."
        )
    if any(probe.late and probe.rate == found.high for probe in probes):
        said.append(
            "At the upper end of the interval the load generator itself was the limit, "
            "not the service. Use LeanHttpUser, --workers, or a core of its own."
        )
    return said
