"""Launches of randomised blocks until the verdicts are decided or time is up."""

import contextlib
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay import companions, profiling, target
from assay.analysis import comparisons, measurements, verdicts
from assay.system import interrupts, processes
from assay.deadlines import Deadline
from assay.disturbance import WORDS
from assay.load.remote import Generator
from assay.plan import AA_SUFFIX, Plan, Topic
from assay.progress import Progress
from assay.results import (Comparison, Results)
from assay.run_directory.run import RunDirectory
from assay.servicesessions import ServiceSession
from assay.sessions import MicroSession, Session


@dataclass
class Experiment:
    """A run that is under way.

    Attributes:
        origin: `time.perf_counter` when it began: zero of all times it keeps.
        warnings: What a reader must know, in sentences.
        errors: Topic and variant, to its request errors and how often they came.
    """

    plan: Plan
    run: RunDirectory
    progress: Progress
    cores: processes.Cores
    scratch: Path
    origin: float = field(default_factory=time.perf_counter)
    warnings: list[str] = field(default_factory=list)
    errors: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def rng(self, topic: Topic, what: object) -> random.Random:
        """Return the random choices of one launch or profile of a topic.

        They hang on the seed and on nothing that was drawn before: a block that
        was repeated in one launch changes no other launch.
        """
        return random.Random(f"{self.plan.settings.seed}/{topic.name}/{what}")

    def measured(self) -> measurements.Measurements:
        """Read what is on disk so far."""
        return measurements.Measurements(self.run.slices(), self.run.launches())

    def results(self, partial: bool) -> Results:
        """Judge everything that is on disk so far."""
        return verdicts.evaluate(
            self.plan,
            self.measured(),
            self.run.name,
            partial,
            [*self.warnings, *self._failures()],
        )

    def failed(self, topic: Topic, variant: str) -> Counter[str]:
        """Return the errors so far of a variant, which is itself in an A/A arm too."""
        of_variant = topic.name, variant.removesuffix(AA_SUFFIX)
        return self.errors.setdefault(of_variant, Counter())

    def _failures(self) -> list[str]:
        """Name the most frequent error of every variant that had any."""
        return [
            f"{topic}: variant {variant} had failed requests, most often: {error}"
            for (topic, variant), errors in self.errors.items()
            for error, _ in errors.most_common(1)
        ]

    def disturbed_by(self, topic: Topic, launches: Sequence[int]) -> str:
        """Return the words for what disturbed some launches most often."""
        cause = measurements.mostly(self.measured(), topic.name, launches)
        return f", mostly by {WORDS[cause]}" if cause in WORDS else ""

    def comparisons(self, topic: Topic) -> list[Comparison]:
        """Return how a topic's deciding comparisons stand."""
        found = comparisons.comparisons(
            self.plan, topic, self.measured(), deciding_only=True
        )
        return list(found)

    def decided(self, topic: Topic) -> bool:
        """Say whether more launches of a topic could change no verdict."""
        return verdicts.decided(self.plan, topic, self.measured())


def measure(plan: Plan, run: RunDirectory, progress: Progress) -> Results:
    """Measure every topic of a plan into a run directory.

    Whatever ends it, what was measured is kept and judged: if that is not the
    whole plan, `results.json` says `partial`.

    Raises:
        MeasureError: Something could not be measured.
        KeyboardInterrupt: Ctrl-C.
    """
    with _experiment(plan, run, progress) as experiment:
        partial = True
        try:
            for topic in plan.topics:
                _measure_topic(experiment, topic)
            partial = False
        finally:
            results = experiment.results(partial)
            run.write_results(results)
    return results


def profile(
    plan: Plan, run: RunDirectory, progress: Progress, variant: str, rate: float | None
) -> None:
    """Take every preset of a plan for one variant of its only topic.

    Args:
        rate: Arrivals per second; from the variant's own capacity if None.

    Raises:
        MeasureError: It could not be done.
    """
    with _experiment(plan, run, progress) as experiment:
        topic = plan.topics[0]
        with _session(experiment, topic) as session:
            progress.profiling(topic, variant, plan.presets)
            seen = session.profile_variant(variant, plan.presets, rate)
            again = profiling.closer({variant: plan.presets}, seen)
            if again:
                progress.profiling(topic, variant, again[variant])
                session.profile_variant(variant, again[variant], rate)
        run.write_results(experiment.results(partial=False))


@contextlib.contextmanager
def _experiment(
    plan: Plan, run: RunDirectory, progress: Progress
) -> Iterator[Experiment]:
    """Set up what a run needs, and remove it whatever happens."""
    interrupts.load_scipy()
    cores = processes.split_cores()
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        with processes.guarded([Path(folder)]):
            experiment = Experiment(plan, run, progress, cores, Path(folder))
            if not cores.target:
                experiment.warnings.append(
                    "Target and load generator share their cores: this machine "
                    "cannot pin them apart, so expect wider intervals."
                )
            yield experiment


def _measure_topic(experiment: Experiment, topic: Topic) -> None:
    """Launch after launch, look after look, then the profiles."""
    plan, progress = experiment.plan, experiment.progress
    looks = comparisons.planned_looks(plan)
    with _session(experiment, topic) as session:
        deadline = Deadline(time.perf_counter() + plan.time_budget(topic))
        counted = number = 0
        lost: list[int] = []
        progress.topic(topic, looks)
        while counted < looks[-1]:
            number += 1
            progress.launch(number)
            counts = session.launch(number, deadline)
            counted += counts
            if not counts and session.cut:
                progress.note(f"launch {number} was cut short and does not count")
            elif not counts:
                lost.append(number)
                why = experiment.disturbed_by(topic, [number])
                progress.note(f"launch {number} was too disturbed to count{why}")
            else:
                progress.measured(topic, counted, experiment.comparisons(topic))
            if counted in looks and counts and experiment.decided(topic):
                break
            if deadline.passed:
                progress.note(
                    f"{topic.name}: the time budget of "
                    f"{plan.time_budget(topic):g} s is spent"
                )
                break
        if lost:
            why = experiment.disturbed_by(topic, lost)
            experiment.warnings.append(
                f"{topic.name}: {len(lost)} of {number} launches were too disturbed to "
                f"count{why}."
            )
        if not counted and not lost:
            experiment.warnings.append(
                f"{topic.name}: the time budget of {plan.time_budget(topic):g} s was "
                "spent before a launch was complete: nothing is known. Give it a "
                "longer --budget, or find out what takes so long."
            )
        elif plan.settings.profile:
            session.profile()


@contextlib.contextmanager
def _session(experiment: Experiment, topic: Topic) -> Iterator[Session]:
    """Set up what all launches of a topic share."""
    folder = experiment.scratch / topic.name
    folder.mkdir()
    if topic.scenario.benchmarks:
        yield MicroSession(experiment, topic, folder)
        return
    assert topic.scenario.locustfile is not None
    cores = experiment.cores
    with companions.surroundings(topic, folder, cores.generator) as environment:
        target.prepare(topic, environment, folder)
        generator = Generator(
            topic.scenario.locustfile,
            folder,
            cores.generator,
            topic.scenario.arguments,
            cwd=topic.folder,
            keep=experiment.run.logs(topic.name),
        )
        experiment.warnings += generator.warnings
        try:
            yield ServiceSession(experiment, topic, folder, environment, generator)
        finally:
            generator.close()
