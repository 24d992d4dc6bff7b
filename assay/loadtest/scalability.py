"""How throughput grows with concurrency: the Universal Scalability Law, fitted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 4  # numbers of users: three unknowns, and one to see whether they fit


@dataclass(frozen=True)
class Law:
    """Throughput of N users: rate N / (1 + contention (N-1) + coherency N (N-1)).

    After Gunther, Guerrilla Capacity Planning, 2007, chapter 4.

    Attributes:
        rate: Requests per second of one user.
        contention: Share of the work that must wait for its turn.
        coherency: Share of the work that users cause each other.
        misfit: Greatest relative distance of a measured throughput from the law.
    """

    rate: float
    contention: float
    coherency: float
    misfit: float

    def throughput(self, users: float) -> float:
        """Return the requests per second of so many users."""
        queue = self.contention * (users - 1)
        return self.rate * users / (1 + queue + self.coherency * users * (users - 1))

    @property
    def best(self) -> float:
        """Number of users with the greatest throughput; infinity if it only grows."""
        if self.coherency <= 0:
            return math.inf
        return math.sqrt(max(0.0, 1 - self.contention) / self.coherency)


def fit(users: Sequence[int], throughputs: Sequence[float]) -> Law | None:
    """Fit the law to measurements.

    In ``N / X`` it is linear, with coefficients that cannot be negative; each
    measurement counts by its relative error.

    Args:
        users: Concurrent users, each a positive number.
        throughputs: Requests per second.

    Returns:
        The law, or None where there are fewer than four different numbers of users.
    """
    from scipy.optimize import nnls

    n = np.asarray(users, dtype=float)
    x = np.asarray(throughputs, dtype=float)
    known = x > 0
    n, x = n[known], x[known]
    if len(np.unique(n)) < FEWEST:
        return None
    target = n / x
    terms = np.column_stack([np.ones_like(n), n - 1, n * (n - 1)]) / target[:, None]
    (one, queue, talk), _ = nnls(terms, np.ones_like(n))
    if one <= 0:
        return None
    law = Law(1 / one, queue / one, talk / one, 0.0)
    misfit = max(
        abs(law.throughput(float(a)) / float(b) - 1) for a, b in zip(n, x, strict=True)
    )
    return Law(law.rate, law.contention, law.coherency, misfit)
