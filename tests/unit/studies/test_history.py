"""The study of histories: what it draws, and what it counts."""

import math

import numpy as np
import pytest

from assay.analysis.change_points import Findings, Shift, Trend
from scripts.studies import history


@pytest.mark.parametrize("noise", history.NOISES)
def test_noise_has_the_deviation_that_is_said(noise: str) -> None:
    logs = [history.draw(noise, 0.02, (seed, 0)) for seed in range(400)]
    without_outlier = np.delete(np.array(logs), history.OUTLIER, axis=1)
    assert float(without_outlier.std()) == pytest.approx(0.02, rel=0.15)
    neighbours = np.corrcoef(without_outlier[:, 3], without_outlier[:, 4])[0, 1]
    expected = history.CORRELATION if noise == history.CORRELATED else 0
    assert neighbours == pytest.approx(expected, abs=0.2)


def shift(first: int, earliest: int, latest: int) -> Shift:
    return Shift(first, earliest, latest, 0.1, 0.09, 0.11, 1e-6)


@pytest.mark.parametrize(
    ("findings", "counts"),
    [
        (Findings(), (0, 0)),
        (Findings((shift(20, 20, 20), shift(44, 43, 46))), (2, 0)),
        (Findings((shift(21, 21, 22), shift(45, 45, 45))), (1, 1)),
        (Findings((shift(33, 33, 33),)), (0, 1)),
        (Findings(trend=Trend(0.1, 0.09, 0.11)), (0, 1)),
    ],
)
def test_what_counts_as_found(findings: Findings, counts: tuple[int, int]) -> None:
    assert history.count(findings) == counts


def test_the_level_changes_and_changes_back() -> None:
    logs = history.changed(np.zeros(history.RUNS), 0.05)
    assert logs[[19, 20, 44, 45]] == pytest.approx(
        [0, math.log(1.05), math.log(1.05), 0]
    )


def test_the_page_has_a_row_for_each_kind() -> None:
    cells = [history.measure(noise, 0.01, 3) for noise in history.NOISES]
    text = history.page(cells)
    for noise in history.NOISES:
        assert f"| {noise} | 1 % |" in text
    assert "two changes of 10 %" in text
