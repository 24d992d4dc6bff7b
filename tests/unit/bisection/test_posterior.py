"""How likely each commit is: probabilities, the next commit, what is found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.bisection import posterior
from assay.bisection.posterior import Change

CHANGE = Change(size=0.08, error=0.005, scatter=0.02)
sizes = st.integers(min_value=1, max_value=40)


def noisy(middle: float, launches: int, seed: int = 1) -> list[float]:
    return list(np.random.default_rng(seed).normal(middle, 0.02, launches))


def test_before_anything_is_measured_the_weights_count() -> None:
    shares = posterior.posterior([1, 1, 2], CHANGE, {})
    assert shares == pytest.approx([0.25, 0.25, 0.5])


@given(sizes, st.data())
def test_probabilities_add_up_to_one(commits: int, data: st.DataObject) -> None:
    ratios = st.lists(st.floats(-3, 3), min_size=1, max_size=5)
    index = st.integers(0, commits - 1)
    measured = data.draw(st.dictionaries(index, ratios, max_size=5))
    shares = posterior.posterior([1.0] * commits, CHANGE, measured)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()


@pytest.mark.parametrize(("middle", "later"), [(0.0, True), (0.08, False)])
def test_a_measurement_moves_the_change_before_or_after(
    middle: float, later: bool
) -> None:
    shares = posterior.posterior([1.0] * 10, CHANGE, {4: noisy(middle, 6)})
    right, wrong = (shares[5:], shares[:5]) if later else (shares[:5], shares[5:])
    assert right.sum() > 0.9 > wrong.sum()


def test_improvements_in_a_metric_where_more_is_better_work_as_well() -> None:
    change = Change.of(noisy(-0.1, 15))
    assert change.evidence(noisy(-0.1, 5)) > 2 > -2 > change.evidence(noisy(0, 5))


def test_a_comparison_with_the_commit_before_is_evidence_for_these_alone() -> None:
    same = [(3, 3, noisy(0.0, 15))]
    shares = posterior.posterior([1.0] * 5, CHANGE, {}, same)
    assert shares[3] < 0.05
    assert shares[0] == pytest.approx(shares[4])


def test_no_single_measurement_is_certain() -> None:
    shares = posterior.posterior([1.0, 1.0], CHANGE, {0: [0.3] * 12})
    assert shares[1] > 1e-6


@given(sizes, st.sets(st.integers(0, 39)))
def test_the_next_commit_can_be_measured_and_is_not_bad(
    commits: int, left_out: set[int]
) -> None:
    shares = np.full(commits, 1 / commits)
    index = posterior.next_commit(shares, left_out)
    free = set(range(commits - 1)) - left_out
    assert (index in free) if free else (index is None)


def test_the_next_commit_halves_the_probability() -> None:
    assert posterior.next_commit(np.full(64, 1 / 64), set()) == 31
    assert posterior.next_commit(np.array([0.1, 0.1, 0.7, 0.1]), {1}) in (0, 2)


def test_a_commit_that_is_known_already_is_not_measured() -> None:
    assert posterior.next_commit(np.array([0.001, 0.996, 0.003]), set()) is None


@given(sizes, st.sets(st.integers(0, 39)))
def test_groups_share_the_whole_probability(commits: int, untestable: set[int]) -> None:
    shares = np.random.default_rng(commits).dirichlet(np.ones(commits))
    first, last, share = posterior.likeliest(shares, untestable)
    assert set(range(first, last)) <= untestable
    assert share == pytest.approx(shares[first : last + 1].sum())


@given(sizes, st.floats(0.05, 1.0))
def test_credible_rows_are_shortest(commits: int, share: float) -> None:
    shares = np.random.default_rng(commits).dirichlet(np.ones(commits))
    first, last = posterior.credible(shares, share)
    assert shares[first : last + 1].sum() >= share - 1e-9
    length = last - first
    shorter = [shares[i : i + length].sum() for i in range(commits - length + 1)]
    assert not length or max(shorter) < share + 1e-9


def test_more_scatter_needs_more_launches() -> None:
    few = Change(0.08, 0.001, 0.01).launches
    many = Change(0.08, 0.001, 0.05).launches
    assert posterior.LEAST_LAUNCHES == few < many
    assert Change(0.03, 0.001, 0.02).launches == posterior.MOST_LAUNCHES
