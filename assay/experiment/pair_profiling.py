"""Profiles of a pair: rounds of both sides, then follow-up rounds if needed."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from assay.analysis.attribution.causes import causes
from assay.analysis.attribution.changes import at_head
from assay.analysis.attribution.every_cause import every_cause
from assay.analysis.attribution.growth import keeps_growing
from assay.analysis.attribution.rounds import pair_of
from assay.errors import AssayError, MeasureError
from assay.experiment import calibration, rounds, target
from assay.experiment.calibration import Schedule
from assay.experiment.context import Experiment
from assay.experiment.request_times import is_alone
from assay.experiment.sources import source_of
from assay.experiment.target import RunningTarget
from assay.load.control.generator import Generator
from assay.observations import Round, Source
from assay.plan import Preset, Topic
from assay.profilers.memory import Memory
from assay.profilers.probe import (
    ANSWER_SECONDS,
    SNAPSHOT_SECONDS,
    Probe,
    ProbeProfiler,
)
from assay.profilers.protocol import Capture, Observed
from assay.profilers.pyspy import PySpy
from assay.system import interrupts, processes

PAIR_SECONDS = 40.0  # seconds for all profiles of one pair
FOLLOW_UP_SECONDS = 13.0  # reserved for follow-up rounds, out of PAIR_SECONDS
FOLLOW_UP_ROUNDS = 3
# Slices with one user find out which tasks of the locustfile send a request.
LEARN_SLICES, LEARN_SECONDS = 3, 0.7
FEWEST_ALONE = 8.0  # answers per second; with fewer, rounds would have hardly any
STARTS = 5  # number of starts of each side
MIN_STARTS = 3
# Parts of the probe that slow a server too much: rounds with them give no times.
COSTLY = ("calls", "allocations")
START_UP = "startup"


@dataclass
class PairProfiling:
    """Profiles both sides of a pair; if a profile fails, only that profile is missing.

    Attributes:
        experiment: The running experiment.
        topic: The topic of the pair.
        pair: Baseline and candidate.
        presets: The presets of the profiles to take.
        folder: A folder for temporary files.
        environment: Environment variables for the servers.
        generator: The load generator.
        attach: Attaches the users to running servers, and pins the servers.
        request: The only request that is sent, if only this one differs; else empty.
        done: The rounds so far.
        taken: Names of the presets whose profiles were taken.
    """

    experiment: Experiment
    topic: Topic
    pair: tuple[str, str]
    presets: Sequence[Preset]
    folder: Path
    environment: Mapping[str, str]
    generator: Generator
    attach: Callable[[Sequence[RunningTarget]], None]
    request: str = ""
    done: list[Round] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def take(self, schedule: Schedule) -> set[str]:
        """Take all profiles, at the arrival rate of the launches if possible.

        The rate is lower if the probe slows a side: see `rounds.bearable_rate`.

        Returns:
            Names of the presets whose profiles were taken, without those of the probe.
        """
        self._note("profiling {} and {} in rounds")
        until = time.monotonic() + PAIR_SECONDS
        try:
            self._rounds(schedule, until - FOLLOW_UP_SECONDS)
        except Exception as error:  # the verdicts do not need the causes
            if interrupts.interrupted(error):
                raise
            self._warn(f"the causes of the difference are incomplete: {_text(error)}")
            return self.taken
        for follow_up in (self._follow_up, self._start_up):
            try:
                follow_up(schedule, until)
            except Exception as error:
                if interrupts.interrupted(error):
                    raise
                self._warn(_text(error))
        self._keep_sources()
        return self.taken

    def _keep_sources(self) -> None:
        """Keep the source lines around each cause, since the files may change later."""
        sources: dict[str, Source] = {}
        for cause in every_cause(self.topic, self.pair, self.done):
            # The lines are those of the candidate, unless only the baseline has them.
            for name in reversed(self.pair):
                for root in self.topic.code_of(self.topic.variant(name)):
                    source = source_of(root, cause.where)
                    if source:
                        sources.setdefault(cause.where, source)
        if sources:
            self.experiment.run.write_sources(self.topic.name, self.pair, sources)

    def _rounds(self, schedule: Schedule, until: float) -> None:
        """Run the rounds, with the cheap parts of the probe, py-spy and memory."""
        parts = [part for part in self._parts() if part not in (*COSTLY, START_UP)]
        with self._launched(parts, "rounds") as pair_rounds:
            pair_rounds.cpu = self._preset("cpu", PySpy.name)
            pair_rounds.rate = rounds.bearable_rate(
                self.generator,
                self.topic,
                self.pair,
                schedule,
                pair_rounds.sampled,
                self.request,
            )
            with self._memory_observed(pair_rounds.running):
                for round_ in pair_rounds.measure(until):
                    self._keep(round_)
        for problem in pair_rounds.problems:
            self._warn(problem)
        sampled = {round_.variant for round_ in self.done if round_.samples}
        if pair_rounds.cpu is not None and sampled == set(self.pair):
            self.taken.add("cpu")

    def _follow_up(self, schedule: Schedule, until: float) -> None:
        """Run rounds with costly parts of the probe, if asked for or needed."""
        asked = [part for part in self._parts() if part in COSTLY]
        wanted = list(dict.fromkeys([*asked, *self._needed_parts()]))
        if not wanted or (not asked and time.monotonic() > until):
            return
        self._note(f"counting the {' and '.join(wanted)} of {{}} and {{}}")
        with self._launched(wanted, "follow-up") as pair_rounds:
            pair_rounds.rate = rounds.bearable_rate(
                self.generator, self.topic, self.pair, schedule, request=self.request
            )
            for round_ in pair_rounds.follow_up(FOLLOW_UP_ROUNDS):
                self._keep(round_)

    def _needed_parts(self) -> Iterator[str]:
        """Yield the costly parts that the first rounds show a need for."""
        pair = pair_of(self.done, self.topic.name, self.pair)
        kinds = {cause.kind for cause in causes(self.topic.name, self.pair, pair)}
        if "cpu" in kinds:
            yield "calls"
        if any(keeps_growing(side) for side in (pair.baseline, pair.candidate)):
            yield "allocations"

    def _start_up(self, _: Schedule, until: float) -> None:
        """Start both sides a few times, if start-up is profiled or has a verdict."""
        if START_UP not in (*self._parts(), *self.topic.metrics()):
            return
        self._note("profiling the start of {} and {}")
        rng = self._rng("start-up")
        for number in range(1, STARTS + 1):
            if number > MIN_STARTS and time.monotonic() > until:
                return
            for name in rng.sample(self.pair, 2):
                self._keep(self._start(number, name))

    def _start(self, number: int, name: str) -> Round:
        """Start one side once."""
        folder = self._probe_folder("start-up") / f"{name}.{number}"
        variant = rounds.with_probe(
            self.topic,
            self.topic.variant(name),
            folder,
            self.environment,
            (START_UP,),
        )
        began = time.time()
        with target.launched(
            self.topic,
            [variant],
            self.environment,
            self.folder,
            (),
            self._rng(f"start-up/{number}"),
        ) as running:
            started, ended = running[name], time.time()
            counted = Probe(folder).since_the_start()
            cpu = sum(
                processes.cpu_seconds(member)
                for pid in started.pids
                for member in processes.tree(pid)
            )
        return Round(
            topic=self.topic.name,
            baseline=self.pair[0],
            candidate=self.pair[1],
            number=number,
            variant=name,
            purpose="start-up",
            began=began,
            ended=ended,
            requests=1,
            latency=started.startup or 0.0,
            cpu=cpu,
            cpu_wait=0.0,
            observations=tuple(rounds.per_request(counted, 1)),
        )

    @contextmanager
    def _launched(self, parts: Sequence[str], purpose: str) -> Iterator[rounds.Rounds]:
        """Start both sides with these parts of the probe, and prepare them for load."""
        folder, rng = self._probe_folder(purpose), self._rng(purpose)
        variants = [
            rounds.with_probe(
                self.topic,
                self.topic.variant(name),
                folder / name,
                self.environment,
                parts,
            )
            for name in self.pair
        ]
        with target.launched(
            self.topic, variants, self.environment, self.folder, (), rng
        ) as running:
            self.attach(list(running.values()))
            patience = SNAPSHOT_SECONDS if "allocations" in parts else ANSWER_SECONDS
            probes = {name: Probe(folder / name, patience) for name in self.pair}
            if "allocations" in parts:  # they are traced from the first question on
                for probe in probes.values():
                    probe.totals()
            calibration.warm_up(self.generator, self.topic, list(running.values()))
            self._learn()
            yield rounds.Rounds(
                self.topic,
                self.pair,
                running,
                probes,
                self.generator,
                rng,
                self.experiment.cores.generator,
                folder,
                request=self.request,
            )
            self.generator.detach()
            for server in running.values():
                server.check_guard(self.topic.target.guard)

    def _learn(self) -> None:
        """Find out which tasks send the request that differs.

        If it cannot be sent alone, for example because it needs what another task made,
        the whole load is sent, on both sides.
        """
        if not self.request:
            return
        for seed in range(LEARN_SLICES):
            for name in self.pair:
                self.generator.alone(name, LEARN_SECONDS, seed)
        users = self.topic.scenario.load.users
        for name in self.pair:
            alone = self.generator.closed(
                name, users, LEARN_SECONDS, request=self.request
            )
            enough = alone.requests >= FEWEST_ALONE * alone.duration
            if not enough or not is_alone(alone, self.request):
                self.request = ""
                return

    @contextmanager
    def _memory_observed(self, running: Mapping[str, RunningTarget]) -> Iterator[None]:
        """Observe the memory in a `with` block, if a preset asks for that."""
        preset = self._preset("memory", Memory.name)
        captures: dict[str, Capture] = {}
        with ExitStack() as stack:
            for name, side in running.items():
                if preset is None or side.child is None:
                    continue
                folder = self._probe_folder("memory") / name
                folder.mkdir(parents=True, exist_ok=True)
                cores = self.experiment.cores.generator
                try:
                    capture: Capture = Memory().start(
                        side.child.pid, preset, folder, cores
                    )
                except MeasureError as error:
                    self._warn(str(error))
                else:
                    captures[name] = capture
                    stack.callback(capture.stop)
            yield
        kept = 0
        for name, capture in captures.items():
            of_variant = [round_ for round_ in self.done if round_.variant == name]
            requests = sum(round_.requests for round_ in of_variant)
            cpu = sum(round_.cpu * round_.requests for round_ in of_variant)
            try:
                observed = Observed(
                    topic=self.topic.name,
                    variant=name,
                    requests=requests,
                    cpu_seconds=cpu,
                )
                profile = capture.profile(observed)
                update = {"pair": self.pair}
                self.experiment.run.write_profile(profile.model_copy(update=update))
                kept += 1
            except MeasureError as error:
                self._warn(str(error))
        if kept == len(running):
            self.taken.add("memory")

    def _parts(self) -> list[str]:
        """Return the parts of the probe that the presets ask for."""
        return [
            ProbeProfiler.part_of(preset)
            for preset in self.presets
            if preset.profiler == ProbeProfiler.name
        ]

    def _preset(self, name: str, profiler: str) -> Preset | None:
        """Return the preset with this name and this profiler; None if there is none."""
        for preset in self.presets:
            if (preset.name, preset.profiler) == (name, profiler):
                return preset
        return None

    def _keep(self, round_: Round) -> None:
        subject = self.experiment.plan.subject
        if subject and round_.variant == round_.baseline:
            round_ = at_head(round_, subject)
        # A round may come again, without its stacks.
        self.done = [one for one in self.done if _key(one) != _key(round_)]
        self.done.append(round_)
        self.experiment.run.write_round(round_)

    def _probe_folder(self, purpose: str) -> Path:
        return self.folder / "probes" / ".".join(self.pair) / purpose

    def _rng(self, purpose: str) -> random.Random:
        name = f"rounds/{'/'.join(self.pair)}/{purpose}"
        return self.experiment.rng(self.topic, name)

    def _note(self, template: str) -> None:
        """Show a note on the progress; the template has a {} for each side."""
        sides = template.format(*self.pair)
        self.experiment.progress.note(f"{self.topic.name}: {sides}")

    def _warn(self, text: str) -> None:
        self.experiment.warnings.append(f"{self.topic.name}: {text}")


def _key(one: Round) -> tuple[str, int, str]:
    return one.purpose, one.number, one.variant


def _text(error: Exception) -> str:
    """Return the message of an error; if it is unexpected, with its type."""
    if isinstance(error, (AssayError, OSError)):
        return str(error)
    return (
        f"{type(error).__name__}: {error} (this is a fault of Assay: please report it)"
    )
