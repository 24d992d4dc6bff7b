"""How likely each commit is to be the one that made something slower.

The model: commits before the change are as fast as GOOD; commits from the change on are
as slow as BAD. A measurement is evidence that a commit is fast or slow, but is never
certain. This is Bayesian search with noisy answers: see Horstein,
"Sequential transmission using noiseless feedback" (IEEE Transactions on Information
Theory 9, 1963), and Waeber, Frazier and Henderson, "Bisection search with noisy
responses" (SIAM Journal on Control and Optimization 51, 2013).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.analysis.statistics import Floats, hodges_lehmann, robust_deviation

# Two builds of the same code differ by about one per cent, for example in their memory
# layout. More launches do not reduce this.
BETWEEN_BUILDS = 0.01  # log ratio, standard deviation
LEAST_SCATTER = 0.003  # log ratio
# Degrees of freedom of Student's t. With so few, no single measurement is certain.
DEGREES = 5
# A step gets enough launches to put fast and slow this many standard errors apart.
SEPARATION = 4.0
LEAST_LAUNCHES, MOST_LAUNCHES = 3, 12
# A commit that is fast, or slow, with more than this probability is not measured.
ALREADY_KNOWN = 0.99


@dataclass(frozen=True)
class Change:
    """The change that is looked for, as log ratios BAD / GOOD.

    Attributes:
        size: The Hodges-Lehmann estimate of all launches.
        error: The standard error of the size.
        scatter: The standard deviation of one launch.
    """

    size: float
    error: float
    scatter: float

    @classmethod
    def of(cls, log_ratios: Sequence[float]) -> "Change":
        """Return the change between GOOD and BAD.

        Args:
            log_ratios: log(BAD / GOOD), one for each launch.
        """
        x = np.asarray(log_ratios, dtype=float)
        scatter = max(robust_deviation(x), LEAST_SCATTER)
        return cls(hodges_lehmann(x), scatter / math.sqrt(len(x)), scatter)

    @property
    def launches(self) -> int:
        """How many launches a step needs to tell a fast commit from a slow one."""
        room = (self.size / SEPARATION) ** 2 - BETWEEN_BUILDS**2
        if room <= 0:
            return MOST_LAUNCHES
        needed = math.ceil(self.scatter**2 / room)
        return min(max(needed, LEAST_LAUNCHES), MOST_LAUNCHES)

    def evidence(self, log_ratios: Sequence[float]) -> float:
        """Return the log likelihood ratio of a slow commit to a fast one.

        Args:
            log_ratios: log(commit / GOOD), one for each launch; not empty.
        """
        x = np.asarray(log_ratios, dtype=float)
        variance = self.scatter**2 / len(x) + BETWEEN_BUILDS**2
        middle = hodges_lehmann(x)
        return _log_t(middle - self.size, variance + self.error**2) - _log_t(
            middle, variance
        )


def posterior(
    weights: Sequence[float],
    change: Change,
    measured: Mapping[int, Sequence[float]],
    checked: Sequence[tuple[int, int, Sequence[float]]] = (),
) -> Floats:
    """Return the probability that each commit is the first slow one.

    Args:
        weights: How likely each commit is before any is measured, relative to the
            others; oldest commit first.
        change: The change that is looked for.
        measured: log(commit / GOOD) by the commit's index, one for each launch.
        checked: One entry for each whole comparison: the indices of the first and the
            last commit whose changes were compared, and the log ratios.

    Returns:
        One probability for each commit; their sum is 1.
    """
    logs = np.log(np.asarray(weights, dtype=float))
    for index, log_ratios in measured.items():
        # A measured commit is slow if the first slow one is not after it.
        logs[: index + 1] += change.evidence(log_ratios)
    for first, last, log_ratios in checked:
        logs[first : last + 1] += change.evidence(log_ratios)
    likely = np.exp(logs - logs.max())
    return np.asarray(likely / likely.sum())


def next_commit(probabilities: Floats, left_out: Collection[int]) -> int | None:
    """Return the most informative commit to measure; None if none is informative.

    This is the commit whose probability of being slow is closest to one half, as in a
    binary search.

    Args:
        probabilities: One for each commit.
        left_out: Commits that cannot be measured, or were measured often enough.
    """
    up_to = np.cumsum(probabilities)[:-1]  # BAD was measured with the ends
    candidates = [
        index
        for index, share in enumerate(up_to)
        if index not in left_out and 1 - ALREADY_KNOWN <= share <= ALREADY_KNOWN
    ]
    if not candidates:
        return None
    return min(candidates, key=lambda index: (abs(up_to[index] - 0.5), index))


def likeliest(
    probabilities: Floats, untestable: Collection[int]
) -> tuple[int, int, float]:
    """Return the likeliest commit, with those that no measurement can tell from it.

    Args:
        probabilities: One for each commit.
        untestable: Commits that cannot be measured. Each forms a group with the commit
            after it.

    Returns:
        The first and the last index of the likeliest group, and its probability.
    """
    groups, first = [], 0
    for index in range(len(probabilities)):
        if index not in untestable or index == len(probabilities) - 1:
            share = float(probabilities[first : index + 1].sum())
            groups.append((first, index, share))
            first = index + 1
    return max(groups, key=lambda group: group[2])


def credible(probabilities: Floats, share: float) -> tuple[int, int]:
    """Return the first and last index of the shortest likely row of commits.

    Args:
        probabilities: One for each commit.
        share: The least probability that the row contains the first slow commit.
    """
    ends = np.concatenate(([0.0], np.cumsum(probabilities)))
    best = 0, len(probabilities) - 1
    for first in range(len(probabilities)):
        last = int(np.searchsorted(ends, ends[first] + share - 1e-12)) - 1
        if last < len(probabilities) and last - first < best[1] - best[0]:
            best = first, last
    return best


def _log_t(distance: float, variance: float) -> float:
    """Return the log density of Student's t, without its constant."""
    squared = distance**2 / (variance * DEGREES)
    return -0.5 * math.log(variance) - (DEGREES + 1) / 2 * math.log1p(squared)
