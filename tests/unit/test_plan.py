"""What a topic needs from its launches: metrics, pairs, an A/A arm."""

import pytest

from assay.metrics import DECIDING_METRICS, METRICS, QUANTILES
from assay.plan import DEFAULT_PROFILES, Budget, Preset, Topic
from tests.unit.synthetic import claim, plan


def budget(variant: str, metric: str = "latency.p99") -> Budget:
    return Budget(variant=variant, metric=metric, at_most=1.0, text="1s")


def topic(*claims: str, budgets: str = "", variants: str = "abc") -> Topic:
    all_claims = [claim("faster", metric) for metric in claims]
    return plan(
        *all_claims, budgets=[budget(b) for b in budgets], variants=variants
    ).topics[0]


@pytest.mark.parametrize(
    ("a_topic", "metrics"),
    [
        (topic(), set(DECIDING_METRICS)),
        (topic("latency.p95"), {"latency.p95"}),
        (topic("latency.p95", "throughput"), {"latency.p95", "throughput"}),
        (topic("throughput", budgets="b"), {"throughput", "latency.p99"}),
    ],
)
def test_the_metrics_that_need_a_verdict(a_topic: Topic, metrics: set[str]) -> None:
    assert a_topic.metrics() == metrics


def test_the_pairs_that_need_blocks() -> None:
    assert topic().compared() == (("a", "b"), ("a", "c"))
    # With claims, only claimed pairs count, each once.
    assert topic("throughput", "startup").compared() == (("a", "b"),)
    # A variant with a budget is also paired with itself.
    budgeted = topic("throughput", budgets="cca").compared()
    assert budgeted == (("a", "b"), ("c", "c"), ("a", "a"))
    assert topic(variants="a").compared() == (("a", "a"),)


def test_the_first_baseline_has_the_control_arm() -> None:
    assert topic().controls() == ("a",)
    swapped = claim("faster").model_copy(update={"baseline": "c"})
    assert plan(swapped, variants="abc").topics[0].controls() == ("c",)
    assert topic(variants="a").controls() == ()


def test_quantiles_are_metrics() -> None:
    assert set(QUANTILES) <= set(METRICS)


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        ([], DEFAULT_PROFILES),  # no claim
        ([None], DEFAULT_PROFILES),
        ([()], ()),
        ([("calls",)], (*DEFAULT_PROFILES, "calls")),
        ([(), None], DEFAULT_PROFILES),
    ],
)
def test_claims_add_profiles_or_take_none(
    asked: list[tuple[str, ...] | None], taken: tuple[str, ...]
) -> None:
    claims = [
        claim("faster").model_copy(update={"profiles": profiles}) for profiles in asked
    ]
    presets = tuple(
        Preset(name=name, title=name, profiler="probe", seconds=1)
        for name in (*DEFAULT_PROFILES, "calls", "startup")
    )
    whole = plan(*claims).model_copy(update={"presets": presets})
    of_pair = whole.profiles_of(whole.topics[0], ("a", "b"))
    assert tuple(preset.name for preset in of_pair) == taken
