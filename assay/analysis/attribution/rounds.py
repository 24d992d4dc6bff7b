"""Compare a quantity of both sides, pairwise over rounds of profiling."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from assay.observations import Purpose, Round

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """The difference of a quantity between two sides, per request.

    Attributes:
        baseline: Mean over the baseline's rounds.
        candidate: Mean over the candidate's rounds.
        amount: candidate - baseline.
        low: Lower end of the amount's 95 % interval over rounds.
        high: Upper end of that interval.
        p: Probability of an amount at least as large, if the sides were the same.
    """

    baseline: float
    candidate: float
    amount: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Pair:
    """The rounds that both sides of a pair finished, in the same order.

    Attributes:
        baseline: The baseline's rounds.
        candidate: The candidate's rounds.
    """

    baseline: tuple[Round, ...]
    candidate: tuple[Round, ...]

    @property
    def latency(self) -> Difference:
        """The mean latency of both sides, in seconds."""
        return self.compare(lambda one: one.latency)

    @property
    def sampled(self) -> Pair:
        """The rounds whose call stacks were sampled on both sides; all if none were.

        Stacks of the first rounds are dropped if later ones are sampled otherwise.
        """
        kept = [
            sides
            for sides in zip(self.baseline, self.candidate, strict=True)
            if all(one.samples for one in sides)
        ]
        return Pair(*(tuple(side) for side in zip(*kept))) if kept else self

    def compare(self, quantity: Callable[[Round], float]) -> Difference:
        """Compare a quantity that each round has."""
        return difference(
            [quantity(one) for one in self.baseline],
            [quantity(one) for one in self.candidate],
        )


def pair_of(
    rounds: Iterable[Round],
    topic: str,
    names: tuple[str, str],
    purpose: Purpose = "load",
) -> Pair:
    """Return the rounds of one purpose that both sides of a pair finished."""
    sides: tuple[dict[int, Round], dict[int, Round]] = ({}, {})
    for one in rounds:
        of_pair = one.topic == topic and (one.baseline, one.candidate) == names
        if of_pair and one.purpose == purpose:
            sides[one.variant == names[1]][one.number] = one
    numbers = sorted(set(sides[0]) & set(sides[1]))
    return Pair(
        tuple(sides[0][number] for number in numbers),
        tuple(sides[1][number] for number in numbers),
    )


def difference(baseline: Sequence[float], candidate: Sequence[float]) -> Difference:
    """Compare paired numbers by Student's t-test of their differences.

    Counts can be the same in every round. Then their differences have no spread, and
    any difference is real (p is 0).
    """
    import numpy as np
    from scipy.stats import t

    a, b = np.asarray(baseline, dtype=float), np.asarray(candidate, dtype=float)
    n = len(a)
    if not n:
        return Difference(0.0, 0.0, 0.0, -math.inf, math.inf, 1.0)
    amounts = b - a
    amount = float(amounts.mean())
    low, high, p = -math.inf, math.inf, 1.0
    if n > 1:
        error = float(amounts.std(ddof=1)) / math.sqrt(n)
        half = float(t.isf((1 - CONFIDENCE) / 2, n - 1)) * error
        low, high = amount - half, amount + half
        if error > 0:
            p = float(2 * t.sf(abs(amount) / error, n - 1))
        elif amount:
            p = 0.0
    return Difference(float(a.mean()), float(b.mean()), amount, low, high, p)
