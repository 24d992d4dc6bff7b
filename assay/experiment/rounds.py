"""Rounds: both sides of a pair, profiled in turn under one arrival rate.

The two sides run at once, on fresh servers with the probe inside. A round loads one
after the other, in an order drawn anew, with the same arrivals. No number of a verdict
comes from these servers.
"""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from assay.analysis.attribution.rounds import pair_of
from assay.errors import MeasureError
from assay.experiment import slices
from assay.experiment.rates import check_answers
from assay.experiment.target import RunningTarget
from assay.load.control.generator import Generator
from assay.observations import Amount, Observation, Round
from assay.plan import Topic, Variant
from assay.probe import environment
from assay.probe.places import Project
from assay.profilers.probe import Between, Probe, between
from assay.profilers.sampling import Sampled, sampled

MIN_ROUNDS = 6  # two-sided tests over fewer cannot survive a correction
MAX_ROUNDS = 20
ROUND_SECONDS = 1.0  # of load, for each side
REQUESTS_PER_ROUND = 50  # wanted; slow services get up to three times the seconds
MAX_ROUND_SECONDS = 3 * ROUND_SECONDS
TRIAL_SECONDS = 0.3
KNOWN = 0.2  # share of a difference of latency to which it must be known
DEFAULT_SECONDS = 40.0  # for a pair
PARTS = ("waits", "queries", "gc")


def with_probe(
    topic: Topic, variant: Variant, folder: Path, base: Mapping[str, str]
) -> Variant:
    """Return a variant whose processes run the probe.

    Args:
        topic: The variant's topic.
        variant: The variant.
        folder: Where its probes write; it is made.
        base: The environment that its command is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    without_probe = {**base, **topic.target.env, **variant.env}
    project = topic.target.cwd
    added = environment.variables(folder, project, PARTS, without_probe)
    return variant.model_copy(update={"env": {**variant.env, **added}})


def bearable_rate(
    generator: Generator, topic: Topic, pair: tuple[str, str], rate: float
) -> float:
    """Return an arrival rate that both sides bear with a probe inside.

    The probe costs CPU time, and most where a request does many cheap things. At the
    rate of the launches such a side might not keep up, and everything would wait.

    Args:
        generator: To which both sides are attached.
        topic: For its load.
        pair: Baseline and candidate, which are warm.
        rate: The arrival rate of the launches; it is never exceeded.
    """
    load = topic.scenario.load
    for name in pair:
        tried = generator.closed(name, load.users, TRIAL_SECONDS)
        check_answers(topic.name, tried, load.users)
        tasks = max(tried.planned, 1) / max(tried.requests, 1)
        capacity = slices.throughput(tried, load.users) * tasks
        rate = min(rate, load.utilisation * capacity)
    return rate


@dataclass
class Rounds:
    """The rounds of one pair, on servers that are warm.

    Attributes:
        topic: The topic of the pair.
        pair: Baseline and candidate.
        running: Both sides.
        probes: The probes of both sides.
        generator: To which both sides are attached.
        rate: Arrivals per second.
        cores: Where profilers run.
        folder: For what they write.
        problems: Why there are no samples of CPU time, in sentences.
    """

    topic: Topic
    pair: tuple[str, str]
    running: Mapping[str, RunningTarget]
    probes: Mapping[str, Probe]
    generator: Generator
    rate: float
    rng: random.Random
    cores: Sequence[int]
    folder: Path
    problems: list[str] = field(default_factory=list)

    @property
    def project(self) -> Project:
        """Tells the user's own files from those of libraries."""
        return Project(str(self.topic.target.cwd))

    def measure(self, seconds: float = DEFAULT_SECONDS) -> Iterator[Round]:
        """Yield the rounds of both sides until enough is known, or the time is spent.

        Args:
            seconds: Time for all rounds; there are `MIN_ROUNDS` of each side at least.

        Raises:
            MeasureError: A side ended, or its probe does not answer.
        """
        until = time.monotonic() + seconds
        wanted = max(ROUND_SECONDS, REQUESTS_PER_ROUND / self.rate)
        length = min(wanted, MAX_ROUND_SECONDS)
        done: list[Round] = []
        for number in range(1, MAX_ROUNDS + 1):
            began = time.monotonic()
            seed = self.rng.getrandbits(32)
            for name in self.rng.sample(self.pair, 2):
                done.append(self._round(number, name, length, seed))
                yield done[-1]
            now = time.monotonic()
            out_of_time = now + (now - began) > until
            if number >= MIN_ROUNDS and (out_of_time or self._known(done)):
                return

    def _known(self, done: Sequence[Round]) -> bool:
        """Say whether the difference of latency is known well enough."""
        latency = pair_of(done, self.topic.name, self.pair).latency
        return latency.high - latency.low < 2 * KNOWN * abs(latency.amount)

    @contextmanager
    def _sampled(self, name: str) -> Iterator[Sampled]:
        """Sample the CPU time of a side; without py-spy there are no samples."""
        child = self.running[name].child
        with ExitStack() as stack:
            samples = Sampled()
            try:
                if child is not None and not self.problems:
                    folder = self.folder / "py-spy" / name
                    samples = stack.enter_context(
                        sampled(child.pid, folder, self.cores)
                    )
            except MeasureError as error:
                self.problems.append(str(error))
            yield samples

    def _round(self, number: int, name: str, seconds: float, seed: int) -> Round:
        probe, running = self.probes[name], self.running[name]
        if running.child is None:
            raise MeasureError(
                f"variant {name!r} cannot be profiled: {running.url} ran already, and "
                "a profile needs a process that Assay starts, by a command"
            )
        with self._sampled(name) as samples:
            before = probe.totals()
            measured = self.generator.open(name, self.rate, seconds, seed)
            running.check_alive()
            check_answers(self.topic.name, measured, when="while it was profiled")
            counted = between(before, probe.totals())
        if not measured.requests:
            raise MeasureError(
                f"{self.topic.name}: variant {name!r} served no request while it was "
                "profiled"
            )
        stacks = samples.stacks(self.project, measured.cpu, measured.requests)
        _, at_least = slices.latencies(measured)
        finite = at_least[np.isfinite(at_least)]
        return Round(
            topic=self.topic.name,
            baseline=self.pair[0],
            candidate=self.pair[1],
            number=number,
            variant=name,
            requests=measured.requests,
            latency=float(finite.mean()) if len(finite) else 0.0,
            cpu=measured.cpu / measured.requests,
            cpu_wait=measured.run_delay / measured.requests,
            observations=tuple(per_request(counted, measured.requests)),
            stacks=stacks,
            samples=samples.samples,
            notes=_notes(counted),
        )


def per_request(counted: Between, requests: int) -> Iterator[Observation]:
    """Yield what was counted, divided by the requests served meanwhile."""
    for event, amount in counted.amounts.items():
        yield Observation(
            event=event,
            amount=Amount(
                count=amount.count / requests,
                seconds=amount.seconds / requests,
                longest=amount.longest,
            ),
        )


def _notes(counted: Between) -> tuple[str, ...]:
    notes = list(counted.problems)
    if counted.lost:
        notes.append(
            f"{len(counted.lost)} processes ended in this round, and what they counted "
            "is lost."
        )
    return tuple(notes)
