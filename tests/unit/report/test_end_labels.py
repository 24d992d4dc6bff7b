"""Labels at the ends of lines keep apart."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from assay.report.charts import LABEL_HEIGHT, label_ends, spread_apart

places = st.lists(st.floats(0, 1), min_size=1, max_size=6).map(sorted)


@given(places)
def test_places_keep_apart_and_in_order(found: list[float]) -> None:
    moved = spread_apart(found, 0.1)
    assert all(b - a >= 0.1 - 1e-9 for a, b in itertools.pairwise(moved))
    assert moved[0] >= 0


def test_only_places_that_are_too_close_are_moved() -> None:
    assert spread_apart([0.1, 0.5, 0.9], 0.1) == [0.1, 0.5, 0.9]
    low, middle, high = spread_apart([0.2, 0.21, 0.9], 0.1)
    assert (round(low, 6), round(middle, 6), high) == (0.155, 0.255, 0.9)
    assert spread_apart([0.0, 0.0], 0.1) == [0.0, 0.1]


def test_equal_values_get_labels_of_their_own() -> None:
    for log in (False, True):
        axes = Figure().add_subplot()
        axes.plot([1, 2, 3], [1, 5, 9])
        if log:
            axes.set_yscale("log")
        ends = [(3.0, 9.0, name, "#000000") for name in ("due", "ended", "failed")]
        label_ends(axes, ends, log)
        heights = sorted(text.get_position()[1] for text in axes.texts)
        gaps = [b - a for a, b in itertools.pairwise(heights)]
        assert len(gaps) == 2 and min(gaps) >= LABEL_HEIGHT - 1e-9
