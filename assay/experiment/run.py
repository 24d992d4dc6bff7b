"""Launches of randomised blocks until the verdicts are decided or time is up."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from assay.analysis import looks, verdicts
from assay.analysis.measurements import Measurements
from assay.experiment import companions, profiling, target
from assay.experiment.benchmarks import BenchmarkSession
from assay.experiment.context import Experiment
from assay.experiment.deadlines import Deadline
from assay.experiment.progress import Progress
from assay.experiment.service_session import ServiceSession
from assay.experiment.sessions import Session
from assay.load.control.generator import Generator
from assay.load.control.process import Setup
from assay.plan import Plan, Topic
from assay.results import Results
from assay.run_directory.run import RunDirectory
from assay.system import interrupts, processes


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
            again = profiling.follow_ups({variant: plan.presets}, seen)
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
            experiment = Experiment(
                plan, looks.of(plan), run, progress, cores, Path(folder)
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
    at = experiment.looks
    with _session(experiment, topic) as session:
        deadline = Deadline(time.perf_counter() + plan.time_budget(topic))
        counted = number = 0
        lost: list[int] = []
        progress.topic(topic, at.launches)
        while counted < at.last:
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
            if counted in at.launches and counts and experiment.decided(topic):
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
        yield BenchmarkSession(experiment, topic, folder)
        return
    assert topic.scenario.locustfile is not None
    cores = experiment.cores
    with companions.surroundings(topic, folder, cores.generator) as environment:
        target.prepare(topic, environment, folder)
        setup = Setup(
            topic.scenario.locustfile,
            folder,
            topic.scenario.arguments,
            cwd=topic.folder,
            keep=experiment.run.logs(topic.name),
        )
        generator = Generator(setup, cores.generator)
        experiment.warnings += generator.warnings
        try:
            yield ServiceSession(experiment, topic, folder, environment, generator)
        finally:
            generator.close()


def judge(run: RunDirectory) -> Results:
    """Judge a run from its directory, also one that died before it could itself.

    Raises:
        NotARunError: It cannot be read.
    """
    partial = True
    warnings: tuple[str, ...] = ("The run ended before it could write its results.",)
    if (run.path / "results.json").is_file():
        before = run.results()
        partial, warnings = before.partial, before.warnings
    measured = Measurements(run.slices(), run.launches())
    return verdicts.evaluate(run.plan(), measured, run.name, partial, warnings)
