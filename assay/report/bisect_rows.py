"""The commits of a bisection as rows, for the page and for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assay.analysis import statistics
from assay.bisection_results import Bisection, Step
from assay.wording import clean, counted, one_line, ratio

SHORT = 10  # characters of a commit's name
LEVEL = 0.05  # two-sided level of the intervals that are shown


@dataclass(frozen=True)
class CommitRow:
    """One commit.

    Attributes:
        number: Its position in the history after GOOD, from 1 on.
        sha: The beginning of its name.
        subject: The first line of its message.
        ratio: commit / GOOD, in words; empty if it was not measured.
        launches: Number of launches that the ratio was computed from.
        suspected: Whether this is, or may be, the commit that made the code slower.
        problem: Why the commit cannot be measured; empty if it can.
        middle: The ratio as a number; None if it was not measured.
        low: Lower end of the ratio's interval; None if there is none.
        high: Upper end of the ratio's interval; None if there is none.
    """

    number: int
    sha: str
    subject: str
    ratio: str = ""
    launches: int = 0
    suspected: bool = False
    problem: str = ""
    middle: float | None = None
    low: float | None = None
    high: float | None = None


def rows(state: Bisection) -> list[CommitRow]:
    """Return a row for each commit of a bisection, oldest first."""
    steps: dict[str, list[Step]] = {}
    for step in state.steps:
        steps.setdefault(step.sha, []).append(step)
    last = len(state.commits) - 1
    made = []
    for index, one in enumerate(state.commits):
        of_commit = steps.get(one.sha, [])
        log_ratios = [value for step in of_commit for value in step.log_ratios]
        if index == last and state.ends and not log_ratios:
            log_ratios = list(state.ends.log_ratios)
        problem = next((step.problem for step in of_commit if step.problem), "")
        middle, low, high = _interval(log_ratios)
        made.append(
            CommitRow(
                number=index + 1,
                sha=one.sha[:SHORT],
                subject=one_line(one.subject),
                ratio="" if middle is None else ratio(middle, low, high),
                launches=len(log_ratios),
                suspected=one.sha in state.suspects,
                problem=problem,
                middle=middle,
                low=low,
                high=high,
            )
        )
    return made


def answer(state: Bisection) -> str:
    """Return the outcome in one sentence."""
    text = clean(state.answer)
    if state.outcome == "found":
        return f"Slower since {text}."
    if state.outcome == "partial":
        return "The search has not ended."
    return f"{text[:1].upper()}{text[1:]}."


def measured_text(state: Bisection) -> str:
    """Say what was measured: ``2 of 64 commits measured: time of test_read``."""
    tried = len({step.sha for step in state.steps})
    text = f"{tried} of {counted(len(state.commits), 'commit')} measured"
    quantity = state.ends.quantity if state.ends else None
    if quantity is None:
        return text
    name = one_line(quantity.test or quantity.topic)
    return f"{text}: {quantity.metric} of {name}"


def _interval(
    log_ratios: Sequence[float],
) -> tuple[float | None, float | None, float | None]:
    if not log_ratios:
        return None, None, None
    x = np.asarray(log_ratios, dtype=float)
    middle = math.exp(statistics.hodges_lehmann(x))
    ends = statistics.signed_rank_interval(x, LEVEL)
    if ends is None or not all(map(math.isfinite, ends)):
        return middle, None, None
    return middle, math.exp(ends[0]), math.exp(ends[1])
