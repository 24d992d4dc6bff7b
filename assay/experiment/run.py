"""Run launches of randomised blocks until the verdicts are decided or time is up."""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from assay.analysis import gates, looks, opinions, verdicts
from assay.analysis.measurements import Measurements
from assay.errors import MeasureError
from assay.experiment import (
    commands,
    companions,
    copies,
    imported,
    profiling,
    suite,
)
from assay.experiment.benchmarks import BenchmarkSession
from assay.experiment.context import CheckFiles, Experiment, accept_files
from assay.experiment.deadlines import Deadline
from assay.experiment.progress import Progress
from assay.experiment.service_session import ServiceSession
from assay.experiment.sessions import Session
from assay.load.control.generator import Generator
from assay.load.control.process import Setup
from assay.plan import Plan, Topic
from assay.results import Results
from assay.run_directory.directory import RESULTS, NotARunError
from assay.run_directory.run import RunDirectory
from assay.system import interrupts, processes

NO_RESULTS = "The run ended before it could write its results."
CUT_RESULTS = (
    "results.json was cut off, so the run was judged anew from its tables. Whether it "
    "was complete, and its earlier warnings, are not known."
)
SECOND_OPINION = "second-opinion"  # the subfolder of a run for what is measured again


def measure(
    plan: Plan,
    run: RunDirectory,
    progress: Progress,
    check_files: CheckFiles = accept_files,
) -> Results:
    """Measure every topic of a plan into a run directory.

    However the run ends, all measurements are kept and judged. If the plan was not
    measured completely, `results.json` is marked `partial`.

    Args:
        plan: The plan to measure.
        run: The run directory.
        progress: Shows the progress of the run.
        check_files: Called with the files that each variant imported; raises
            MeasureError if these are not the variant's own files.

    Raises:
        MeasureError: Something could not be measured.
        KeyboardInterrupt: Ctrl-C.
    """
    with _reason_kept(run), _experiment(plan, run, progress) as experiment:
        experiment.check_files = check_files
        return _measure_topics(experiment)


@contextlib.contextmanager
def _reason_kept(run: RunDirectory) -> Iterator[None]:
    """Write results with the reason if a run ends before there are any."""
    try:
        yield
    except BaseException as error:
        if not (run.path / RESULTS).is_file():
            why = interrupts.why_ended(error, "run")
            _write_if_possible(run, lambda: judge(run, why))
        raise


def _measure_topics(experiment: Experiment) -> Results:
    """Measure all topics, and write the results however this ends."""
    try:
        for topic in experiment.plan.topics:
            _measure_topic(experiment, topic)
    except BaseException as error:
        experiment.warnings.append(interrupts.why_ended(error, "run"))
        _write_if_possible(experiment.run, lambda: experiment.results(partial=True))
        raise
    results = experiment.results(partial=False)
    experiment.run.write_results(results)
    return results


def _write_if_possible(run: RunDirectory, results: Callable[[], Results]) -> None:
    """Write results after an error; a full disk or damaged file must not hide it.

    Args:
        run: The run directory.
        results: Judges what was measured.
    """
    with contextlib.suppress(MeasureError, NotARunError):
        run.write_results(results())


def profile(
    plan: Plan, run: RunDirectory, progress: Progress, variant: str, rate: float | None
) -> None:
    """Profile one variant with every preset of a plan.

    Args:
        plan: A plan with only one topic.
        run: The run directory, where the profiles are stored.
        progress: Shows the progress of the run.
        variant: The variant to profile.
        rate: Arrivals per second; derived from the variant's capacity if None.

    Raises:
        MeasureError: The variant could not be profiled.
    """
    with _reason_kept(run), _experiment(plan, run, progress) as experiment:
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
    """Set up a run, and clean up however it ends."""
    interrupts.load_scipy()
    cores = processes.split_cores()
    with tempfile.TemporaryDirectory(prefix="assay-") as name:
        # Symbolic links are resolved, so that folders inside can be compared by path.
        folder = os.path.realpath(name)
        with processes.guarded([Path(folder)]):
            with_tests = suite.with_tests(plan, Path(folder))
            if with_tests != plan:
                plan = with_tests
                run.write_plan(plan)
            suite.check_thresholds(plan)
            copies.check_sizes(plan.topics)
            experiment = Experiment(
                plan, looks.looks_of(plan), run, progress, cores, Path(folder)
            )
            if not cores.target:
                experiment.warnings.append(
                    "Target and load generator share cores, because this machine "
                    "cannot pin them to separate cores: expect wider intervals."
                )
            yield experiment


def _measure_topic(experiment: Experiment, topic: Topic) -> None:
    """Measure launches until a topic is decided or out of time, then take profiles."""
    if topic.scenario.tests:
        _measure_suite(experiment, topic)
        return
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
        elif plan.settings.profile is not False:
            session.profile()


def _measure_suite(experiment: Experiment, topic: Topic) -> None:
    """Measure the benchmarks of a topic that are judged test by test."""
    folder = experiment.scratch / topic.name
    folder.mkdir()
    experiment.progress.topic(topic, experiment.looks.launches)
    deadline = Deadline(time.perf_counter() + experiment.plan.time_budget(topic))
    suite.SuiteLaunches(experiment, topic, folder).measure(deadline)


@contextlib.contextmanager
def _session(experiment: Experiment, topic: Topic) -> Iterator[Session]:
    """Set up the services, the target and the generator for a topic's launches."""
    folder = experiment.scratch / topic.name
    folder.mkdir()
    if topic.scenario.benchmarks:
        yield BenchmarkSession(experiment, topic, folder)
        return
    cores = experiment.cores
    with companions.running_dependencies(topic, folder, cores.generator) as called:
        environment, topic = called.urls, called.used_by(topic)
        if topic.target.copied and topic.companions:
            experiment.warnings.append(
                f"{topic.name}: the companions ran in {topic.target.cwd} itself: they "
                "do not see the files of the copies, and can change yours."
            )
        with copies.preparing(topic, folder) as prepared:
            commands.prepare(prepared, environment, folder)
        if any(variant.cwd for variant in topic.variants):
            experiment.warnings += _shared_databases(topic, called)
        topic = copies.with_copies(topic, folder)
        if experiment.check_files is not accept_files:
            files_of = imported.imported_files(topic, environment, folder)
            for name, files in files_of.items():
                experiment.check_files(name, files)
        assert topic.scenario.locustfile is not None
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
            copies.remove(folder)


def _shared_databases(topic: Topic, called: companions.Dependencies) -> list[str]:
    """Return warnings about databases that both commits or the companions shared."""
    warnings = []
    shared = called.shared(topic)
    if topic.target.prepare and shared:
        services = " and ".join(shared)
        warnings.append(
            f"{topic.name}: both commits used the same {services}, which BASE prepared "
            "first and HEAD after it. If they need different tables, the numbers of "
            f"BASE mean nothing. Where {services} is not given by URL, Assay starts "
            "it, and each commit has a database of its own."
        )
    if topic.target.prepare and "redis" in topic.target.needs and "redis" not in shared:
        warnings.append(
            f"{topic.name}: both commits used one Redis server, in databases of their "
            "own. FLUSHALL empties both, and a client that takes only host and port "
            "from the URL uses the same one for both."
        )
    if topic.companions and len(shared) < len(topic.target.needs):
        warnings.append(
            f"{topic.name}: each commit had a database of its own, and the companions "
            "used that of HEAD: they did not see what BASE stored."
        )
    return warnings


def judge(run: RunDirectory, why: str = NO_RESULTS) -> Results:
    """Judge a run from its directory, even if it ended before it wrote its results.

    Args:
        run: The run directory.
        why: Why there are no results yet, as a sentence.

    Raises:
        LaterVersionError: A later version of Assay wrote the results.
        NotARunError: The directory cannot be read.
    """
    partial = True
    warnings: tuple[str, ...] = (why,)
    if (run.path / RESULTS).is_file():
        try:
            earlier = run.results()
            partial, warnings = earlier.partial, earlier.warnings
        except NotARunError as error:
            if not isinstance(error.__cause__, json.JSONDecodeError):
                raise
            warnings = (CUT_RESULTS,)
    plan = run.plan()
    measured = Measurements(run.slices(), run.launches(), run.tests(), run.requests())
    results = verdicts.evaluate(
        plan, measured, run.name, partial, warnings, run.rounds()
    )
    again = run.path / SECOND_OPINION
    if RunDirectory.recognises(again):
        second = judge(RunDirectory(again))
        results = opinions.confirm(results, second, plan.settings.margin)
    return gates.decide(plan, results)
