import math
from dataclasses import replace

import pytest

from assay.plan import Expectation
from assay.report.forest import ForestItem, Row, layout
from assay.results import Censored, Comparison, Verdict


def forest_item(
    metric: str,
    ratio: float | None,
    low: float | None,
    high: float | None,
    expect: Expectation | None = None,
    verdict: Verdict | None = None,
    censored: Censored = "",
) -> ForestItem:
    comparison = Comparison(
        topic="t",
        baseline="a",
        candidate="b",
        metric=metric,
        ratio=ratio,
        low=low,
        high=high,
        launches=12,
        verdict=verdict,
        censored=censored,
    )
    return ForestItem("says", "detail", "pair-0", metric, comparison, None, expect)


def only(item: ForestItem) -> Row:
    return layout([item], 0.05).rows[0]


def test_less_latency_and_more_throughput_stand_on_the_same_side() -> None:
    forest = layout(
        [
            forest_item("latency.p50", 0.5, 0.45, 0.55),
            forest_item("throughput", 2.0, 1 / 0.55, 1 / 0.45),
        ],
        0.05,
    )
    latency, throughput = forest.rows

    assert latency.point == throughput.point
    assert latency.ends == throughput.ends
    assert latency.point is not None and latency.point > forest.no_change
    assert latency.side == throughput.side == "candidate"


def test_the_flag_stands_at_the_bound_and_points_to_where_the_claim_is_true() -> None:
    at_most = Expectation(text="<= 0.5", high=math.log(0.5))
    row = only(forest_item("latency.mean", 0.5, 0.4, 0.6, at_most))
    more = Expectation(text=">= 2", low=math.log(2))
    other = only(forest_item("throughput", 2.0, 1.6, 2.5, more))

    assert row.bounds == ((row.point, 1),)
    assert other.bounds == ((other.point, 1),)


def test_slower_points_to_the_left() -> None:
    slower = Expectation(text="slower", low=0.0)

    assert only(forest_item("latency.p50", 1.2, 1.1, 1.3, slower)).bounds[0][1] == -1


def test_same_has_two_flags_that_face_each_other() -> None:
    same = Expectation(text="same", low=-math.log(1.05), high=math.log(1.05))
    bounds = sorted(only(forest_item("cpu_per_request", 1.0, 0.99, 1.01, same)).bounds)

    assert [direction for _, direction in bounds] == [1, -1]


def test_every_place_lies_on_the_axis_and_one_has_a_tick() -> None:
    forest = layout(
        [
            forest_item("errors", 0.0, 0.0, 3.0),
            forest_item("throughput", 1e7, 1e6, 1e8),
        ],
        0.05,
    )

    places = [place for place, _ in forest.ticks]
    assert all(0 <= place <= 100 for place in [*places, *forest.margin])
    assert "1×" in [name for _, name in forest.ticks]
    for row in forest.rows:
        assert row.ends is not None and 0 <= row.ends[0] <= row.ends[1] <= 100
        assert row.cut_right


def test_ticks_keep_their_distance() -> None:
    forest = layout([forest_item("throughput", 60.0, 0.02, 400.0)], 0.05)

    places = [place for place, _ in forest.ticks]
    gaps = [b - a for a, b in zip(places, places[1:], strict=False)]
    assert min(gaps) >= 12.0


@pytest.mark.parametrize("verdict", ["same", "undecided"])
def test_what_is_not_decided_takes_no_side(verdict: Verdict) -> None:
    row = only(forest_item("latency.p50", 0.97, 0.95, 0.99, verdict=verdict))

    assert row.side == "neither"


def test_a_claim_without_a_ratio_still_has_its_row() -> None:
    row = only(forest_item("latency.p50", None, None, None))

    assert row.point is None and row.ends is None and row.number == ""


def test_an_open_end_is_an_arrow_at_the_edge() -> None:
    worse = only(forest_item("latency.p50", 12.0, 3.1, None, censored="candidate"))
    better = only(forest_item("latency.p50", 0.08, 0.0, 0.1, censored="baseline"))

    assert worse.ends is not None and worse.ends[0] == 0
    assert worse.cut_left and not worse.cut_right and worse.side == "baseline"
    assert (worse.number, worse.interval) == ("≤ 0.083×", "(0, 0.32]")
    assert better.ends is not None and better.ends[1] == 100
    assert better.cut_right and not better.cut_left and better.side == "candidate"
    assert (better.number, better.interval) == ("≥ 12×", "[10, ∞)")


def test_more_throughput_is_not_turned_round_where_it_is_a_bound() -> None:
    row = only(forest_item("throughput", 12.0, 3.1, None, censored="candidate"))

    assert (row.number, row.interval) == ("≥ 12×", "[3.1, ∞)")
    assert row.cut_right and not row.cut_left


@pytest.mark.parametrize("ratio", [None, 1.0])
def test_two_sides_that_reached_the_timeout_are_not_drawn(ratio: float | None) -> None:
    row = only(forest_item("latency.p50", ratio, None, None, censored="both"))

    assert row.point is None and row.ends is None
    assert row.number == "unknown:"
    assert row.interval == "only a bound is known for each side"


def test_a_pair_as_a_whole_heads_its_rows_and_has_no_numbers() -> None:
    row = layout(
        [ForestItem("b against a", "", "pair-0", "", None, "slower", None, ("why",))],
        0.05,
    ).rows[0]

    assert row.is_pair and row.verdict == "slower" and row.notes == ("why",)
    assert row.point is None and row.number == ""


@pytest.mark.parametrize(
    ("topics", "groups"),
    [
        ([], []),
        (["a"], [""]),
        (["a", "a"], ["", ""]),
        (["a", "a", "b", "b", "a"], ["a", "", "b", "", "a"]),
    ],
)
def test_rows_of_several_topics_stand_under_their_titles(
    topics: list[str], groups: list[str]
) -> None:
    items = [
        replace(forest_item("throughput", 1.2, 1.1, 1.3), topic=topic)
        for topic in topics
    ]
    assert [row.group for row in layout(items, 0.05).rows] == groups
