"""The search: which commit to measure next, and when the answer is certain enough."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from assay import wording
from assay.analysis.statistics import Floats, hodges_lehmann
from assay.bisection import posterior
from assay.bisection.posterior import Change
from assay.bisection_results import (
    Bisection,
    Check,
    Ends,
    Quantity,
    SearchedCommit,
    SearchOutcome,
    Step,
)
from assay.errors import AssayError, MeasureError
from assay.wording import counted, one_line

CERTAIN = 0.95
# Suspicions that so many whole comparisons do not confirm are not pursued further.
MOST_CHECKS = 3
# What a commit's build adds to its time is the same in each of its measurements, so
# that more of them say nothing new.
MOST_STEPS_OF_COMMIT = 2
# A commit with less of the change is not all of it.
WHOLE_CHANGE = 0.7
MOST_PROBLEMS_IN_A_ROW = 8


class Measurer(Protocol):
    """Measures commits; each method raises AssayError if that is impossible."""

    def compare_ends(self) -> Ends:
        """Compare GOOD and BAD."""

    def commits(self) -> Sequence[SearchedCommit]:
        """Return the commits that can be the one, oldest first; after the ends."""

    def measure(self, sha: str, launches: int, quantity: Quantity) -> list[float]:
        """Measure a commit against GOOD; return one log ratio for each launch."""

    def compare(self, before: str, after: str, quantity: Quantity) -> Check:
        """Compare two commits, with all that makes a verdict certain."""


class Search:
    """A search that goes on from what is known.

    Attributes:
        state: All that is known.
    """

    def __init__(
        self,
        state: Bisection,
        measurer: Measurer,
        save: Callable[[Bisection], None],
        note: Callable[[str], None],
    ) -> None:
        """Begin, or go on.

        Args:
            state: What is known so far.
            measurer: Measures commits.
            save: Is given all that is known, whenever there is more.
            note: Is told what came out, line by line.
        """
        self.state, self._measurer = state, measurer
        self._save, self._note = save, note

    def run(self) -> Bisection:
        """Search until the answer is certain enough; return all that is known.

        Raises:
            AssayError: The ends cannot be measured, or hardly any commit can.
        """
        if self.state.outcome != "partial":
            return self.state
        # What failed before the search was stopped may work now.
        working = tuple(step for step in self.state.steps if not step.problem)
        self.state = self.state.model_copy(update={"steps": working})
        ends = self._ends()
        if ends.quantity is None:
            return self._end(*_without_change(ends, self.state))
        if not self.state.commits:
            self._update(commits=tuple(self._measurer.commits()))
        if not self.state.commits:
            return self._end(
                "unsure",
                "the ends differ, although only documentation changed between them",
            )
        change = Change.of(ends.log_ratios)
        while len(self.state.steps) < self._most_steps():
            suspects = self._suspects(change)
            if suspects is None:
                self._step(change, ends.quantity)
                continue
            check = self._check(*suspects, ends.quantity)
            if check is not None and check.verdict == "slower":
                return self._found(suspects, check, change)
            if len(self.state.checks) >= MOST_CHECKS:
                break
        return self._unsure(change)

    def _ends(self) -> Ends:
        if self.state.ends is None:
            self._update(ends=self._measurer.compare_ends())
        assert self.state.ends is not None
        return self.state.ends

    def _most_steps(self) -> int:
        """Return after how many measurements the search gives up."""
        untestable = len(self._untestable())
        needed = math.ceil(math.log2(len(self.state.commits) + 1))
        return 10 + 4 * needed + 2 * untestable

    def probabilities(self, change: Change) -> Floats:
        """Return the probability of each commit, given all that was measured."""
        indices = {one.sha: index for index, one in enumerate(self.state.commits)}
        measured: dict[int, list[float]] = {}
        for step in self.state.steps:
            if step.log_ratios:
                measured.setdefault(indices[step.sha], []).extend(step.log_ratios)
        checked = [
            (indices.get(check.before, -1) + 1, indices[check.after], check.log_ratios)
            for check in self.state.checks
            if check.log_ratios
        ]
        weights = [one.weight for one in self.state.commits]
        return posterior.posterior(weights, change, measured, checked)

    def _untestable(self) -> set[int]:
        problems = {step.sha for step in self.state.steps if step.problem}
        return {
            index for index, one in enumerate(self.state.commits) if one.sha in problems
        }

    def _suspects(self, change: Change) -> tuple[int, int] | None:
        """Return the commits to compare with the one before; None if unknown.

        They are the one almost certainly, or no other measurement says more.
        """
        probabilities = self.probabilities(change)
        first, last, share = posterior.likeliest(probabilities, self._untestable())
        nothing_left = posterior.next_commit(probabilities, self._left_out()) is None
        return (first, last) if share >= CERTAIN or nothing_left else None

    def _left_out(self) -> set[int]:
        """Return commits that cannot be measured, or were measured often enough."""
        times = Counter(step.sha for step in self.state.steps)
        often = {
            index
            for index, one in enumerate(self.state.commits)
            if times[one.sha] >= MOST_STEPS_OF_COMMIT
        }
        return often | self._untestable()

    def _step(self, change: Change, quantity: Quantity) -> None:
        """Measure the commit that says most."""
        index = posterior.next_commit(self.probabilities(change), self._left_out())
        assert index is not None
        one = self.state.commits[index]
        name = f"{one.sha[:10]} {one_line(one.subject)}"
        place = f"{index + 1} of {len(self.state.commits)}"
        self._note(f"measuring commit {place}: {name}")
        try:
            log_ratios = self._measurer.measure(one.sha, change.launches, quantity)
            step = Step(sha=one.sha, log_ratios=tuple(log_ratios))
        except AssayError as error:
            step = Step(sha=one.sha, problem=str(error))
        self._update(steps=(*self.state.steps, step))
        if step.problem:
            self._note(f"  it cannot be measured: {_first_line(step.problem)}")
            self._give_up_if_nothing_works()
            return
        ratio = wording.ratio(math.exp(_middle(step.log_ratios)), None, None)
        word = "slow" if change.evidence(step.log_ratios) > 0 else "fast"
        low, high = posterior.credible(self.probabilities(change), CERTAIN)
        left = counted(high - low + 1, "commit")
        self._note(f"  {ratio} of GOOD: {word}; {left} left, almost certainly")

    def _give_up_if_nothing_works(self) -> None:
        """Raise MeasureError if the last commits all failed.

        Raises:
            MeasureError: They did.
        """
        last = self.state.steps[-MOST_PROBLEMS_IN_A_ROW:]
        if len(last) == MOST_PROBLEMS_IN_A_ROW and all(step.problem for step in last):
            raise MeasureError(
                f"{MOST_PROBLEMS_IN_A_ROW} commits in a row cannot be measured; the "
                f"last one: {last[-1].problem}"
            )

    def _check(self, first: int, last: int, quantity: Quantity) -> Check | None:
        """Compare the suspects with the commit before; None if that cannot be built."""
        before = self._before(first)
        after = self.state.commits[last].sha
        self._note(f"comparing {after[:10]} with {before[:10]}, the commit before")
        try:
            check = self._measurer.compare(before, after, quantity)
        except AssayError as error:
            self._note(f"  that cannot be compared: {_first_line(str(error))}")
            tried = {self.state.request.good, *(step.sha for step in self.state.steps)}
            if before not in tried:
                step = Step(sha=before, problem=str(error))
                self._update(steps=(*self.state.steps, step))
                return None
            check = Check(before=before, after=after, run="", verdict="undecided")
        self._update(checks=(*self.state.checks, check))
        return check

    def _before(self, first: int) -> str:
        """Return the commit before another one."""
        if first == 0:
            return self.state.request.good
        return self.state.commits[first - 1].sha

    def _found(
        self, suspects: tuple[int, int], check: Check, change: Change
    ) -> Bisection:
        first, last = suspects
        named = self.state.commits[first : last + 1]
        newest = f"{named[-1].sha[:10]} {one_line(named[-1].subject)}"
        ratio = wording.ratio(math.exp(_middle(check.log_ratios)), None, None)
        sized = f"measured against the commit before, it is {ratio}"
        if abs(_middle(check.log_ratios)) < WHOLE_CHANGE * abs(change.size):
            whole = wording.ratio(math.exp(change.size), None, None)
            sized += f", and BAD against GOOD {whole}, so other commits are slower, too"
        if len(named) == 1:
            answer = f"{newest} ({sized})"
        else:
            answer = (
                f"one of {counted(len(named), 'commit')} up to {newest}; the others "
                f"cannot be measured ({sized})"
            )
        return self._end("found", answer, suspects)

    def _unsure(self, change: Change) -> Bisection:
        low, high = posterior.credible(self.probabilities(change), CERTAIN)
        first, last = (self.state.commits[index] for index in (low, high))
        answer = (
            f"one of {counted(high - low + 1, 'commit')}, {first.sha[:10]} to "
            f"{last.sha[:10]}, probably"
        )
        if any(check.verdict == "undecided" for check in self.state.checks):
            answer += "; comparing single commits was undecided: raise --budget"
        elif self.state.checks:
            answer += "; comparing single commits did not confirm it. Several small "
            answer += "changes can make a large one"
        return self._end("unsure", answer, (low, high))

    def _end(
        self,
        outcome: SearchOutcome,
        answer: str,
        suspects: tuple[int, int] | None = None,
    ) -> Bisection:
        update: dict[str, Any] = {"outcome": outcome, "answer": answer}
        if suspects is not None and self.state.ends is not None:
            first, last = suspects
            change = Change.of(self.state.ends.log_ratios)
            shares = self.probabilities(change)[first : last + 1]
            update["suspects"] = tuple(
                one.sha for one in self.state.commits[first : last + 1]
            )
            update["probability"] = min(float(shares.sum()), 1.0)
        self._update(**update)
        return self.state

    def _update(self, **update: Any) -> None:
        self.state = self.state.model_copy(update=update)
        self._save(self.state)


def _without_change(ends: Ends, state: Bisection) -> tuple[SearchOutcome, str]:
    """Return the outcome where nothing became slower between the ends."""
    sides = f"from {one_line(state.good)} to {one_line(state.bad)}"
    if ends.verdict == "undecided":
        text = f"whether anything became slower {sides} is undecided: {ends.reason}"
        return "unsure", f"{text}. Give a larger --budget, and another --output"
    return "no change", f"nothing became slower {sides}: {ends.reason}"


def _middle(log_ratios: Iterable[float]) -> float:
    return hodges_lehmann(np.asarray(list(log_ratios), dtype=float))


def _first_line(text: str) -> str:
    return one_line(text.strip().splitlines()[0]) if text.strip() else "no reason given"
