"""How throughput grows with concurrency: the Universal Scalability Law, fitted."""

from collections.abc import Sequence

import numpy as np

from assay.load_results import Law

FEWEST = 4  # numbers of users: three unknowns, and one to see whether they fit


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
