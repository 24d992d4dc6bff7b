"""Warnings for a reader of the results, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assay.analysis import by_request, suites
from assay.analysis.deciding import LEAN_USER_HINT
from assay.analysis.measurements import (
    Measurements,
    censored_launches,
    limited_by_generator,
    unanswered,
)
from assay.analysis.suites import Suite
from assay.plan import Plan
from assay.results import Control

THROUGHPUT = "throughput"


def warnings_of(
    plan: Plan,
    measured: Measurements,
    arms: Sequence[Control],
    by_test: Sequence[Suite],
) -> Iterable[str]:
    """Yield all warnings.

    Args:
        plan: The plan of the run.
        measured: The tables of the run.
        arms: The results of the A/A arms.
        by_test: The suites whose benchmarks are judged test by test.
    """
    yield from _of_controls(arms)
    yield from _of_generator(plan, measured)
    yield from _of_unanswered(plan, measured)
    for suite in by_test:
        yield from suites.warnings(suite)
    for topic in plan.topics:
        yield from by_request.warnings(topic, measured)


def _of_controls(arms: Sequence[Control]) -> Iterable[str]:
    for control in arms:
        if control.failed:
            yield (
                f"{control.topic}: the A/A arm failed: {control.variant} against "
                f"itself came out as {control.ratio:.2f}× in {control.metric}. Do not "
                "trust the numbers of this run."
            )


def _of_generator(plan: Plan, measured: Measurements) -> Iterable[str]:
    """Yield warnings about variants whose throughput the generator limited."""
    for topic in plan.topics:
        variants = [variant.name for variant in topic.variants]
        limited: list[str] = []
        if not topic.claims:
            limited = limited_by_generator(measured, topic.name, variants)
        if limited:
            yield (
                f"{topic.name}: the load generator is the limit under "
                f"{', '.join(limited)}, so the capacity is unknown, and "
                "throughput does not decide. " + LEAN_USER_HINT
            )
        names = [
            name
            for name in variants
            if name not in limited
            and censored_launches(measured, topic.name, name, THROUGHPUT)
        ]
        if names:
            yield (
                f"{topic.name}: the load generator was saturated under "
                f"{', '.join(names)}: throughput is at least what is shown. "
                + LEAN_USER_HINT
            )


def _of_unanswered(plan: Plan, measured: Measurements) -> Iterable[str]:
    """Yield warnings about variants that left requests without an answer."""
    for topic in plan.topics:
        for variant in topic.variants:
            lost, planned = unanswered(measured, topic.name, variant.name)
            if lost:
                yield (
                    f"{topic.name}: variant {variant.name} did not answer {lost:,} of "
                    f"{planned:,} arrivals."
                )
