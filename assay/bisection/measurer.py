"""Measures commits for a search: in whole comparisons and in steps (see `search`)."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from assay.analysis import by_request, measurements
from assay.analysis.looks import looks_of
from assay.analysis.suites import Suite
from assay.bisection_results import Check, Ends, Quantity, SearchedCommit
from assay.errors import InputError, MeasureError
from assay.experiment import run
from assay.experiment.context import CheckFiles
from assay.experiment.progress import Progress, Quiet
from assay.gating import Gating
from assay.metrics import OF_REQUEST
from assay.plan import Plan, Topic
from assay.results import Comparison, Results, Verdict
from assay.run_directory.directory import NotARunError
from assay.run_directory.run import RunDirectory
from assay.subject import comparison, questions
from assay.subject.ancestry import Link
from assay.subject.checkouts import discard
from assay.subject.environments import Recipe
from assay.subject.questions import Question
from assay.subject.sides import BASE, HEAD, Sides, both
from assay.system import environment

PAIR = (BASE, HEAD)
ENDS = "ends"
FIRST_SEED_OF_CHECKS = 1000  # larger than the number of any step
# A commit that changes only Python files that were not imported at GOOD or BAD is very
# unlikely to be the slow one. It is not left out, because a commit between GOOD and
# BAD can import these files.
WEIGHT_OF_UNUSED = 0.05
LARGEST = math.log(100)  # log ratios are limited to this size
STEP_SECONDS = 600.0  # the time budget of a step; whole comparisons have their own
FORMATS = ("html", "markdown", "junit")


@dataclass
class CommitMeasurer:
    """Measures commits of a repository.

    Attributes:
        here: The user's working directory.
        good: The full name of GOOD.
        bad: The full name of BAD, whose topics and benchmarks measure every commit.
        links: The commits after GOOD, up to BAD, oldest first.
        question: What is measured.
        recipe: How environments are built.
        settings: Settings from the command line.
        command: The command line, for reports.
        folder: The folder of the search.
        seconds: The time of each whole comparison; None for the time in the settings.
        show: Opens a display of a comparison's progress.
        note: Called with a line about each commit, and with one before each build.
        steps: How many steps were begun so far, including those before the search was
            stopped and continued.
        checks: How many whole comparisons were begun so far, apart from the comparison
            of GOOD and BAD.
    """

    here: Path
    good: str
    bad: str
    links: Sequence[Link]
    question: Question
    recipe: Recipe
    settings: dict[str, Any]
    command: str
    folder: Path
    seconds: float | None
    show: Callable[[Plan], AbstractContextManager[Progress]]
    note: Callable[[str], None]
    steps: int = 0
    checks: int = 0
    _imported: set[str] = field(default_factory=set)

    def compare_ends(self) -> Ends:
        """Compare GOOD and BAD; see `search.Measurer`.

        Raises:
            MeasureError: A pair was not measured.
        """
        sides = self._sides(self.good, self.bad)
        plan = self._plan(sides)
        results, directory = self._compare(ENDS, plan, sides)
        if not comparison.is_measured(plan, results):
            raise MeasureError(
                f"GOOD and BAD: not everything was measured; see {directory.path}, or "
                "give a larger --budget"
            )
        quantity = clearest(results)
        verdicts = {pair.verdict for pair in results.pairs}
        order = ("slower", "undecided", "faster", "same")
        verdict = next((word for word in order if word in verdicts), "undecided")
        return Ends(
            run=ENDS,
            verdict=verdict,
            reason="; ".join(f"{pair.topic}: {pair.reason}" for pair in results.pairs),
            quantity=quantity,
            log_ratios=tuple(log_ratios(directory, quantity)) if quantity else (),
        )

    def commits(self) -> list[SearchedCommit]:
        """Return the commits that change more than documentation, oldest first."""
        return [
            SearchedCommit(
                sha=link.commit.sha,
                subject=link.commit.subject,
                weight=self._weight(link),
            )
            for link in self.links
            if not link.diff.documentation_only
        ]

    def measure(self, sha: str, launches: int, quantity: Quantity) -> list[float]:
        """Measure a commit against GOOD; see `search.Measurer`.

        Raises:
            MeasureError: The commit gave no numbers.
        """
        self.steps += 1
        sides = self._sides(self.good, sha)
        try:
            return self._measure(sides, launches, quantity)
        finally:
            # A long search would fill the disk with checkouts.
            if sha not in (self.good, self.bad):
                discard(sides.head.checkout)

    def _measure(self, sides: Sides, launches: int, quantity: Quantity) -> list[float]:
        plan = narrowed(self._plan(sides), quantity)
        settings = plan.settings.model_copy(
            update={
                "looks": (launches,),
                "time_budget": STEP_SECONDS,
                "profile": False,
                "seed": plan.settings.seed + self.steps,
            }
        )
        plan = plan.model_copy(update={"settings": settings})
        sha = sides.head.commit.sha
        place = self._place(f"steps/{self.steps:03d}-{sha[:10]}")
        directory = _created(place, plan)
        run.measure(plan, directory, Quiet(), self._check_of(sides))
        ratios = log_ratios(directory, quantity)
        if not ratios:
            raise MeasureError(
                f"{quantity.test or quantity.topic} gave no numbers; see {place}"
            )
        return ratios

    def compare(self, before: str, after: str, quantity: Quantity) -> Check:
        """Compare two commits; see `search.Measurer`."""
        self.checks += 1
        sides = self._sides(before, after)
        plan = narrowed(self._plan(sides), quantity)
        settings = plan.settings.model_copy(
            update={"seed": plan.settings.seed + FIRST_SEED_OF_CHECKS + self.checks}
        )
        plan = plan.model_copy(update={"settings": settings})
        name = f"{self.checks}-{before[:10]}-{after[:10]}"
        results, directory = self._compare(name, plan, sides)
        return Check(
            before=before,
            after=after,
            run=directory.path.name,
            verdict=_verdict_on(quantity, results),
            log_ratios=tuple(log_ratios(directory, quantity)),
        )

    def _sides(self, base: str, head: str) -> Sides:
        return both(self.here, base, head, self.recipe, self.note, ruler=self.bad)

    def _plan(self, sides: Sides) -> Plan:
        return questions.plan_of(
            sides, self.question, self.settings, self.command, self.note
        )

    def _compare(
        self, name: str, plan: Plan, sides: Sides
    ) -> tuple[Results, RunDirectory]:
        """Make a whole comparison, with a second opinion, causes and reports."""
        from assay import report

        plan = comparison.with_budget(plan, self.seconds)
        directory = _created(self._place(name), plan)
        measure = comparison.measuring(self.seconds, self._check_of(sides))
        with self.show(plan) as progress:
            results = measure(plan, directory, progress)
        report.write(directory, FORMATS)
        return results, directory

    def _place(self, name: str) -> Path:
        """Return the folder for a run, after removing what a stopped run left there."""
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        return place

    def _check_of(self, sides: Sides) -> CheckFiles:
        """Return a check of imported files that also remembers them."""
        check = comparison.file_check(sides)

        def remember(name: str, files: Sequence[str]) -> None:
            check(name, files)
            side = sides.head if name == HEAD else sides.base
            for file in files:
                if Path(file).is_relative_to(side.checkout):
                    self._imported.add(os.path.relpath(file, side.checkout))
                elif side.packages and Path(file).is_relative_to(side.packages):
                    self._imported.add(os.path.relpath(file, side.packages))

        return remember

    def _weight(self, link: Link) -> float:
        """Return the prior weight of a commit: small if it changes only unused files.

        The weight says how likely the commit is to be the slow one, relative to the
        others, before any commit is measured.
        """
        files = link.diff.files
        paths = {path for file in files for path in (file.path, file.path_on("base"))}
        used = any(not path.endswith(".py") or self._is_used(path) for path in paths)
        return 1.0 if used or not self._imported else WEIGHT_OF_UNUSED

    def _is_used(self, path: str) -> bool:
        """Return whether a file of the repository was imported so far.

        An installed file lacks the folders above its package, such as `src`. So the
        path also matches without its first one or two folders.
        """
        parts = Path(path).parts
        endings = {os.path.join(*parts[start:]) for start in range(min(len(parts), 3))}
        return bool(endings & self._imported)


def clearest(results: Results) -> Quantity | None:
    """Return the quantity that became slower most clearly; None if none did.

    Args:
        results: The results of a comparison of two commits.
    """
    slower = {pair.topic for pair in results.pairs if pair.verdict == "slower"}
    items = [
        item
        for item in results.comparisons
        if item.topic in slower and item.verdict == "slower"
    ]
    if not items:
        return None
    best = max(items, key=_clarity)
    return Quantity(topic=best.topic, test=best.test, metric=best.metric)


def _verdict_on(quantity: Quantity, results: Results) -> Verdict:
    """Return the verdict on what a search follows."""
    if quantity.metric != OF_REQUEST:
        return results.pairs[0].verdict if results.pairs else "undecided"
    verdicts = [
        item.verdict
        for item in results.comparisons
        if (item.test, item.metric) == (quantity.test, quantity.metric)
    ]
    return (verdicts or [None])[0] or "undecided"


def _clarity(item: Comparison) -> float:
    """Return a log ratio divided by half the width of its interval; 0 if unknown."""
    if not item.ratio or not item.low or not item.high:
        return 0.0
    width = math.log(item.high / item.low) / 2
    return abs(math.log(item.ratio)) / max(width, 1e-6)


def narrowed(plan: Plan, quantity: Quantity) -> Plan:
    """Return a plan that measures only one quantity, without thresholds."""
    topics = [
        _only(topic, quantity) for topic in plan.topics if topic.name == quantity.topic
    ]
    # Thresholds are about what the user compares, not about steps of a search.
    return plan.model_copy(update={"topics": tuple(topics), "gating": Gating()})


def _only(topic: Topic, quantity: Quantity) -> Topic:
    update: dict[str, Any] = {"budgets": (), "time_budget": None}
    if quantity.metric == OF_REQUEST:
        requests = {"requests": (quantity.test,)}
        update["scenario"] = topic.scenario.model_copy(update=requests)
        update["deciding"] = ("cpu_per_request",)  # it takes little time
    elif quantity.test:
        tests = {"tests": (quantity.test,)}
        update["scenario"] = topic.scenario.model_copy(update=tests)
    else:
        update["scenario"] = topic.scenario.model_copy(update={"each_request": False})
        update["deciding"] = (quantity.metric,)
    return topic.model_copy(update=update)


def log_ratios(directory: RunDirectory, quantity: Quantity) -> list[float]:
    """Return the log ratios (head / base) of a run: one per launch that has a number.

    If only a bound is known for one side, the log ratio is infinite. So log ratios are
    limited to `LARGEST` in both directions.
    """
    plan = directory.plan()
    topic = plan.topic(quantity.topic)
    measured = measurements.Measurements(
        directory.slices(),
        directory.launches(),
        directory.tests(),
        directory.requests(),
    )
    if quantity.test:
        looks = looks_of(plan)
        suite = (
            by_request.suite_of(looks, topic, measured)
            if quantity.metric == OF_REQUEST
            else Suite(looks, topic, directory.tests())
        )
        ratios = suite.log_ratios(PAIR) if suite else {}
        values = ratios.get(quantity.test, np.empty(0))
    else:
        values = measurements.log_ratios(measured, topic.name, *PAIR, quantity.metric)
    return [
        max(-LARGEST, min(LARGEST, float(value)))
        for value in values
        if not math.isnan(value)
    ]


def _created(place: Path, plan: Plan) -> RunDirectory:
    try:
        return RunDirectory.create(
            place, environment.redacted(plan), environment.describe(plan)
        )
    except (NotARunError, OSError) as error:
        raise InputError(str(error)) from error
