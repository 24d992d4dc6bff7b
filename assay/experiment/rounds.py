"""Rounds: both sides of a pair are profiled in turn, under one arrival rate.

The servers of both sides run at the same time, freshly started with the probe inside. A
round loads one side after the other with the same arrivals, in a new random order. No
verdict uses numbers from these servers.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from assay.analysis.attribution.rounds import pair_of
from assay.errors import MeasureError
from assay.experiment import slices
from assay.experiment.calibration import Schedule
from assay.experiment.rates import check_answers
from assay.experiment.target import RunningTarget
from assay.load.control.generator import Generator
from assay.observations import Amount, Observation, Purpose, Round
from assay.plan import Preset, Topic, Variant
from assay.probe import environment
from assay.probe.places import Project
from assay.profilers.probe import Between, Probe, Totals, between
from assay.profilers.sampling import MAX_OUTSIDE, Sampled, sampled, share_outside
from assay.system import processes

MIN_ROUNDS = 6  # with fewer, no two-sided test can stay significant once corrected
MAX_ROUNDS = 20
SURE_ROUNDS = 3  # so many rounds have enough samples to say what needs all threads
ROUND_SECONDS = 1.0  # seconds of load on each side
REQUESTS_PER_ROUND = 50  # to reach them, slow services get up to MAX_ROUND_SECONDS
MAX_ROUND_SECONDS = 3 * ROUND_SECONDS
TRIAL_SECONDS = 0.5
# In a closed loop, a server reads several requests at once. In an open loop, a request
# costs more, above all with the probe inside. So a rate that had to be lowered to less
# than this share is multiplied by the share once more.
HEADROOM = 0.75
MIN_DIFFERENCE = 0.1  # share of CPU time; a smaller difference of one round is noise
KNOWN = 0.2  # a latency difference is known if its relative error is less than this


def with_probe(
    topic: Topic,
    variant: Variant,
    folder: Path,
    base: Mapping[str, str],
    parts: Sequence[str],
) -> Variant:
    """Return a variant whose processes run the probe.

    Args:
        topic: The variant's topic.
        variant: The variant.
        folder: The folder that its probes write to; it is made.
        base: The environment variables that its command gets from Assay.
        parts: The parts of the probe that are switched on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    without_probe = {**base, **topic.target.env, **variant.env}
    packages = [variant.packages] if variant.packages else []
    added = environment.variables(
        folder, topic.roots_of(variant), packages, parts, without_probe
    )
    return variant.model_copy(update={"env": {**variant.env, **added}})


def bearable_rate(
    generator: Generator,
    topic: Topic,
    pair: tuple[str, str],
    schedule: Schedule,
    sampled: Callable[[str], AbstractContextManager[object]] = nullcontext,
    request: str = "",
) -> float:
    """Return the arrival rate that loads both sides as much as the launches did.

    The probe and the sampling cost CPU time, most of all if a request does many cheap
    things. At the rate of the launches, a side might not keep up, and every request
    would wait. So the rate is lowered by the share of its capacity that a side loses;
    the larger loss counts. If much is lost, it is lowered further: see `HEADROOM`.

    Args:
        generator: The generator, with both sides attached.
        topic: The topic, which has the load.
        pair: Baseline and candidate, which are warm.
        schedule: The rate of the launches, and the capacities without the probe.
        sampled: Takes the name of a side, and samples it as the rounds will.
        request: The only request that is sent; empty for the whole load. The launches
            did not send it alone, so its rate follows from the utilisation that the
            load asks for.

    Raises:
        MeasureError: A side answers nothing.
    """
    users, share = topic.scenario.load.users, 1.0
    least = math.inf
    for name in pair:
        with sampled(name):
            tried = generator.closed(name, users, TRIAL_SECONDS, request=request)
        check_answers(topic.name, tried, users)
        tasks = max(tried.planned, 1) / max(tried.requests, 1)
        with_probe = slices.throughput(tried, users) * tasks
        least = min(least, with_probe)
        without = schedule.capacity.get(name, with_probe)
        share = min(share, with_probe / without if without else 1.0)
    if not share:
        raise MeasureError(
            f"{topic.name}: a variant answered nothing within {TRIAL_SECONDS:g} s with "
            "the probe inside"
        )
    if request:
        rate = topic.scenario.load.utilisation * least
        return min(rate, topic.scenario.load.arrival_rate or rate)
    return schedule.rate * share * (HEADROOM if share < HEADROOM else 1.0)


@dataclass
class Rounds:
    """The rounds of one pair, on servers that are warm.

    Attributes:
        topic: The topic of the pair.
        pair: Baseline and candidate.
        running: Both sides.
        probes: The probes of both sides.
        generator: The generator, with both sides attached.
        rng: Draws orders and arrivals.
        cores: The cores that profilers run on.
        folder: The folder that profilers write to.
        rate: Arrivals per second.
        request: The only request that is sent; empty for the whole load.
        cpu: The preset that samples CPU time; None if it is not sampled.
        gil: Whether only threads that hold the GIL are sampled.
        problems: Sentences that say why there are no samples of CPU time.
        counted: The totals of each side after its last round. Follow-up rounds begin
            with them, because totals with allocations take seconds.
    """

    topic: Topic
    pair: tuple[str, str]
    running: Mapping[str, RunningTarget]
    probes: Mapping[str, Probe]
    generator: Generator
    rng: random.Random
    cores: Sequence[int]
    folder: Path
    rate: float = 1.0
    request: str = ""
    cpu: Preset | None = None
    gil: bool = True
    problems: list[str] = field(default_factory=list)
    counted: dict[str, dict[int, Totals]] = field(default_factory=dict)

    @property
    def project(self) -> Project:
        """The project, which tells the user's own files from those of libraries."""
        variants = [self.topic.variant(name) for name in self.pair]
        roots = [self.topic.roots_of(variant) for variant in variants]
        return Project(
            # Copies come first, because a copy can lie inside the original folder.
            [str(root) for same in zip(*roots, strict=True) for root in same],
            [str(variant.packages) for variant in variants if variant.packages],
        )

    def measure(self, until: float) -> Iterator[Round]:
        """Yield the rounds of both sides until enough is known, or time runs out.

        If all threads must be sampled, the first rounds are yielded again, without
        their stacks.

        Args:
            until: When time runs out, by the monotonic clock. At least `MIN_ROUNDS` of
                each side are measured even so.

        Raises:
            MeasureError: A side ended, or its probe does not answer.
        """
        done: list[Round] = []
        enough = MIN_ROUNDS
        for number in range(1, MAX_ROUNDS + 1):
            began = time.monotonic()
            both = self._both(number, "load")
            if number == 1 and self.gil and is_outside(both):
                self.gil = False
                both = self._both(number, "load")
            done += both
            yield from both
            if number == SURE_ROUNDS and self.gil and is_outside(done):
                # All stacks of a side must be sampled in the same way.
                self.gil = False
                done = [without_stacks(one) for one in done]
                yield from done
                enough += SURE_ROUNDS
            now = time.monotonic()
            out_of_time = now + (now - began) > until
            if number >= MIN_ROUNDS and out_of_time:
                return
            if number >= enough and self._known(done):
                return

    def follow_up(self, number: int) -> Iterator[Round]:
        """Yield some further rounds of both sides; their times must not be compared.

        Args:
            number: The number of rounds of each side.

        Raises:
            MeasureError: A side ended, or its probe does not answer.
        """
        # Both sides wait for the same time between two rounds, so that what threads do
        # meanwhile is counted on both.
        self.counted = {name: self.probes[name].totals() for name in self.pair}
        for each in range(1, number + 1):
            yield from self._both(each, "follow-up", self.pair)

    def _both(
        self, number: int, purpose: Purpose, order: Sequence[str] = ()
    ) -> list[Round]:
        """Load one side after the other with the same arrivals, by default shuffled."""
        wanted = max(ROUND_SECONDS, REQUESTS_PER_ROUND / self.rate)
        seconds, seed = min(wanted, MAX_ROUND_SECONDS), self.rng.getrandbits(32)
        return [
            self._round(number, name, seconds, seed, purpose)
            for name in order or self.rng.sample(self.pair, 2)
        ]

    def _known(self, done: Sequence[Round]) -> bool:
        """Say whether the difference in latency is known well enough: see `KNOWN`."""
        latency = pair_of(done, self.topic.name, self.pair).latency
        return latency.high - latency.low < 2 * KNOWN * abs(latency.amount)

    @contextmanager
    def sampled(self, name: str) -> Iterator[Sampled]:
        """Sample the CPU time of a side; if py-spy fails, there are no samples."""
        child = self.running[name].child
        with ExitStack() as stack:
            samples = Sampled()
            try:
                if child is not None and self.cpu is not None and not self.problems:
                    folder = self.folder / "py-spy" / name
                    samples = stack.enter_context(
                        sampled(child.pid, self.cpu, folder, self.cores, self.gil)
                    )
            except MeasureError as error:
                self.problems.append(str(error))
            yield samples

    def _round(
        self, number: int, name: str, seconds: float, seed: int, purpose: Purpose
    ) -> Round:
        probe, running = self.probes[name], self.running[name]
        if running.child is None:
            raise MeasureError(
                f"variant {name!r} cannot be profiled: {running.url} ran already, and "
                "a profile needs a process that Assay starts, by a command"
            )
        with self.sampled(name) as samples:
            follows = purpose == "follow-up"
            before = self.counted[name] if follows else probe.totals()
            began = time.time()
            measured = self.generator.open(
                name, self.rate, seconds, seed, request=self.request
            )
            running.check_alive()
            check_answers(self.topic.name, measured, when="while it was profiled")
            self.counted[name] = probe.totals()
            counted, ended = between(before, self.counted[name]), time.time()
        if not measured.requests:
            raise MeasureError(
                f"{self.topic.name}: variant {name!r} served no request while it was "
                "profiled"
            )
        # The probe's own threads work for no request.
        cpu = max(0.0, measured.cpu - counted.probe_cpu)
        cpu_wait = max(0.0, measured.run_delay - counted.probe_wait)
        stacks = samples.stacks(self.project, cpu, measured.requests)
        _, at_least = slices.latencies(measured)
        finite = at_least[np.isfinite(at_least)]
        return Round(
            topic=self.topic.name,
            baseline=self.pair[0],
            candidate=self.pair[1],
            number=number,
            variant=name,
            purpose=purpose,
            began=began,
            ended=ended,
            rate=self.rate,
            request=self.request,
            requests=measured.requests,
            latency=float(finite.mean()) if len(finite) else 0.0,
            cpu=cpu / measured.requests,
            cpu_wait=cpu_wait / measured.requests,
            loop_wait=max(0.0, min(cpu_wait, counted.loop_wait)) / measured.requests,
            memory=resident(running.child.pid),
            observations=tuple(per_request(counted, measured.requests)),
            stacks=stacks,
            samples=samples.samples,
            notes=_notes(counted),
        )


def is_outside(rounds: Sequence[Round]) -> bool:
    """Say whether threads use much CPU time while they do not hold the GIL.

    "Much" is relative to one side's CPU time, or to the difference between both sides.

    Args:
        rounds: As many rounds of the baseline as of the candidate.
    """
    cpu, outside = [0.0, 0.0], [0.0, 0.0]
    for one in rounds:
        side = one.variant == one.candidate
        cpu[side] += one.cpu
        outside[side] += one.cpu * share_outside(one.stacks)
    if any(part > MAX_OUTSIDE * whole for part, whole in zip(outside, cpu)):
        return True
    difference = abs(cpu[1] - cpu[0])
    matters = difference > MIN_DIFFERENCE * max(cpu)
    return matters and abs(outside[1] - outside[0]) > MAX_OUTSIDE * difference


def without_stacks(one: Round) -> Round:
    """Return a round as if its call stacks had not been sampled."""
    return one.model_copy(update={"stacks": (), "samples": 0})


def resident(pid: int) -> float:
    """Return the resident bytes of a process tree; 0 if it has ended."""
    total = 0.0
    for member in processes.tree(pid):
        with suppress(psutil.Error):
            total += psutil.Process(member).memory_info().rss
    return total


def per_request(counted: Between, requests: int) -> Iterator[Observation]:
    """Yield the probe's counts, divided by the number of requests in the same time.

    Args:
        counted: The counts of the probe.
        requests: Number of requests served in the same time.
    """
    for event, amount in counted.amounts.items():
        count, seconds = amount.count / requests, amount.seconds / requests
        yield Observation(
            event=event,
            amount=Amount(count=count, seconds=seconds, longest=amount.longest),
        )


def _notes(counted: Between) -> tuple[str, ...]:
    notes = list(counted.problems)
    if counted.lost:
        notes.append(
            f"{len(counted.lost)} processes ended in this round, and what they counted "
            "is lost."
        )
    return tuple(notes)
