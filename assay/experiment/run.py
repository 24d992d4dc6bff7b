"""Run launches of randomised blocks until the verdicts are decided or time is up."""

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

    However the run ends, what was measured is kept and judged. If not the whole plan
    was measured, `results.json` is marked `partial`.

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
        plan: A plan of one topic.
        run: The run directory, where the profiles are stored.
        progress: Is told what happens.
        variant: The variant to profile.
        rate: Arrivals per second; derived from the variant's capacity if None.

    Raises:
        MeasureError: The variant could not be profiled.
    """
    with _experiment(plan, run, progress) as experiment:
        topic = plan.topics[0]
        with _session(experiment, topic) as session:
            progress.profiling(topic, variant, plan.presets)
            profiles = session.profile_variant(variant, plan.presets, rate)
            follow_ups = profiling.follow_ups({variant: plan.presets}, profiles)
            if follow_ups:
                progress.profiling(topic, variant, follow_ups[variant])
                session.profile_variant(variant, follow_ups[variant], rate)
        run.write_results(experiment.results(partial=False))


@contextlib.contextmanager
def _experiment(
    plan: Plan, run: RunDirectory, progress: Progress
) -> Iterator[Experiment]:
    """Set up what a run needs, and clean up however it ends."""
    interrupts.load_scipy()
    cores = processes.split_cores()
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        with processes.guarded([Path(folder)]):
            experiment = Experiment(
                plan, looks.of(plan), run, progress, cores, Path(folder)
            )
            if not cores.target:
                experiment.warnings.append(
                    "Target and load generator share cores, because this machine "
                    "cannot pin them to separate cores: expect wider intervals."
                )
            yield experiment


def _measure_topic(experiment: Experiment, topic: Topic) -> None:
    """Measure launches until a topic is decided or out of time, then take profiles."""
    plan, progress = experiment.plan, experiment.progress
    topic_looks = experiment.looks
    with _session(experiment, topic) as session:
        deadline = Deadline(time.perf_counter() + plan.time_budget(topic))
        counted = number = 0
        disturbed: list[int] = []
        progress.topic(topic, topic_looks.launches)
        while counted < topic_looks.last:
            number += 1
            progress.launch(number)
            counts = session.launch(number, deadline)
            counted += counts
            if not counts and session.cut:
                progress.note(f"launch {number} was cut short and does not count")
            elif not counts:
                disturbed.append(number)
                cause = experiment.main_disturbance(topic, [number])
                progress.note(f"launch {number} was too disturbed to count{cause}")
            else:
                progress.measured(topic, counted, experiment.comparisons(topic))
            if counted in topic_looks.launches and counts and experiment.decided(topic):
                break
            if deadline.passed:
                progress.note(
                    f"{topic.name}: the time budget of "
                    f"{plan.time_budget(topic):g} s is spent"
                )
                break
        if disturbed:
            cause = experiment.main_disturbance(topic, disturbed)
            experiment.warnings.append(
                f"{topic.name}: {len(disturbed)} of {number} launches were too "
                f"disturbed to count{cause}."
            )
        if not counted and not disturbed:
            experiment.warnings.append(
                f"{topic.name}: the time budget of {plan.time_budget(topic):g} s was "
                "spent before a launch was complete, so there are no results. Raise "
                "--budget, or find out what takes so long."
            )
        elif plan.settings.profile:
            session.profile()


@contextlib.contextmanager
def _session(experiment: Experiment, topic: Topic) -> Iterator[Session]:
    """Set up what the launches of a topic share."""
    folder = experiment.scratch / topic.name
    folder.mkdir()
    if topic.scenario.benchmarks:
        yield BenchmarkSession(experiment, topic, folder)
        return
    assert topic.scenario.locustfile is not None
    cores = experiment.cores
    with companions.running_dependencies(topic, folder, cores.generator) as environment:
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
    """Judge a run from its directory, even if it ended before it wrote its results.

    Raises:
        NotARunError: The directory cannot be read.
    """
    partial = True
    warnings: tuple[str, ...] = ("The run ended before it could write its results.",)
    if (run.path / "results.json").is_file():
        earlier = run.results()
        partial, warnings = earlier.partial, earlier.warnings
    measured = Measurements(run.slices(), run.launches())
    return verdicts.evaluate(
        run.plan(), measured, run.name, partial, warnings, run.rounds()
    )
