"""Suites of benchmarks that are judged test by test, in launches of fresh processes.

A launch runs one pytest process for each side, in random order. It gives one number for
each test and side: the median of its rounds. Later launches leave out the tests that
are already decided, so that the undecided tests get the time.
"""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from assay.analysis import gates, suites
from assay.analysis.statistics import Floats
from assay.errors import InputError, MeasureError
from assay.experiment import pytest_process, suite_schedule
from assay.experiment.context import Experiment
from assay.experiment.deadlines import Deadline
from assay.experiment.pytest_process import Place, Ran, Selection
from assay.experiment.suite_schedule import Costs, Effort
from assay.inputs.benchmark_nodes import nodes_of
from assay.plan import Plan, Scenario, Topic, Variant
from assay.run_directory import rows
from assay.system import project_environment
from assay.wording import counted

COLLECT_TIMEOUT = 120.0
# Assay gives up a launch after this many times its expected duration.
PATIENCE = 5.0
MIN_TIMEOUT = 60.0
MOST_FAILED_LAUNCHES = 2  # this many failed launches in a row end the suite
SHOWN_REASONS = 10

OPTIONS = (
    "--benchmark-only",
    # A garbage collection mostly walks the heap of pytest, not of the tested function,
    # and would disturb some rounds and not others. A test's own marker can turn it on.
    "--benchmark-disable-gc",
    "--benchmark-warmup=off",
)
# A file that cannot be imported costs only its own tests.
KEEP_GOING = "--continue-on-collection-errors"


def interpreter(topic: Topic, variant: Variant) -> Path:
    """Return the interpreter that runs the benchmarks of a variant.

    If neither the variant nor the target names an interpreter, the result is the one
    that the command `python` starts in the variant's working directory.
    """
    named = variant.python or topic.target.python
    return named or project_environment.interpreter(os.environ, topic.cwd_of(variant))


def place_of(topic: Topic, variant: Variant) -> Place:
    """Return where the benchmarks of a variant run."""
    return Place(
        f"{topic.name}, variant {variant.name}",
        interpreter(topic, variant),
        topic.cwd_of(variant),
        {**os.environ, **topic.target.env, **variant.env},
        topic.cwd_of(variant) if topic.scenario.paths else topic.folder,
    )


def paths_of(topic: Topic, variant: Variant) -> list[str]:
    """Return the files, folders or nodes that pytest collects for a variant."""
    if topic.scenario.paths:
        return list(topic.scenario.paths)
    return [str(topic.folder / node) for node in nodes_of(topic, variant)]


def _project_options(topic: Topic) -> list[str]:
    """Return the option that makes pytest ignore the project's `addopts`, or nothing.

    If two commits of a project are compared, `addopts` is not ignored: Assay's pytest
    plugin removes only the unwanted options.
    """
    return [] if topic.scenario.paths else ["--override-ini=addopts="]


def with_tests(plan: Plan, scratch: Path) -> Plan:
    """Return a plan whose suites name the tests that all variants have.

    Args:
        plan: The plan.
        scratch: A folder for temporary files.

    Raises:
        MeasureError: pytest cannot run, or the sides have no benchmark in common.
    """
    topics = [
        (
            topic.model_copy(update={"scenario": _with_tests(topic, scratch)})
            if topic.judged_by_test and not topic.scenario.tests
            else topic
        )
        for topic in plan.topics
    ]
    return plan.model_copy(update={"topics": tuple(topics)})


def check_thresholds(plan: Plan) -> None:
    """Check that every threshold is about a test that is measured.

    Args:
        plan: A plan whose suites name their tests.

    Raises:
        InputError: A pattern matches no test.
    """
    tests = [
        test
        for topic in plan.topics
        for test in (*topic.scenario.tests, *topic.scenario.new_tests)
    ]
    wrong = [
        f"{one.where}: tool.assay.gates: no test of topic {one.topic!r} matches "
        f"{one.test!r}{_nearest(one.test, tests)}"
        for one in gates.unmatched(plan)
    ]
    if wrong:
        raise InputError("\n".join(wrong))


def _nearest(pattern: str, tests: Sequence[str]) -> str:
    close = get_close_matches(pattern, tests, n=1, cutoff=0.0)
    return f"; the nearest test is {close[0]!r}" if close else ""


def _with_tests(topic: Topic, scratch: Path) -> Scenario:
    collected = {
        variant.name: pytest_process.collect(
            place_of(topic, variant),
            [*paths_of(topic, variant), *_project_options(topic)],
            scratch / f"collect-{topic.name}-{variant.name}",
            COLLECT_TIMEOUT,
        )
        for variant in topic.variants
    }
    first, *_, last = (collected[variant.name] for variant in topic.variants)
    common = set(first.collected).intersection(
        *(ran.collected for ran in collected.values())
    )
    if not common:
        raise MeasureError(_reason_for_no_test(topic, collected))
    return topic.scenario.model_copy(
        update={
            "tests": tuple(test for test in last.collected if test in common),
            "new_tests": tuple(
                test for test in last.collected if test not in set(first.collected)
            ),
            "removed_tests": tuple(
                test
                for test in first.collected
                if test not in set(last.collected)
                and test.partition("::")[0] not in last.failed
            ),
            "broken_tests": {
                node: f"{topic.variants[-1].name} cannot collect it: {_last_line(why)}"
                for node, why in last.failed.items()
            },
        }
    )


def _last_line(problem: str) -> str:
    """Return the last line of a traceback, which names the error."""
    return problem.splitlines()[-1] if problem else "failed"


def _reason_for_no_test(topic: Topic, collected: Mapping[str, Ran]) -> str:
    """Say why there is nothing to compare, and how to solve the problem."""
    lines = [f"{topic.name}: the sides have no benchmark in common"]
    for name, ran in collected.items():
        lines.append(f"  {name}: {counted(len(ran.collected), 'benchmark')}")
        lines += [
            f"    {file}: {_last_line(problem)}"
            for file, problem in list(ran.failed.items())[:5]
        ]
        if ran.exit_code == pytest_process.USAGE_ERROR:
            lines.append(f"    pytest does not accept its options:\n{ran.said}")
    lines.append(
        "  a benchmark is a test that uses the fixture `benchmark`; run them alone: "
        f"python -m pytest --benchmark-only {' '.join(topic.scenario.paths)}".rstrip()
    )
    return "\n".join(lines)


@dataclass
class SuiteLaunches:
    """The launches of one suite.

    Attributes:
        experiment: The running experiment.
        topic: The topic of the suite; its scenario names the tests.
        folder: A folder for temporary files.
        besides: Seconds that each test takes in a launch in addition to its measuring
            time, all sides together.
        start_cost: Seconds that a launch takes in addition to its tests.
        failed: How many launches in a row failed.
    """

    experiment: Experiment
    topic: Topic
    folder: Path
    besides: dict[str, float] = field(default_factory=dict)
    start_cost: float = 2 * suite_schedule.START_SECONDS
    failed: int = 0

    def measure(self, deadline: Deadline) -> None:
        """Measure launches until every test is decided or the time is spent.

        Raises:
            MeasureError: pytest cannot run, or nothing was measured.
        """
        experiment, topic = self.experiment, self.topic
        number = 0
        while not deadline.passed:
            tests, effort = suite_schedule.next_launch(
                _under_way(self.suite()),
                experiment.looks.launches,
                Costs(self.start_cost, self.besides),
                deadline.left,
            )
            if not tests:
                break
            number += 1
            experiment.progress.launch(number)
            self._launch(number, tests, effort, deadline)
            compared = list(suites.comparisons(self.suite()))
            experiment.progress.suite(topic, number, compared)
        self._check_measured()

    def suite(self) -> suites.Suite:
        """Return the suite with all measurements so far."""
        return suites.Suite(
            self.experiment.looks, self.topic, self.experiment.run.tests()
        )

    def _check_measured(self) -> None:
        """Raise MeasureError if no test has a number on both sides."""
        suite, pairs = self.suite(), self.topic.pairs()
        if any(len(x) for pair in pairs for x in suite.log_ratios(pair).values()):
            return
        reasons = [f"  {item.test}: {item.reason}" for item in suites.left_out(suite)]
        shown = reasons or ["  the time budget was spent before the first launch ended"]
        raise MeasureError(
            f"{self.topic.name}: no benchmark was timed on both sides:\n"
            + "\n".join(shown[:SHOWN_REASONS])
        )

    def _launch(
        self, number: int, tests: Sequence[str], effort: Effort, deadline: Deadline
    ) -> None:
        """Run the tests once on every side, in random order, and keep the numbers."""
        rng = self.experiment.rng(self.topic, number)
        order = list(self.topic.variants)
        rng.shuffle(order)
        hash_seed = rng.getrandbits(32)  # the same for all sides
        kept: list[rows.TestRow] = []
        seconds: Counter[str] = Counter()
        began = time.perf_counter()
        costs = Costs(self.start_cost, self.besides)
        expected = costs.start + sum(costs.of(test, effort.seconds) for test in tests)
        timeout = max(MIN_TIMEOUT, 1.1 * deadline.left)
        if self.besides:  # an earlier launch has shown how long a launch takes
            timeout = max(MIN_TIMEOUT, min(PATIENCE * expected, timeout))
        for variant in order:
            try:
                ran = pytest_process.run(
                    place_of(self.topic, variant),
                    Selection(
                        paths_of(self.topic, variant),
                        (
                            *(*OPTIONS, KEEP_GOING, *_project_options(self.topic)),
                            *effort.options,
                        ),
                        tests,
                    ),
                    self.folder / f"launch-{number:03d}-{variant.name}",
                    timeout,
                    hash_seed,
                    self.experiment.cores.target,
                )
            except MeasureError as error:
                self._count_failure(error)
                return
            self.experiment.check_files(variant.name, ran.files)
            seconds.update(ran.seconds)
            kept += _rows(variant.name, tests, ran)
        self.failed = 0
        for test, spent in seconds.items():
            measuring = suite_schedule.SIDES * effort.seconds
            self.besides[test] = max(0.0, spent - measuring)
        total = time.perf_counter() - began
        self.start_cost = max(0.1, total - sum(seconds.values()))
        self.experiment.run.append_tests(rows.tests(self.topic.name, number, kept))

    def _count_failure(self, error: MeasureError) -> None:
        """Count a launch that failed, and tell the user.

        Raises:
            MeasureError: The launch is the second in a row that failed.
        """
        self.failed += 1
        if self.failed >= MOST_FAILED_LAUNCHES:
            raise error
        self.experiment.progress.note(f"this launch does not count: {error}")


def _under_way(suite: suites.Suite) -> dict[str, Floats]:
    """Return the log ratios of the tests that are still being measured.

    A test is decided only at a look. Between two looks every test goes on, unless it
    fails too often.
    """
    looks, opened, failing = (
        suite.looks.launches,
        suites.open_tests(suite),
        suite.failing(),
    )
    under_way: dict[str, Floats] = {}
    for pair in suite.topic.pairs():
        for test, x in suite.log_ratios(pair).items():
            at_a_look = len(x) in looks
            if test in failing or len(x) >= looks[-1]:
                continue
            if not at_a_look or test in opened:
                under_way.setdefault(test, x)
    return under_way


def _rows(variant: str, tests: Sequence[str], ran: Ran) -> list[rows.TestRow]:
    """Return a row for each test that was to be run."""
    kept = []
    for test in tests:
        median = ran.medians.get(test)
        problem = ""
        if median is None:
            problem = ran.failed.get(test) or _skipped(test, ran) or _absent(test, ran)
        kept.append(rows.TestRow(test, variant, median, problem))
    return kept


def _skipped(test: str, ran: Ran) -> str:
    return f"it was skipped: {ran.skipped[test]}" if test in ran.skipped else ""


def _absent(test: str, ran: Ran) -> str:
    """Say why a test gave no number, although it neither failed nor was skipped."""
    file = test.partition("::")[0]
    for node, problem in ran.failed.items():
        if node == file:
            return problem
    if test in ran.collected:
        return "it gave no time: does it call `benchmark`?"
    return "pytest did not find it"
