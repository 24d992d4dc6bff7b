"""Forecasts against simulation, and against each other."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.analysis import power, statistics
from assay.analysis.statistics import Floats
from assay.plan import Settings

LOOKS = Settings().looks
LEVELS = (0.05, 0.0156, 0.0052, 0.0011)
spreads = st.floats(1e-4, 0.5)
effects = st.floats(1e-3, 2.0)
levels = st.sampled_from(LEVELS)
counts = st.integers(6, 130)


def draw(kind: str, shape: tuple[int, int], seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    normal = kind == "normal"
    return rng.standard_normal(shape) if normal else rng.standard_t(4, size=shape)


def not_none[T](value: T | None) -> T:
    assert value is not None
    return value


@pytest.mark.parametrize("level", [0.0156, 0.0052])
@pytest.mark.parametrize("launches", [12, 18, 40])
@pytest.mark.parametrize(("kind", "short"), [("normal", 0.03), ("t(4)", 0.09)])
def test_what_is_promised_is_found(
    kind: str, short: float, launches: int, level: float
) -> None:
    noise = draw(kind, (1500, launches), seed=launches)
    sd = not_none(power.spread(draw(kind, (1, 2500), seed=3)[0]))
    effect = not_none(power.smallest_detectable_effect(sd, launches, level))
    detected = 0
    for x in noise:
        low, high = not_none(statistics.signed_rank_interval(x + effect, level))
        detected += low > 0 or high < 0
    # Three standard errors of the simulation are 3 points. With tails as heavy as
    # t(4)'s, a dozen launches detect less than with normal noise; a formula for many
    # launches would promise 0.8 where 0.5 to 0.6 is detected.
    assert 0.8 - short <= detected / len(noise) <= 0.85


def test_few_launches_are_promised_no_more_than_they_find() -> None:
    # 8 is the fewest launches that can differ at this level, if all have one sign.
    x = draw("normal", (4000, 8), seed=1) + not_none(
        power.smallest_detectable_effect(1.0, 8, 0.0156)
    )
    assert np.mean((x > 0).all(axis=1)) > 0.8


@given(spreads, effects, levels, st.floats(1.0, 5.0))
@settings(deadline=None)
def test_more_spread_or_a_smaller_effect_needs_no_fewer_launches(
    sd: float, effect: float, level: float, times: float
) -> None:
    needed = not_none(power.launches_needed(sd, effect, LOOKS, level))
    noisier = not_none(power.launches_needed(sd * times, effect, LOOKS, level))
    smaller = not_none(power.launches_needed(sd, effect / times, LOOKS, level))
    assert needed <= noisier
    assert needed <= smaller


@given(spreads, effects)
@settings(deadline=None)
def test_a_stricter_level_needs_no_fewer_launches(sd: float, effect: float) -> None:
    needed = [not_none(power.launches_needed(sd, effect, (), p)) for p in LEVELS]
    assert needed == sorted(needed)


@given(spreads, counts, levels)
@settings(deadline=None)
def test_what_launches_resolve_needs_as_many(
    sd: float, launches: int, level: float
) -> None:
    effect = power.smallest_detectable_effect(sd, launches, level)
    fewer = power.smallest_detectable_effect(sd, launches - 1, level)
    if effect is None:
        assert statistics.signed_rank_interval(np.zeros(launches), level) is None
        return
    assert fewer is None or effect < fewer
    for signed in (effect * 1.0001, -effect * 1.0001):
        assert power.launches_needed(sd, signed, (), level) == launches


@given(spreads, effects, levels)
@settings(deadline=None)
def test_the_number_is_a_look_or_beyond_the_last(
    sd: float, effect: float, level: float
) -> None:
    without_looks = not_none(power.launches_needed(sd, effect, (), level))
    needed = power.launches_needed(sd, effect, LOOKS, level)
    assert needed == next(
        (look for look in LOOKS if look >= without_looks), without_looks
    )


def test_no_fewer_than_have_an_interval() -> None:
    for level in LEVELS:
        for looks in ((), (2, 3)):
            needed = not_none(power.launches_needed(0.001, 5.0, looks, level))
            assert 2.0 ** (1 - needed) <= level < 2.0 ** (2 - needed)
    assert power.smallest_detectable_effect(0.01, 7, 0.0156) is None
    assert power.smallest_detectable_effect(0.0, 8, 0.0156) == 0.0


@pytest.mark.parametrize(
    ("sd", "effect"), [(0.01, 0.0), (math.inf, 0.1), (math.nan, 0.1), (0.1, math.inf)]
)
def test_no_number_is_said_to_be_none(sd: float, effect: float) -> None:
    assert power.launches_needed(sd, effect, LOOKS, 0.05) is None


@pytest.mark.parametrize(
    ("n", "outliers"), [(5, [9.0]), (8, [9.0, -9.0]), (8, [9.0, 9.0]), (12, [1e9, 1e9])]
)
def test_the_spread_is_robust(n: int, outliers: list[float]) -> None:
    clean = draw("normal", (400, n), seed=5)
    dirty = clean.copy()
    dirty[:, : len(outliers)] = outliers
    before = np.median([not_none(power.spread(x)) for x in clean])
    after = np.median([not_none(power.spread(x)) for x in dirty])
    assert before == pytest.approx(1.0, abs=0.15)
    assert after < 2.5 * before


@pytest.mark.parametrize("n", [3, 4, 6, 12, 60])
def test_the_spread_of_few_launches_is_rather_too_large(n: int) -> None:
    estimates = [not_none(power.spread(x)) for x in draw("normal", (2000, n), n)]
    assert 0.97 < np.median(estimates) < 1.3
    if n >= 6:
        assert np.quantile(estimates, 0.01) > 0.25


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=30), st.floats(-2, 2))
@settings(deadline=None)
def test_the_spread_does_not_depend_on_where(values: list[float], by: float) -> None:
    x = np.array(values)
    assert power.spread(x + by) == pytest.approx(power.spread(-x), abs=1e-9)


def test_seconds_are_launches_times_their_length() -> None:
    x = 0.02 * draw("normal", (1, 12), seed=2)[0]
    sd = not_none(power.spread(x))
    launches = power.launches_needed(sd, 0.05, LOOKS, 0.0052)
    assert launches in LOOKS
    assert power.seconds_to_see(x, 0.05, 3.5, LOOKS, 0.0052) == 3.5 * launches
    unanswered = np.append(x, np.inf)
    assert power.seconds_to_see(unanswered, 0.05, 3.5, LOOKS, 0.0052) == 3.5 * launches
    assert power.seconds_to_see(x[:2], 0.05, 3.5, LOOKS, 0.0052) is None
    assert power.seconds_to_see(x, 0.0, 3.5, LOOKS, 0.0052) is None
