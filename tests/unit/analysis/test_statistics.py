"""Statistics against SciPy where it has the method, by simulation elsewhere."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from assay.analysis import statistics
from assay.inputs.expectations import parse
from assay.plan import Settings

samples = st.lists(
    st.floats(-5, 5, allow_nan=False), min_size=3, max_size=20, unique=True
).map(np.array)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_the_null_distribution_is_that_of_all_sign_patterns(n: int) -> None:
    sums = [
        sum(rank for rank, sign in zip(range(1, n + 1), signs, strict=True) if sign)
        for signs in itertools.product([0, 1], repeat=n)
    ]
    tail = statistics.signed_rank_tail(n)
    for k, probability in enumerate(tail):
        assert probability == sum(s <= k for s in sums) / 2**n


@given(samples, st.floats(-3, 3))
@settings(deadline=None)
def test_p_values_are_scipys(x: statistics.Floats, centre: float) -> None:
    shifted = x - centre
    if len(np.unique(np.abs(shifted))) < len(x) or np.any(shifted == 0):
        return  # SciPy's exact method is for untied values
    averages = (shifted[:, None] + shifted[None, :]) / 2
    if np.any(np.abs(averages) < 1e-12):
        return
    below, above = statistics.signed_rank_p(x, centre)
    less = stats.wilcoxon(shifted, alternative="less", method="exact")
    greater = stats.wilcoxon(shifted, alternative="greater", method="exact")
    assert below == pytest.approx(less.pvalue)
    assert above == pytest.approx(greater.pvalue)


@given(samples, st.sampled_from([0.05, 0.0154, 0.2]))
@settings(deadline=None)
def test_the_interval_is_what_the_test_does_not_reject(
    x: statistics.Floats, alpha: float
) -> None:
    interval = statistics.signed_rank_interval(x, alpha)
    if interval is None:
        assert 2.0 ** (1 - len(x)) > alpha
        return
    low, high = interval
    assert low <= statistics.hodges_lehmann(x) <= high
    gap = 1e-6
    assert 2 * min(statistics.signed_rank_p(x, low - gap)) <= alpha + 1e-12
    assert 2 * min(statistics.signed_rank_p(x, high + gap)) <= alpha + 1e-12
    if high - low > 3 * gap:
        middle = (low + high) / 2
        assert 2 * min(statistics.signed_rank_p(x, low + gap)) > alpha
        assert 2 * min(statistics.signed_rank_p(x, high - gap)) > alpha
        assert 2 * min(statistics.signed_rank_p(x, middle)) > alpha


@given(samples)
@settings(deadline=None)
def test_swapping_the_sides_mirrors_estimate_and_interval(
    x: statistics.Floats,
) -> None:
    assert statistics.hodges_lehmann(-x) == pytest.approx(-statistics.hodges_lehmann(x))
    interval = statistics.signed_rank_interval(x, 0.1)
    mirrored = statistics.signed_rank_interval(-x, 0.1)
    if interval and mirrored:
        assert mirrored == pytest.approx((-interval[1], -interval[0]))


def test_ties_make_the_test_more_careful() -> None:
    tied = np.array([0.0, 0.0, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3])
    below, above = statistics.signed_rank_p(tied, 0.0)
    untied = tied + np.linspace(1e-9, 8e-9, 8)
    assert above > statistics.signed_rank_p(untied, 0.0)[1]
    assert below == 1.0


@pytest.mark.parametrize("n", [3, 5, 8])
def test_tied_values_keep_every_level_exactly(n: int) -> None:
    # Given the distances from the centre, all signs are equally likely. The test tries
    # all of them, with zeros and ties. (Mid-ranks would be another test, whose p-value
    # can be larger.)
    signs = np.array(list(itertools.product([1.0, -1.0], repeat=n)))
    rng = np.random.default_rng(n)
    for distances in [np.zeros(n), np.ones(n), *rng.integers(0, 4, (12, n))]:
        p = np.array([statistics.signed_rank_p(x, 0.0) for x in signs * distances])
        for side in (p[:, 0], p[:, 1]):
            for level in np.unique(side):
                assert np.mean(side <= level) <= level
        two_sided = 2 * p.min(axis=1)
        for level in np.unique(two_sided):
            assert np.mean(two_sided <= level) <= level


@given(st.lists(st.integers(-3, 3), min_size=4, max_size=9), st.integers(0, 99))
@settings(deadline=None)
def test_no_way_to_break_ties_gives_a_larger_p(values: list[int], seed: int) -> None:
    x = np.array(values, dtype=float)
    broken = x + np.random.default_rng(seed).uniform(-1e-6, 1e-6, len(x))
    for tied, scipys in zip(
        statistics.signed_rank_p(x, 0.0),
        (
            stats.wilcoxon(broken, alternative=side, method="exact").pvalue
            for side in ("less", "greater")
        ),
        strict=True,
    ):
        assert tied >= scipys - 1e-12


@pytest.mark.parametrize(("grid", "least"), [(0.1, 0.03), (0.5, 0.01), (2.0, 0.0)])
def test_coarse_clocks_raise_no_alarms(grid: float, least: float) -> None:
    rng = np.random.default_rng(17)
    runs = np.round(rng.normal(0, 1, (3000, 14)) / grid) * grid
    alarms = np.mean([2 * min(statistics.signed_rank_p(x, 0.0)) <= 0.05 for x in runs])
    misses = np.mean(
        [
            not interval[0] <= 0 <= interval[1]
            for x in runs
            if (interval := statistics.signed_rank_interval(x, 0.05))
        ]
    )
    # 3 standard errors are 1.2 points; interval and test must agree.
    assert least <= alarms < 0.062
    assert misses == alarms


beyond_all = st.lists(
    st.floats(-5, 5, allow_nan=False) | st.sampled_from([math.inf, -math.inf]),
    min_size=6,
    max_size=15,
).map(np.array)


@given(beyond_all, st.floats(-3, 3))
@settings(deadline=None)
def test_infinite_is_no_more_than_very_large(
    x: statistics.Floats, centre: float
) -> None:
    far = 1e6
    large = np.clip(x, -far, far)
    assert statistics.signed_rank_p(x, centre) == statistics.signed_rank_p(
        large, centre
    )
    estimate = [statistics.hodges_lehmann(x)]
    expected = [statistics.hodges_lehmann(large)]
    interval = statistics.signed_rank_interval(x, 0.1)
    large_interval = statistics.signed_rank_interval(large, 0.1)
    assert interval is not None and large_interval is not None
    for end, value in zip(
        [*estimate, *interval], [*expected, *large_interval], strict=True
    ):
        if abs(value) > far / 16:
            assert end == math.copysign(math.inf, value)
        else:
            assert end == pytest.approx(value, abs=1e-6)


def test_a_few_infinite_launches_open_one_end_only() -> None:
    x = np.linspace(-0.01, 0.01, 12)
    assert statistics.hodges_lehmann(x) == pytest.approx(0)
    some = x.copy()
    some[-3:] = np.inf
    low, high = statistics.signed_rank_interval(some, 0.05) or (0, 0)
    assert math.isfinite(low) and high == math.inf
    assert math.isfinite(statistics.hodges_lehmann(some))
    infinite = np.full(12, np.inf)
    assert statistics.hodges_lehmann(infinite) == math.inf
    assert statistics.signed_rank_interval(infinite, 0.05) == (math.inf, math.inf)
    assert statistics.signed_rank_interval(-infinite, 0.05) == (-math.inf, -math.inf)
    assert statistics.signed_rank_p(infinite, 100.0) == (1.0, 2.0**-12)


def test_walsh_averages_are_all_pairs_sorted() -> None:
    averages = statistics.walsh_averages(np.array([3.0, 1.0]))
    assert averages.tolist() == [1.0, 2.0, 3.0]
    ends = statistics.walsh_averages(np.array([math.inf, 2.0, -math.inf]))
    assert ends.tolist() == [-math.inf, -math.inf, 0.0, 2.0, math.inf, math.inf]


def test_five_equal_looks_are_at_pococks_tabled_level() -> None:
    # Pocock 1977, table 1: nominal level 0.0158 for five looks at 5 %.
    assert statistics.pocock_level((10, 20, 30, 40, 50), 0.05) == pytest.approx(
        0.0158, abs=1e-4
    )
    assert statistics.pocock_level((7,), 0.05) == pytest.approx(0.05, abs=1e-4)


def test_looking_five_times_keeps_the_level() -> None:
    looks = Settings().looks
    level = statistics.pocock_level(looks, 0.05)
    rng = np.random.default_rng(11)
    runs = rng.standard_t(4, size=(2000, looks[-1]))
    alarms = naive = 0
    for run in runs:
        p = [2 * min(statistics.signed_rank_p(run[:n], 0.0)) for n in looks]
        alarms += min(p) <= level
        naive += min(p) <= 0.05
    # 3 standard errors of a share of 5 % in 2000 runs are 1.5 points.
    assert alarms / len(runs) < 0.065
    assert naive / len(runs) > 0.10, "without the correction it must be visible"


LOOKS = Settings().looks


def correlated(runs: int, hypotheses: int, seed: int) -> statistics.Floats:
    """Launches of metrics that go up and down together: runs x metrics x launches."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((runs, hypotheses, LOOKS[-1]))
    shared = rng.standard_normal((runs, 1, LOOKS[-1]))
    return math.sqrt(0.5) * (own + shared)


@pytest.mark.parametrize(
    ("truth", "noise", "false"),
    [
        (0.0, 0.3, {"slower", "faster"}),
        (math.log1p(0.05) * 1.0001, 0.03, {"same", "faster"}),
    ],
)
def test_three_metrics_at_a_third_of_the_level_keep_it(
    truth: float, noise: float, false: set[str]
) -> None:
    runs = noise * correlated(1000, 3, seed=23)

    def alarms(level: float) -> float:
        return float(
            np.mean([any(wrong(x + truth, level) for x in run) for run in runs])
        )

    def wrong(x: statistics.Floats, level: float) -> bool:
        return any(
            statistics.comparison_verdict(
                statistics.signed_rank_interval(x[:n], level),
                statistics.hodges_lehmann(x[:n]),
                0.05,
                False,
            )
            in false
            for n in LOOKS
        )

    # 3 standard errors of a share of 5 % in 1000 runs are 2 points.
    assert alarms(statistics.pocock_level(LOOKS, 0.05 / 3)) < 0.07
    if truth == 0:
        careless = alarms(statistics.pocock_level(LOOKS, 0.05))
        assert careless > 0.075, "without sharing the level it must be visible"


def test_holm_keeps_the_level_over_looks_and_claims() -> None:
    claims = 4
    levels = [statistics.pocock_level(LOOKS, 0.05 / n) for n in range(1, claims + 1)]
    expect = parse("faster", "latency.mean")
    false = naive = 0
    runs = 0.03 * correlated(800, claims, seed=29)
    for run in runs:
        run[0] -= 0.1  # one claim is true, and its rejection helps the others
        rejected = lone = False
        for n in LOOKS:
            p = [statistics.claim_p(x[:n], expect, 0.05)[0] for x in run]
            rejected |= any(statistics.holm(p, levels)[1:])
            lone |= min(p[1:]) <= levels[0]
        false += rejected
        naive += lone
    # The claims are one-sided, so only half of the level applies.
    assert false / len(runs) < 0.025 + 3 * math.sqrt(0.025 * 0.975 / len(runs))
    assert naive > 1.5 * false


def test_holm_rejects_step_by_step() -> None:
    levels = [0.05 / family for family in range(1, 5)]
    assert statistics.holm([0.012, 0.2, 0.015, 0.001], levels) == [
        True,
        False,
        True,
        True,
    ]
    assert statistics.holm([0.02, 0.02, 0.02, 0.02], levels) == [False] * 4
    assert statistics.holm([], []) == []


p_values = st.lists(st.integers(0, 2000).map(lambda n: n / 2000), max_size=25)


@given(p_values, st.sampled_from([0.0156123, 0.0501234, 0.2001234]))
@settings(deadline=None)
def test_what_stands_out_is_scipys(p: list[float], rate: float) -> None:
    adjusted = stats.false_discovery_control(p) if p else np.empty(0)
    expected = [value <= rate for value in adjusted]
    assert statistics.benjamini_hochberg(p, rate) == expected


def test_one_that_stands_out_brings_others_along() -> None:
    # 0.03 is below 2 / 3 of 0.05, so it passes as the second of three; as the only one
    # it would have to be below 1 / 3 of 0.05.
    assert statistics.benjamini_hochberg([0.03, 0.9, 0.001], 0.05) == [
        True,
        False,
        True,
    ]
    assert statistics.benjamini_hochberg([0.03, 0.9, 0.9], 0.05) == [False] * 3
    # Step-up: the first two are above their limits, but the last one is not.
    assert statistics.benjamini_hochberg([0.04, 0.04, 0.05], 0.05) == [True] * 3


@given(
    st.lists(st.tuples(*[st.floats(-2, 2)] * 3).map(sorted), min_size=6, max_size=12),
    st.sampled_from(["faster", "same", "<= 0.5", "not slower"]),
)
@settings(max_examples=150)
def test_what_is_said_of_bounds_is_true_of_all_between(
    triples: list[list[float]], words: str
) -> None:
    low, between, high = np.array(triples).T
    spans = np.stack([low, high])
    outer = statistics.signed_rank_interval(spans, 0.05)
    inner = statistics.signed_rank_interval(between, 0.05)
    assert outer and inner and outer[0] <= inner[0] and inner[1] <= outer[1]
    for with_bounds, exact in (
        *zip(
            statistics.signed_rank_p(spans, 0.1),
            statistics.signed_rank_p(between, 0.1),
            strict=True,
        ),
        *zip(
            statistics.claim_p(spans, parse(words, "latency.p50"), 0.05),
            statistics.claim_p(between, parse(words, "latency.p50"), 0.05),
            strict=True,
        ),
        (
            statistics.beyond_margin_p(spans, 0.05),
            statistics.beyond_margin_p(between, 0.05),
        ),
    ):
        assert with_bounds >= exact
    same = np.stack([between, between])
    assert statistics.signed_rank_interval(same, 0.05) == inner


@given(samples, st.sampled_from([0.05, 0.2]), st.sampled_from([0.05, 0.5]))
@settings(deadline=None)
def test_beyond_the_margin_says_the_same_as_the_interval(
    x: statistics.Floats, alpha: float, margin: float
) -> None:
    interval = statistics.signed_rank_interval(x, alpha)
    p = statistics.beyond_margin_p(x, margin)
    assert statistics.beyond_margin_p(-x, margin) == p
    small = math.log1p(margin)
    outside = interval and (interval[0] > small or interval[1] < -small)
    assert (p <= alpha) == bool(outside)


def test_a_change_beyond_the_margin_has_a_small_p() -> None:
    noise = np.linspace(-0.01, 0.01, 12)
    least = 2.0**-11
    assert statistics.beyond_margin_p(noise + 0.1, 0.05) == least
    assert statistics.beyond_margin_p(noise - 0.1, 0.05) == least
    assert statistics.beyond_margin_p(np.full(12, np.inf), 0.05) == least
    assert statistics.beyond_margin_p(noise + 0.03, 0.05) == 1.0
    assert statistics.beyond_margin_p(np.empty(0), 0.05) == 1.0


@pytest.mark.parametrize(
    ("interval", "estimate", "higher_is_better", "verdict"),
    [
        ((-0.04, 0.04), 0.0, False, "same"),
        ((0.01, 0.04), 0.025, False, "same"),
        ((0.01, 0.06), 0.035, False, "slower"),
        ((0.01, 0.06), 0.035, True, "faster"),
        # An estimate below half of the margin is no difference, but not *same* either.
        ((0.01, 0.06), 0.024, False, "undecided"),
        ((-0.06, -0.01), -0.024, True, "undecided"),
        ((-0.3, -0.06), -0.1, False, "faster"),
        ((-0.3, -0.06), -0.1, True, "slower"),
        ((-0.06, 0.01), -0.03, False, "undecided"),
        ((-0.01, 0.06), 0.03, True, "undecided"),
        ((math.log(0.953), math.log(1.049)), 0.0, False, "same"),
        ((math.log(0.951), math.log(1.049)), 0.0, False, "undecided"),
        ((0.0, 0.06), 0.03, False, "undecided"),
        ((0.01, math.inf), math.nan, False, "slower"),
        ((math.inf, math.inf), math.inf, False, "slower"),
        ((-math.inf, -math.inf), -math.inf, False, "faster"),
        ((-math.inf, 0.01), -0.1, False, "undecided"),
        (None, 0.0, False, "undecided"),
    ],
)
def test_the_verdict_of_an_interval(
    interval: tuple[float, float] | None,
    estimate: float,
    higher_is_better: bool,
    verdict: str,
) -> None:
    result = statistics.comparison_verdict(interval, estimate, 0.05, higher_is_better)
    assert result == verdict


def claim(x: statistics.Floats, expect: str, metric: str = "latency.mean") -> str:
    p, true = statistics.judge_claim(x, parse(expect, metric), 0.05, 0.0154)
    if p > 0.0154:
        return "undecided"
    return "holds" if true else "refuted"


@pytest.mark.parametrize(
    ("ratio", "expect", "verdict"),
    [
        (0.2, "<= 0.30", "holds"),
        (0.4, "<= 0.30", "refuted"),
        (0.3, "<= 0.30", "undecided"),
        (3.5, ">= 3", "holds"),
        (1.0, ">= 3", "refuted"),
        (0.8, "faster", "holds"),
        (1.2, "faster", "refuted"),
        (1.0, "faster", "refuted"),
        # It is faster, though by less than the margin, so the claim holds.
        (0.97, "faster", "holds"),
        (1.03, "slower", "holds"),
        (0.97, "slower", "refuted"),
        # The bound is within the interval, so `<= 1` is undecided.
        (1.0, "<= 1", "undecided"),
        (1.0, ">= 1.0", "undecided"),
        (0.97, "<= 1", "holds"),
        (1.0, "same", "holds"),
        (1.3, "same", "refuted"),
        (1.0, "not slower", "holds"),
        (1.3, "not slower", "refuted"),
    ],
)
def test_the_verdict_of_a_claim(ratio: float, expect: str, verdict: str) -> None:
    noise = 0.01 * np.array([-3, -2, -1.1, -1, -0.5, -0.1, 0, 0.2, 0.4, 1, 2, 3.1])
    assert claim(math.log(ratio) + noise, expect) == verdict


def test_a_claim_at_the_level_agrees_with_the_interval_at_the_level() -> None:
    rng = np.random.default_rng(5)
    expect = parse("<= 1", "latency.mean")
    for _ in range(300):
        x = rng.normal(-0.3, 0.6, 12)
        holds, _ = statistics.claim_p(x, expect, 0.05)
        interval = statistics.signed_rank_interval(x, 0.05)
        assert interval is not None
        assert (holds <= 0.05) == (interval[1] < 0)


@pytest.mark.parametrize("expect", ["<= 0.30", "faster", "same", "not slower"])
def test_a_candidate_that_never_answers_refutes(expect: str) -> None:
    assert claim(np.full(12, np.inf), expect) == "refuted"
    assert claim(np.full(12, np.inf), ">= 3") == "holds"
    assert claim(np.array([np.inf] * 2 + [0.0] * 10), expect) != "holds"


def test_no_launches_decide_nothing() -> None:
    assert statistics.claim_p(np.empty(0), parse("faster", "time"), 0.05) == (1.0, 1.0)
    with pytest.raises(ValueError, match="no launches"):
        statistics.hodges_lehmann(np.empty(0))


@given(st.integers(0, 12), st.integers(0, 12), st.floats(0.001, 0.2))
def test_failure_rates_are_compared_exactly(a: int, b: int, alpha: float) -> None:
    # The probability of all tables that are at most as likely as this one, given the
    # total number of failures.
    likely = stats.hypergeom(100, a + b, 40).pmf(range(a + b + 1))
    p = likely[likely <= likely[a] * (1 + 1e-9)].sum()
    assume(abs(p - alpha) > 1e-9)
    assert statistics.failures_differ(a, 40, b, 60, alpha) == (p < alpha)


@given(st.integers(0, 40), st.integers(1, 40))
@settings(deadline=None)
def test_the_binomial_interval_is_scipys(successes: int, trials: int) -> None:
    successes = min(successes, trials)
    expected = stats.binomtest(successes, trials).proportion_ci(method="exact")
    assert statistics.binomial_interval(successes, trials) == pytest.approx(
        (expected.low, expected.high)
    )


@pytest.mark.parametrize("launches", [2, 6, 9, 13])
def test_the_fewest_launches_reach_a_level_and_one_less_does_not(launches: int) -> None:
    p = statistics.smallest_p(launches)
    assert statistics.fewest_launches(p) == launches
    assert statistics.fewest_launches(p * 1.01) == launches
    assert statistics.fewest_launches(p * 0.99) == launches + 1
    # The smallest p-value is that of the test itself.
    x = np.arange(1.0, launches + 1)
    assert 2 * min(statistics.signed_rank_p(x, 0.0)) == pytest.approx(p)
