"""The search, with a measurer whose commits have known times."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from assay.bisection.search import (
    MOST_CHECKS,
    MOST_PROBLEMS_IN_A_ROW,
    MOST_STEPS_OF_COMMIT,
    Search,
)
from assay.bisection_results import (
    Bisection,
    Check,
    Ends,
    Quantity,
    Request,
    SearchedCommit,
)
from assay.errors import MeasureError

QUANTITY = Quantity(topic="benchmarks", test="test_read", metric="time")


@dataclass
class Drawn:
    """Draws log ratios around the true time of each commit.

    Attributes:
        levels: The true log time of each commit after GOOD.
        broken: Commits that do not build.
        scatter: Standard deviation of a launch.
        verdicts: Replaces the verdicts of whole comparisons.
    """

    levels: Sequence[float]
    seed: int = 0
    broken: frozenset[int] = frozenset()
    scatter: float = 0.02
    verdicts: list[str] = field(default_factory=list)
    launches: int = 0

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def compare_ends(self) -> Ends:
        log_ratios = self._draw(self.levels[-1], 15)
        slower = np.mean(log_ratios) > 0.03
        return Ends(
            run="ends",
            verdict="slower" if slower else "same",
            reason="as drawn",
            quantity=QUANTITY if slower else None,
            log_ratios=log_ratios if slower else (),
        )

    def commits(self) -> list[SearchedCommit]:
        return [
            SearchedCommit(sha=name(index), subject=f"Commit {index}", weight=1)
            for index in range(len(self.levels))
        ]

    def measure(self, sha: str, launches: int, quantity: Quantity) -> list[float]:
        index = int(sha, 16)
        if index in self.broken:
            raise MeasureError("it does not build\nlast lines of the log")
        return list(self._draw(self.levels[index], launches))

    def compare(self, before: str, after: str, quantity: Quantity) -> Check:
        first = 0.0 if before == GOOD else self.levels[int(before, 16)]
        if before != GOOD and int(before, 16) in self.broken:
            raise MeasureError("it does not build")
        log_ratios = self._draw(self.levels[int(after, 16)] - first, 15)
        verdict = "slower" if np.mean(log_ratios) > 0.03 else "same"
        if self.verdicts:
            verdict = self.verdicts.pop(0)
        return Check(
            before=before, after=after, run="x", verdict=verdict, log_ratios=log_ratios
        )

    def _draw(self, middle: float, launches: int) -> tuple[float, ...]:
        self.launches += launches
        return tuple(self.random.normal(middle, self.scatter, launches))


GOOD = "f" * 40


def name(index: int) -> str:
    return f"{index:040x}"


def begun() -> Bisection:
    request = Request(good=GOOD, bad="e" * 40)
    return Bisection(
        command="assay bisect", seed=1, request=request, good="v1", bad="v2"
    )


def searched(measurer: Drawn, saved: list[Bisection] | None = None) -> Bisection:
    save = (saved if saved is not None else []).append
    return Search(begun(), measurer, save, lambda text: None).run()


def planted(commits: int, culprit: int, size: float = 0.08) -> list[float]:
    return [size if index >= culprit else 0.0 for index in range(commits)]


def test_a_planted_commit_is_found_nearly_always() -> None:
    found = launches = 0
    for seed in range(40):
        culprit = int(np.random.default_rng(seed).integers(64))
        measurer = Drawn(planted(64, culprit), seed, scatter=0.03)
        state = searched(measurer)
        found += state.suspects == (name(culprit),)
        launches += measurer.launches
    assert found >= 37
    # A linear search would need at least three launches for each of 64 commits.
    assert launches / 40 < 120


@pytest.mark.parametrize("culprit", [0, 63])
def test_the_first_and_the_last_commit_are_found(culprit: int) -> None:
    state = searched(Drawn(planted(64, culprit)))
    assert state.outcome == "found"
    assert state.suspects == (name(culprit),)
    assert "against the commit before it" in state.answer


def test_a_single_commit_needs_no_step() -> None:
    state = searched(Drawn(planted(1, 0)))
    assert (state.outcome, state.steps) == ("found", ())


def test_commits_that_do_not_build_are_skipped() -> None:
    measurer = Drawn(planted(64, 40), broken=frozenset({31, 10}))
    state = searched(measurer)
    assert state.suspects == (name(40),)
    assert any(step.problem for step in state.steps)


def test_a_culprit_among_broken_commits_gives_a_range() -> None:
    state = searched(Drawn(planted(32, 15), broken=frozenset({14, 15, 16})))
    assert state.outcome == "found"
    assert state.suspects == tuple(name(index) for index in (14, 15, 16, 17))
    assert "one of 4 commits" in state.answer
    assert "cannot be measured" in state.answer


def test_without_a_change_nothing_is_searched() -> None:
    state = searched(Drawn([0.0] * 64))
    assert (state.outcome, state.steps, state.suspects) == ("no change", (), ())


def test_a_suspicion_that_is_not_confirmed_is_not_called_found() -> None:
    measurer = Drawn(planted(16, 5), verdicts=["same"] * MOST_CHECKS + ["slower"])
    state = searched(measurer)
    assert state.outcome == "unsure"
    assert len(state.checks) == MOST_CHECKS
    assert name(5) in state.suspects


def test_many_small_changes_are_never_called_one_large_one() -> None:
    measurer = Drawn([0.005 * index for index in range(1, 33)], scatter=0.01)
    assert searched(measurer).outcome == "unsure"


def test_one_of_three_changes_is_said_to_be_only_a_part() -> None:
    levels = [0.1 * sum(index >= place for place in (5, 15, 25)) for index in range(32)]
    state = searched(Drawn(levels, scatter=0.01))
    assert state.outcome == "found"
    assert state.suspects[0] in {name(index) for index in (5, 15, 25)}
    assert "other commits contributed, too" in state.answer


def test_a_change_of_4_percent_is_found_although_builds_differ() -> None:
    """A commit's build has a random effect, the same in each of its measurements."""
    found = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        builds = random.normal(0, 0.007, 64)
        levels = np.array(planted(64, int(random.integers(1, 63)), 0.04)) + builds
        measurer = Drawn(list(levels), seed, scatter=0.01)
        state = searched(measurer)
        times = Counter(step.sha for step in state.steps)
        assert max(times.values(), default=0) <= MOST_STEPS_OF_COMMIT
        found += state.outcome == "found"
    assert found >= 15


def test_what_could_not_be_measured_is_tried_again_later() -> None:
    saved: list[Bisection] = []
    measurer = Drawn(planted(64, 40), broken=frozenset(range(63)))
    with pytest.raises(MeasureError):
        searched(measurer, saved)
    state = Search(saved[-1], Drawn(planted(64, 40)), saved.append, print).run()
    assert state.suspects == (name(40),)


def test_a_search_that_has_ended_measures_nothing() -> None:
    state = searched(Drawn(planted(64, 40)))
    measurer = Drawn(planted(64, 40))
    assert Search(state, measurer, lambda _: None, print).run() == state
    assert measurer.launches == 0


def test_a_search_goes_on_where_it_was_stopped() -> None:
    saved: list[Bisection] = []
    whole = searched(Drawn(planted(64, 40)), saved)
    middle = saved[len(saved) // 2]
    assert middle.outcome == "partial"
    measurer = Drawn(planted(64, 40), seed=5)
    state = Search(middle, measurer, saved.append, lambda text: None).run()
    assert state.suspects == whole.suspects
    assert state.steps[: len(middle.steps)] == middle.steps
    assert measurer.launches < 60


def test_it_gives_up_where_no_commit_builds() -> None:
    measurer = Drawn(planted(64, 40), broken=frozenset(range(63)))
    said = f"{MOST_PROBLEMS_IN_A_ROW} commits in a row"
    with pytest.raises(MeasureError, match=said):
        searched(measurer)
