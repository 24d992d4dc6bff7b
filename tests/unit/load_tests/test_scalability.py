"""The Universal Scalability Law, fitted to throughputs that follow it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.load_results import Law
from assay.load_tests.scalability import fit

USERS = [1, 2, 4, 8, 16, 32]


@given(st.floats(1, 1e4), st.floats(0, 0.5), st.floats(0, 0.01))
def test_a_law_is_found_again(rate: float, contention: float, coherency: float) -> None:
    law = Law(rate, contention, coherency, 0.0)
    fitted = fit(USERS, [law.throughput(users) for users in USERS])
    assert fitted is not None
    assert fitted.misfit < 1e-6
    for users in (*USERS, 64):
        assert fitted.throughput(users) == pytest.approx(
            law.throughput(users), rel=1e-5
        )


def test_the_best_number_of_users_is_where_throughput_is_greatest() -> None:
    law = Law(100.0, 0.05, 0.002, 0.0)
    greatest = max(range(1, 200), key=law.throughput)
    assert abs(law.best - greatest) <= 1
    assert Law(100.0, 0.05, 0.0, 0.0).best == math.inf


def test_what_does_not_follow_it_says_so() -> None:
    fitted = fit(USERS, [100, 30, 400, 20, 900, 50])
    assert fitted is not None and fitted.misfit > 0.5
    assert fitted.contention >= 0 and fitted.coherency >= 0


def test_too_few_numbers_are_no_law() -> None:
    assert fit([1, 2, 4], [10, 20, 35]) is None
    assert fit([1, 1, 2, 4], [10, 11, 20, 35]) is None
    assert fit(USERS, [0.0] * 6) is None
