"""Which tests of a suite are measured in the next launch, and for how long."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.experiment.suite_schedule import (
    MAX_SECONDS,
    MIN_SECONDS,
    Costs,
    next_launch,
)

LOOKS = (15, 20, 27, 40, 60)


def ratios_of(*values: float, launches: int = 5) -> dict[str, np.ndarray]:
    return {
        f"test_{number}": np.full(launches, value)
        for number, value in enumerate(values)
    }


def test_with_time_enough_every_test_gets_the_most() -> None:
    tests, effort = next_launch(ratios_of(0, 0), LOOKS, Costs(2.0, {}), 600)
    assert tests == ["test_0", "test_1"]
    assert effort.seconds == MAX_SECONDS


def test_many_tests_are_measured_for_less_time_each() -> None:
    ratios = ratios_of(*[0.0] * 200)
    tests, effort = next_launch(ratios, LOOKS, Costs(2.0, {}), 300)
    assert len(tests) == 200
    assert MIN_SECONDS <= effort.seconds < MAX_SECONDS
    launches = LOOKS[0] - 5
    total = launches * (2.0 + sum(Costs(2.0, {}).of(t, effort.seconds) for t in tests))
    assert total <= 300


def test_where_time_is_short_the_slowest_come_first() -> None:
    costs = Costs(1.0, {f"test_{number}": 1.0 for number in range(6)})
    ratios = ratios_of(0.0, -0.3, 0.2, 0.01, 0.1, 0.0)
    tests, effort = next_launch(ratios, LOOKS, costs, 33)
    assert tests == ["test_2", "test_4"]
    assert effort.seconds == MIN_SECONDS


def test_if_no_look_can_be_reached_launches_go_on_until_the_time_is_spent() -> None:
    tests, effort = next_launch(ratios_of(0.1, 0.2), (60,), Costs(4.0, {}), 45)
    assert sorted(tests) == ["test_0", "test_1"]
    assert effort.seconds == MAX_SECONDS  # starting pytest takes much longer
    tests, effort = next_launch(ratios_of(*[0.1] * 50), (60,), Costs(1.0, {}), 45)
    assert len(tests) == 50 and effort.seconds == MIN_SECONDS


def test_a_test_that_has_had_its_last_look_is_over() -> None:
    assert next_launch(ratios_of(0.0, launches=60), LOOKS, Costs(1.0, {}), 300)[0] == []


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=3),
        st.tuples(st.integers(0, 59), st.floats(-1, 1)),
        min_size=1,
        max_size=20,
    ),
    st.floats(0.1, 10),
    st.floats(0, 5),
    st.floats(0, 1000),
)
def test_a_launch_that_is_begun_fits_into_the_time_left(
    tests: dict[str, tuple[int, float]], start: float, besides: float, left: float
) -> None:
    ratios = {name: np.full(count, value) for name, (count, value) in tests.items()}
    costs = Costs(start, dict.fromkeys(ratios, besides))
    chosen, effort = next_launch(ratios, LOOKS, costs, left)
    assert set(chosen) <= set(ratios)
    if chosen:
        assert start + sum(costs.of(t, effort.seconds) for t in chosen) <= left + 1e-6
