"""The search: which commit is measured next, and when the answer is certain enough.

A *step* measures one commit against GOOD, in just enough launches to tell fast from
slow. A *whole comparison* measures two commits as `assay compare` does, with a second
opinion, causes and a report.
"""

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
# The search gives up if none of this many whole comparisons says that a suspect is
# slower.
MOST_CHECKS = 3
# A commit's build, such as its memory layout, has the same effect on each measurement
# of the commit. So further measurements add little.
MOST_STEPS_OF_COMMIT = 2
# If the found commit has a smaller share of the change, other commits contributed, too.
WHOLE_CHANGE = 0.7
MOST_PROBLEMS_IN_A_ROW = 8


class Measurer(Protocol):
    """Measures commits; each method that measures raises AssayError if it cannot."""

    def compare_ends(self) -> Ends:
        """Make a whole comparison of GOOD and BAD."""

    def commits(self) -> Sequence[SearchedCommit]:
        """Return the possible commits, oldest first; called after `compare_ends`."""

    def measure(self, sha: str, launches: int, quantity: Quantity) -> list[float]:
        """Measure a commit against GOOD; return one log ratio for each launch."""

    def compare(self, before: str, after: str, quantity: Quantity) -> Check:
        """Make a whole comparison of two commits, but measure only one quantity."""


class Search:
    """A search, which can go on from an earlier state.

    Attributes:
        state: All that is known so far.
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
            state: All that is known so far.
            measurer: Measures commits.
            save: Called with the new state whenever it changes.
            note: Called with each line of progress.
        """
        self.state, self._measurer = state, measurer
        self._save, self._note = save, note

    def run(self) -> Bisection:
        """Search until the answer is certain enough; return all that is known.

        Raises:
            AssayError: The ends cannot be measured, or `MOST_PROBLEMS_IN_A_ROW` commits
                in a row cannot be measured.
        """
        if self.state.outcome != "partial":
            return self.state
        # What could not be measured before the search was stopped may work now.
        working = tuple(step for step in self.state.steps if not step.problem)
        self.state = self.state.model_copy(update={"steps": working})
        ends = self._compare_ends()
        if ends.quantity is None:
            return self._finish(*_without_change(ends, self.state))
        if not self.state.commits:
            self._update(commits=tuple(self._measurer.commits()))
        if not self.state.commits:
            return self._finish(
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

    def _compare_ends(self) -> Ends:
        if self.state.ends is None:
            self._update(ends=self._measurer.compare_ends())
        assert self.state.ends is not None
        return self.state.ends

    def _most_steps(self) -> int:
        """Return the number of steps after which the search gives up."""
        untestable = len(self._untestable())
        needed = math.ceil(math.log2(len(self.state.commits) + 1))
        return 10 + 4 * needed + 2 * untestable

    def probabilities(self, change: Change) -> Floats:
        """Return the probability of each commit, given all steps and checks so far."""
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
        """Return the first and last index of the suspects; None if another step helps.

        The suspects are the likeliest commit and those that no measurement can tell
        from it. No other step helps if one of them is almost certainly the first slow
        commit, or if no commit is left that is worth measuring.
        """
        probabilities = self.probabilities(change)
        first, last, share = posterior.likeliest(probabilities, self._untestable())
        nothing_left = posterior.next_commit(probabilities, self._left_out()) is None
        return (first, last) if share >= CERTAIN or nothing_left else None

    def _left_out(self) -> set[int]:
        """Return the commits that cannot be measured, or were measured often enough."""
        times = Counter(step.sha for step in self.state.steps)
        often = {
            index
            for index, one in enumerate(self.state.commits)
            if times[one.sha] >= MOST_STEPS_OF_COMMIT
        }
        return often | self._untestable()

    def _step(self, change: Change, quantity: Quantity) -> None:
        """Measure the most informative commit."""
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
        self._note(
            f"  {ratio} of GOOD: {word}; the change is almost certainly within {left}"
        )

    def _give_up_if_nothing_works(self) -> None:
        """Check that not all of the last steps failed.

        Raises:
            MeasureError: The last `MOST_PROBLEMS_IN_A_ROW` steps failed.
        """
        last = self.state.steps[-MOST_PROBLEMS_IN_A_ROW:]
        if len(last) == MOST_PROBLEMS_IN_A_ROW and all(step.problem for step in last):
            raise MeasureError(
                f"{MOST_PROBLEMS_IN_A_ROW} commits in a row cannot be measured; the "
                f"last one: {last[-1].problem}"
            )

    def _check(self, first: int, last: int, quantity: Quantity) -> Check | None:
        """Compare the last suspect with the commit just before the first suspect.

        If the comparison fails, that earlier commit may be the reason. If no step has
        tried to measure it yet, it counts from now on as a commit that cannot be
        measured, and this function returns None. Otherwise the verdict is *undecided*.
        """
        before = self._before(first)
        after = self.state.commits[last].sha
        oldest = "it" if first == last else self.state.commits[first].sha[:10]
        self._note(
            f"comparing {after[:10]} with {before[:10]}, the commit before {oldest}"
        )
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
        """Return the full name of the commit that precedes the one with this index."""
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
        oldest = "it" if first == last else "the first of them"
        sized = f"measured against the commit before {oldest}: {ratio}"
        if abs(_middle(check.log_ratios)) < WHOLE_CHANGE * abs(change.size):
            whole = wording.ratio(math.exp(change.size), None, None)
            sized += f"; BAD against GOOD: {whole}, so other commits contributed, too"
        if len(named) == 1:
            answer = f"{newest} ({sized})"
        else:
            answer = (
                f"one of {counted(len(named), 'commit')}: the newest is {newest}, and "
                f"the older ones cannot be measured ({sized})"
            )
        return self._finish("found", answer, suspects)

    def _unsure(self, change: Change) -> Bisection:
        low, high = posterior.credible(self.probabilities(change), CERTAIN)
        first, last = (self.state.commits[index] for index in (low, high))
        answer = (
            f"probably one of {counted(high - low + 1, 'commit')}, from "
            f"{first.sha[:10]} to {last.sha[:10]}"
        )
        if any(check.verdict == "undecided" for check in self.state.checks):
            answer += "; comparing single commits was undecided: raise --budget"
        elif self.state.checks:
            answer += "; comparing single commits did not confirm it. Several small "
            answer += "changes can make a large one"
        return self._finish("unsure", answer, (low, high))

    def _finish(
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
    """Return the outcome and the answer if nothing became clearly slower."""
    sides = f"from {one_line(state.good)} to {one_line(state.bad)}"
    if ends.verdict == "undecided":
        text = f"undecided: whether anything became slower {sides} ({ends.reason})"
        return "unsure", f"{text}. Give a larger --budget, and another --output"
    return "no change", f"nothing became slower {sides}: {ends.reason}"


def _middle(log_ratios: Iterable[float]) -> float:
    return hodges_lehmann(np.asarray(list(log_ratios), dtype=float))


def _first_line(text: str) -> str:
    return one_line(text.strip().splitlines()[0]) if text.strip() else "no reason given"
