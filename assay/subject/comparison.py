"""Measures two sides, and measures again what is slower."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from assay.errors import MeasureError
from assay.experiment import run, second_opinion
from assay.experiment.context import CheckFiles, accept_files
from assay.experiment.progress import Progress
from assay.experiment.second_opinion import Time
from assay.plan import Plan
from assay.results import Results
from assay.run_directory.run import RunDirectory
from assay.subject.sides import Sides

# The share of a time budget that is left for measuring again what is slower.
SHARE_FOR_SECOND_OPINION = 0.25
Measure = Callable[[Plan, RunDirectory, Progress], Results]


def with_budget(plan: Plan, seconds: float | None) -> Plan:
    """Return a plan whose topics share the time equally.

    The share `SHARE_FOR_SECOND_OPINION` of the time is left for the second opinion. The
    topics' own time budgets no longer count.

    Args:
        plan: The plan.
        seconds: The time for all measuring. If None, the plan is returned unchanged.
    """
    if seconds is None:
        return plan
    share = (1 - SHARE_FOR_SECOND_OPINION) * seconds / len(plan.topics)
    topics = [topic.model_copy(update={"time_budget": None}) for topic in plan.topics]
    settings = plan.settings.model_copy(update={"time_budget": share})
    return plan.model_copy(update={"topics": tuple(topics), "settings": settings})


def measuring(seconds: float | None, check: CheckFiles = accept_files) -> Measure:
    """Return a function that measures a plan, and measures again what is slower.

    Args:
        seconds: The time for all measuring, from this call on; None if only the plan
            limits the time.
        check: Called with the files that each side imported; see `file_check`.
    """
    began = time.monotonic()

    def measure(plan: Plan, directory: RunDirectory, progress: Progress) -> Results:
        results = run.measure(plan, directory, progress, check)
        spent = time.monotonic() - began
        rest = None if seconds is None else Time(spent, seconds - spent)
        return second_opinion.measure(plan, directory, results, progress, check, rest)

    return measure


def is_measured(plan: Plan, results: Results) -> bool:
    """Return whether every pair has a comparison of at least one launch."""
    return all(
        results.measured(topic.name, pair)
        for topic in plan.topics
        for pair in topic.pairs()
    )


def file_check(sides: Sides) -> CheckFiles:
    """Return a function that checks which files a side imported.

    The function raises MeasureError if a file belongs to the other side or to the
    user's work tree.
    """

    def check(name: str, files: Sequence[str]) -> None:
        side = sides.head if name == sides.head.name else sides.base
        wrong = sides.foreign(side, files)
        if wrong:
            raise MeasureError(
                f"{name}: it imported {wrong[0]}, which does not belong to this "
                f"commit ({side.commit.name}); {len(wrong)} files in all.\n"
                "  Something leads Python to another checkout: an editable install, "
                "PYTHONPATH in [target] env, or a path in a conftest.py"
            )

    return check
