"""Launches of randomised blocks until the verdicts are decided or time is up."""

import contextlib
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from assay import comparisons
from assay import launch as launches
from assay import micro, processes, profiling, services, tables, target, verdicts
from assay.errors import MeasureError
from assay.load.remote import Generator
from assay.plan import AGAIN, Plan, Preset, Topic, Variant
from assay.progress import Progress
from assay.results import Comparison, Results, RunDirectory

# Every so many launches the baseline is started twice: an A/A arm.
CONTROL_EVERY = 4


@dataclass
class Experiment:
    """A run that is under way.

    Attributes:
        origin: `time.perf_counter` when it began: zero of all times it keeps.
        warnings: What a reader must know, in sentences.
    """

    plan: Plan
    run: RunDirectory
    progress: Progress
    cores: processes.Cores
    scratch: Path
    origin: float = field(default_factory=time.perf_counter)
    warnings: list[str] = field(default_factory=list)

    def rng(self, topic: Topic, what: object) -> random.Random:
        """Return the random choices of one launch or profile of a topic.

        They hang on the seed and on nothing that was drawn before: a block that
        was repeated in one launch changes no other launch.
        """
        return random.Random(f"{self.plan.settings.seed}/{topic.name}/{what}")

    def measured(self) -> tables.Measured:
        """Read what is on disk so far."""
        return tables.Measured(self.run.slices(), self.run.launches())

    def results(self, partial: bool) -> Results:
        """Judge everything that is on disk so far."""
        return verdicts.evaluate(
            self.plan, self.measured(), self.run.name, partial, self.warnings
        )

    def comparisons(self, topic: Topic) -> list[Comparison]:
        """Return how a topic's deciding comparisons stand."""
        found = comparisons.comparisons(
            self.plan, topic, self.measured(), deciding_only=True
        )
        return list(found)

    def decided(self, topic: Topic) -> bool:
        """Say whether more launches of a topic could change no verdict."""
        return verdicts.decided(self.plan, topic, self.measured())


class Session(Protocol):
    """One topic's way to measure a launch."""

    def launch(self, number: int) -> bool:
        """Measure and keep one launch; say whether it counts."""

    def profile(self) -> None:
        """Take the profiles that the topic's claims ask for."""

    def profile_variant(
        self, name: str, presets: Sequence[Preset], rate: float | None
    ) -> None:
        """Take some profiles of one variant."""


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
            session.profile_variant(variant, plan.presets, rate)
        run.write_results(experiment.results(partial=False))


@contextlib.contextmanager
def _experiment(
    plan: Plan, run: RunDirectory, progress: Progress
) -> Iterator[Experiment]:
    """Set up what a run needs, and remove it whatever happens."""
    cores = processes.split_cores()
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        with processes.guarded([Path(folder)]):
            experiment = Experiment(
                plan,
                run,
                progress,
                cores,
                Path(folder),
            )
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
        began = time.perf_counter()
        counted = number = 0
        progress.topic(topic, looks)
        while counted < looks[-1]:
            number += 1
            progress.launch(number)
            counts = session.launch(number)
            counted += counts
            if not counts:
                progress.note(f"launch {number} was too disturbed to count")
            else:
                progress.measured(topic, counted, experiment.comparisons(topic))
            if counted in looks and counts and experiment.decided(topic):
                break
            if time.perf_counter() - began > plan.settings.time_budget:
                progress.note(
                    f"{topic.name}: the time budget of "
                    f"{plan.settings.time_budget:g} s is spent"
                )
                break
        if number > counted:
            experiment.warnings.append(
                f"{topic.name}: {number - counted} of {number} launches were too "
                "disturbed to count."
            )
        if plan.settings.profile:
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
    with services.running(topic.target.needs, cores.generator) as environment:
        target.prepare(topic, environment, folder)
        generator = Generator(topic.scenario.locustfile, folder, cores.generator)
        try:
            yield ServiceSession(experiment, topic, folder, environment, generator)
        finally:
            generator.close()


@dataclass
class ServiceSession:
    """Launches of a service under load."""

    experiment: Experiment
    topic: Topic
    folder: Path
    environment: Mapping[str, str]
    generator: Generator
    schedule: launches.Schedule | None = None

    def launch(self, number: int) -> bool:
        """Start every variant afresh and measure its blocks."""
        experiment, topic, generator = self.experiment, self.topic, self.generator
        variants = list(topic.variants)
        if (number - 1) % CONTROL_EVERY == 0:
            variants += [_again(topic.variant(name)) for name in topic.controls()]
        spin = launches.spin(experiment.cores.target)
        rng = experiment.rng(topic, number)
        with target.launched(
            topic,
            variants,
            self.environment,
            self.folder,
            experiment.cores.target,
            rng,
        ) as running:
            order = list(running.values())
            rng.shuffle(order)
            self.attach(order)
            launches.warm_up(generator, topic, order)
            if self.schedule is None:
                self.schedule = launches.calibrate(
                    generator, topic, list(running), topic.metrics()
                )
            measured = launches.measure(
                generator,
                running,
                self.schedule,
                topic.compared(),
                experiment.cores.target,
                rng,
            )
            generator.detach()
        self._keep(number, measured, spin)
        return measured.counts

    def attach(self, running: Sequence[target.RunningTarget]) -> None:
        """Give every running variant its users."""
        load = self.topic.scenario.load
        self.generator.attach(
            {t.variant.name: t.url for t in running},
            {t.variant.name: t.pids for t in running},
            self.experiment.cores.target,
            max(load.users, load.connections),
        )

    def profile(self) -> None:
        """Run each claimed variant once more, with the profilers attached."""
        if self.schedule is None:
            return
        wanted = profiling.wanted(self.experiment.plan, self.topic)
        for name, presets in wanted.items():
            self.experiment.progress.profiling(self.topic, name, presets)
            try:
                self.profile_variant(name, presets, self.schedule.rate)
            except MeasureError as error:  # costs the profile, not the verdicts
                self.experiment.warnings.append(f"{self.topic.name}: {error}")

    def profile_variant(
        self, name: str, presets: Sequence[Preset], rate: float | None
    ) -> None:
        """Profile one variant on fresh servers.

        Args:
            name: The variant.
            presets: Which profiles.
            rate: Arrivals per second; from the variant's own capacity if None.

        Raises:
            MeasureError: The target could not be started, or it ended.
        """
        experiment = self.experiment
        rng = experiment.rng(self.topic, f"profile/{name}")
        with target.launched(
            self.topic,
            [self.topic.variant(name)],
            self.environment,
            self.folder,
            experiment.cores.target,
            rng,
        ) as running:
            self.attach(list(running.values()))
            launches.warm_up(self.generator, self.topic, list(running.values()))
            if rate is None:
                rate = launches.calibrate(self.generator, self.topic, [name]).rate
            taken = profiling.take(
                self.topic.name,
                running[name],
                self.generator,
                presets,
                rate,
                self.folder / "profiles",
                experiment.cores.generator,
                rng,
            )
            self.generator.detach()
        for profile in taken.profiles:
            experiment.run.write_profile(profile)
        for problem in taken.problems:
            experiment.warnings.append(f"{self.topic.name}: {problem}")
            experiment.progress.note(problem)

    def _keep(self, number: int, measured: launches.Launch, spin: float) -> None:
        topic, origin = self.topic.name, self.experiment.origin
        rows: list[dict[str, object]] = [
            {
                "topic": topic,
                "launch": number,
                **row,
                "started": row["started"] - origin,
            }
            for row in measured.slices
        ]
        known = {("", "spin"): (spin, False), **measured.values}
        values: list[dict[str, object]] = [
            {
                "topic": topic,
                "launch": number,
                "variant": variant,
                "metric": metric,
                "value": value,
                "censored": censored,
            }
            for (variant, metric), (value, censored) in known.items()
        ]
        self.experiment.run.append_launch(
            topic,
            number,
            rows,
            values if measured.counts else [],
            sample_frame(number, measured, origin),
        )
        for variant, errors in measured.errors.items():
            worst = max(errors, key=lambda error: errors[error], default=None)
            if worst:
                self.experiment.warnings.append(
                    f"{topic}: variant {variant} had failed requests, "
                    f"most often: {worst}"
                )


def _again(variant: Variant) -> Variant:
    """Return the A/A arm: the same variant under another name."""
    return variant.model_copy(update={"name": variant.name + AGAIN})


@dataclass
class MicroSession:
    """Launches of pytest-benchmark tests."""

    experiment: Experiment
    topic: Topic
    folder: Path

    def launch(self, number: int) -> bool:
        """Run every side once, in random order."""
        order = list(self.topic.variants)
        self.experiment.rng(self.topic, number).shuffle(order)
        values: list[dict[str, object]] = []
        for variant in order:
            seconds = micro.measure(
                self.topic, variant, self.folder, self.experiment.cores.target
            )
            values.append(
                {
                    "topic": self.topic.name,
                    "launch": number,
                    "variant": variant.name,
                    "metric": "time",
                    "value": seconds,
                    "censored": False,
                }
            )
        self.experiment.run.append_launch(self.topic.name, number, [], values, None)
        return True

    def profile(self) -> None:
        """Micro-benchmarks have no server to attach a profiler to."""

    def profile_variant(
        self, name: str, presets: Sequence[Preset], rate: float | None
    ) -> None:
        """Refuse: there is no server.

        Raises:
            MeasureError: Always.
        """
        raise MeasureError(
            f"{self.topic.file}: profiles need a server under load, and this topic "
            "has benchmarks"
        )


def sample_frame(number: int, measured: launches.Launch, origin: float) -> Any:
    """Return the requests of a launch as the table of `RunDirectory.samples`."""
    import numpy as np
    import pandas as pd

    frames = []
    for row, taken in measured.samples:
        names = np.asarray(taken.names, dtype=object)
        frames.append(
            pd.DataFrame(
                {
                    "launch": np.int16(number),
                    "block": np.int16(row["block"]),
                    "variant": row["variant"],
                    "mode": row["mode"],
                    "scheduled": taken.columns["scheduled"] - origin,
                    "start": taken.columns["start"] - origin,
                    "end": taken.columns["end"] - origin,
                    "name": names[taken.columns["name"]],
                    "failed": taken.columns["failed"] > 0,
                    "disturbed": row["disturbed"],
                }
            )
        )
    frame = pd.concat(frames, ignore_index=True)
    return frame.astype({"variant": "category", "mode": "category", "name": "category"})
