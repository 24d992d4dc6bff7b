"""From the samples of a load test to its numbers."""

import math
from pathlib import Path

import pytest

from assay.load.recorder import FAILED, FINE, TIMED_OUT
from assay.loadtest import summary
from assay.loadtest.plan import Spread
from assay.loadtest.requirements import judge, parse
from tests.unit.loadtest.synthetic import finished

# Half of the requests are answered in 10 ms; for the others somebody waited 1 s.
HALF = [(i / 10, i / 10 + 0.01, FINE) for i in range(50)]
HALF += [(i / 10, i / 10 + 1.0, TIMED_OUT) for i in range(50)]


def latency(
    folder: Path, samples: list[tuple[float, float, int]]
) -> tuple[Spread, Spread]:
    """Return latency and service time of all requests."""
    every = summary.summed(finished(folder, samples)).rows[0]
    return every.latency, every.service


def test_requests_that_timed_out_have_a_say_in_the_mean(tmp_path: Path) -> None:
    spread, service = latency(tmp_path, HALF)
    assert (spread.count, spread.unanswered) == (100, 50)
    assert spread.mean == pytest.approx(0.505)
    assert service.mean == pytest.approx(0.504)
    assert spread.p50 == pytest.approx(0.01)
    assert spread.p90 == math.inf
    assert spread.longest == service.longest == math.inf


def test_a_mean_of_survivors_holds_nothing(tmp_path: Path) -> None:
    found = summary.summed(finished(tmp_path, HALF))
    for text, verdict in (
        ("latency.mean <= 20ms", "refuted"),
        ("latency.mean of /look <= 600ms", "undecided"),
    ):
        (item,) = judge([parse(text)], found)
        assert item.verdict == verdict and item.bound


def test_what_had_no_end_was_waited_for_until_the_end(tmp_path: Path) -> None:
    spread, service = latency(
        tmp_path, [(0.0, 0.5, FINE), (4.0, math.nan, FAILED), (9.0, 9.01, FAILED)]
    )
    # A quick error has no say, and what was never sent has no time of service.
    assert (spread.count, spread.unanswered) == (2, 1)
    assert spread.mean == pytest.approx((0.5 + 6.0) / 2)
    assert service.mean == pytest.approx(0.499 / 2)


def test_without_timeouts_all_is_known(tmp_path: Path) -> None:
    spread, _ = latency(tmp_path, HALF[:50] + [(1.0, 1.2, FAILED)])
    assert (spread.count, spread.unanswered) == (50, 0)
    assert (spread.mean, spread.longest) == pytest.approx((0.01, 0.01))
