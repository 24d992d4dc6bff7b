"""Fit the Universal Scalability Law: how throughput grows with concurrency."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from assay.load_results import Law

MIN_USER_COUNTS = 4  # three for the three unknowns, and a fourth to show the misfit


def fit(users: Sequence[int], throughputs: Sequence[float]) -> Law | None:
    """Fit the law to measurements.

    For N users and throughput X, ``N / X`` is linear in the coefficients, which cannot
    be negative. The fit minimises relative errors.

    Args:
        users: Number of concurrent users of each measurement, all positive.
        throughputs: Requests per second of each measurement.

    Returns:
        The law; None if there are fewer than four different numbers of users, or if
        no law fits.
    """
    from scipy.optimize import nnls

    n = np.asarray(users, dtype=float)
    x = np.asarray(throughputs, dtype=float)
    measured = x > 0
    n, x = n[measured], x[measured]
    if len(np.unique(n)) < MIN_USER_COUNTS:
        return None
    # Dividing both sides by N / X makes the errors relative.
    terms = np.column_stack([np.ones_like(n), n - 1, n * (n - 1)]) / (n / x)[:, None]
    (seconds, contention, coherency), _ = nnls(terms, np.ones_like(n))
    if seconds <= 0:  # the time of one request by one user
        return None
    law = Law(1 / seconds, contention / seconds, coherency / seconds, misfit=0.0)
    misfit = max(
        abs(law.throughput(float(count)) / float(throughput) - 1)
        for count, throughput in zip(n, x, strict=True)
    )
    return replace(law, misfit=misfit)
