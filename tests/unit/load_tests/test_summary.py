"""From the samples of a load test to its numbers."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from assay.load.lateness import binned
from assay.load.recorder import FAILED, FINE, TIMED_OUT
from assay.load_results import LoadResults, Name, Spread
from assay.load_tests import summary
from assay.load_tests.judging import judge
from assay.load_tests.requirements import parse
from assay.run_directory.load_run import TICKS
from tests.unit.load_tests.synthetic import LOOK, Sample, finished, ticks, written

# Half of the requests are answered in 10 ms; the others time out after 1 s. All are
# sent 1 ms after they were due, and this 1 ms is not included.
HALF = [(i / 10, i / 10 + 0.011, FINE) for i in range(50)]
HALF += [(i / 10, i / 10 + 1.001, TIMED_OUT) for i in range(50)]


def latency(
    folder: Path, samples: list[tuple[float, float, int]]
) -> tuple[Spread, Spread]:
    """Return latency and service time of all requests."""
    every = summary.summarise(finished(folder, samples)).rows[0]
    return every.latency, every.service


def test_requests_that_timed_out_have_a_say_in_the_mean(tmp_path: Path) -> None:
    spread, service = latency(tmp_path, HALF)
    assert (spread.count, spread.unanswered) == (100, 50)
    assert spread.mean == pytest.approx(0.505)
    assert service.mean == pytest.approx(0.505)
    assert spread.p50 == pytest.approx(0.01)
    assert spread.p90 == math.inf
    assert spread.longest == service.longest == math.inf


def test_a_mean_of_survivors_holds_nothing(tmp_path: Path) -> None:
    found = summary.summarise(finished(tmp_path, HALF))
    for text, verdict in (
        ("latency.mean <= 20ms", "refuted"),
        ("latency.mean of /look <= 600ms", "undecided"),
    ):
        (item,) = judge([parse(text)], found)
        assert item.verdict == verdict and item.bound


def test_what_had_no_end_was_waited_for_until_the_end(tmp_path: Path) -> None:
    spread, service = latency(
        tmp_path, [(0.0, 0.501, FINE), (4.0, math.nan, FAILED), (9.0, 9.01, FAILED)]
    )
    # A quick error is ignored, and a request that was never sent has no service time.
    assert (spread.count, spread.unanswered) == (2, 1)
    assert spread.mean == pytest.approx((0.5 + 6.0) / 2)
    assert service.mean == pytest.approx(0.5 / 2)


def test_without_timeouts_all_is_known(tmp_path: Path) -> None:
    spread, _ = latency(tmp_path, HALF[:50] + [(1.0, 1.2, FAILED)])
    assert (spread.count, spread.unanswered) == (50, 0)
    assert (spread.mean, spread.longest) == pytest.approx((0.01, 0.01))


def test_latency_holds_what_the_target_made_wait_and_not_what_the_generator_did(
    tmp_path: Path,
) -> None:
    # Due at 0 s. A user is free at 2 s and sends the request 1 ms later; the answer
    # takes 10 ms.
    samples = [Sample(i / 10, i / 10 + 2.011, waited=2.0) for i in range(100)]
    every = summary.summarise(written(tmp_path, samples)).total
    assert every is not None
    assert every.latency.p50 == pytest.approx(2.01)
    assert every.latency.mean == pytest.approx(2.01)
    assert every.latency.longest == pytest.approx(2.01)
    assert every.service.p50 == pytest.approx(0.01)


def test_the_generators_own_part_is_told_beside_it(tmp_path: Path) -> None:
    found = summary.summarise(finished(tmp_path, HALF))
    assert found.own_p50 == pytest.approx(7e-4, rel=0.06)
    assert found.own_p99 == pytest.approx(7e-4, rel=0.06)
    assert found.lag_p99 == pytest.approx(1e-4, rel=0.06)


LOGIN, POST = Name("start", "POST", "/login"), Name("request", "POST", "/look")
OUT, BUY = Name("stop", "GET", "/out"), Name("task", "", "buy")


def shop() -> tuple[list[Sample], list[Sample]]:
    """Return 100 requests of two methods, with log-ins and tasks around them."""
    requests = [Sample(i / 10, i / 10 + 0.011, name=LOGIN, failed=1) for i in range(9)]
    requests += [Sample(i / 10, i / 10 + 0.011, name=LOOK) for i in range(60)]
    requests += [Sample(i / 10, i / 10 + 0.021, name=POST) for i in range(40)]
    requests += [Sample(9.9, 9.95, name=OUT)]
    tasks = [Sample(i, i + 0.101, name=BUY, failed=int(i < 2)) for i in range(8)]
    return requests, tasks


def test_rows_are_of_a_kind_a_method_and_a_name(tmp_path: Path) -> None:
    requests, tasks = shop()
    told = ticks(requests, tasks, tasks={"buy": 2, "look": 5})
    found = summary.summarise(written(tmp_path, requests, tasks, told))
    rows = [(row.title, row.requests, row.failed) for row in found.rows]
    assert rows == [
        ("all requests", 100, 0),  # neither log-ins nor tasks are load
        ("GET /look", 60, 0),
        ("POST /look", 40, 0),
        ("buy (task)", 20, 2),  # two a second; eight of them made several requests
        ("POST /login (on_start)", 9, 9),
        ("GET /out (on_stop)", 1, 0),
    ]
    every = found.total
    assert every is not None and every.latency.count == 100
    assert every.latency.longest == pytest.approx(0.02)
    assert not found.partial and not found.warnings


def test_names_that_differ_in_a_secret_alone_are_one_row(tmp_path: Path) -> None:
    run = written(tmp_path, [Sample(1.0, 1.1), Sample(2.0, 2.1, name=POST)])
    run.write_names([LOOK, LOOK])
    rows = [(row.title, row.requests) for row in summary.summarise(run).rows]
    assert rows == [("all requests", 2), ("GET /look", 2)]


def test_a_request_without_any_name_is_not_all_of_them(tmp_path: Path) -> None:
    nobody = Name("request", "", "")
    found = summary.summarise(written(tmp_path, [Sample(1.0, 1.1, name=nobody)]))
    assert [row.title for row in found.rows] == ["all requests", "(no name)"]


REQUIRED = tuple(map(parse, ("latency.p50 <= 1s", "errors <= 1%", "rate >= 1/s")))


def undecided(found: LoadResults) -> bool:
    assert len(found.requirements) == len(REQUIRED)
    return {item.verdict for item in found.requirements} == {"undecided"}


def test_samples_that_are_lost_are_missed(tmp_path: Path) -> None:
    samples = [Sample(i / 1000, i / 1000 + 0.011) for i in range(4000)]
    run = written(tmp_path, samples[:2797], told=ticks(samples), requirements=REQUIRED)
    found = summary.summarise(run)
    gap = "1,203 of the 4,000 requests that ended are not on disk"
    assert found.partial and found.ended and found.missing == 1203
    assert any(warning.startswith(gap) for warning in found.warnings)
    assert undecided(found) and found.requirements[0].reason == gap


@pytest.mark.parametrize("kind", ["requests", "iterations"])
def test_a_file_of_samples_that_is_gone_is_missed(tmp_path: Path, kind: str) -> None:
    requests, tasks = shop()
    run = written(tmp_path, requests, tasks, requirements=REQUIRED)
    assert not summary.summarise(run).missing
    (run.path / "samples" / f"{kind}-00001.parquet").unlink()
    found = summary.summarise(run)
    assert found.partial and undecided(found)
    assert found.missing == (110 if kind == "requests" else 8)


def test_more_on_disk_than_was_told_of_is_no_loss(tmp_path: Path) -> None:
    samples = [Sample(i / 10, i / 10 + 0.011) for i in range(100)]
    run = written(tmp_path, samples, told=ticks(samples)[:-1])
    found = summary.summarise(run)
    assert (found.missing, found.partial, found.ended) == (0, True, False)


def test_a_test_that_died_decides_nothing(tmp_path: Path) -> None:
    samples = [Sample(i / 10, i / 10 + 0.011) for i in range(100)]
    told = ticks(samples)[:-1]
    told[-1] |= {"planned": 100, "done": 88}
    found = summary.summarise(
        written(tmp_path, samples, told=told, requirements=REQUIRED)
    )
    assert undecided(found) and (found.unserved, found.owed) == (12, 12)


def worker(**changes: object) -> dict[str, Any]:
    given = {"name": "me:1", "share": 0.5, "planned": 60, "done": 60, "dropped": 0}
    return {**given, "unserved": 0, "lag_p99": 1e-4, "lost": "", **changes}


def test_a_lost_worker_is_no_verdict_on_the_server(tmp_path: Path) -> None:
    samples = [Sample(i / 10, i / 10 + 0.011) for i in range(75)]
    lost = worker(name="me:2", done=15, unserved=45, lost="it left")
    told = ticks(samples, workers=[worker(), lost], last={"planned": 120, "done": 75})
    told[-1]["unserved"] = 45
    found = summary.summarise(
        written(tmp_path, samples, told=told, requirements=REQUIRED)
    )
    assert found.partial and undecided(found) and found.owed == 45
    errors = found.requirements[1]
    assert errors.value == pytest.approx(45 / 120)
    assert errors.reason == "1 worker was lost: the server had less load"


def test_a_limit_of_the_generators_machine_is_named(tmp_path: Path) -> None:
    samples = [Sample(i / 10, i / 10 + 0.011) for i in range(100)]
    told = ticks(samples)
    told[4]["limit"] = "No more than 1,024 descriptors: ulimit -n 65536."
    found = summary.summarise(
        written(tmp_path, samples, told=told, requirements=REQUIRED)
    )
    assert found.limit == told[4]["limit"] and found.limit in found.warnings
    assert found.partial and undecided(found)


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("", []),
        ("locustfile", ["The locustfile ended the test after 12.3 s."]),
        ("users", ["All users had stopped (StopUser) after 12.3 s."]),
    ],
)
def test_who_ended_a_test_early_is_said(
    tmp_path: Path, who: str, said: list[str]
) -> None:
    samples = [Sample(i / 10, i / 10 + 0.011) for i in range(100)]
    told = ticks(samples, last={"ended_by": who, "loaded": 12.3})
    found = summary.summarise(written(tmp_path, samples, told=told))
    assert list(found.warnings) == said and not found.partial


def test_tasks_that_raise_are_told_by_task(tmp_path: Path) -> None:
    requests, tasks = shop()
    told = ticks(requests, tasks, tasks={"buy": 6, "buy raised": 1})
    told[0]["raised"] = {"task buy raised ValueError: sold out": 7}
    told[1]["raised"] = {
        "task buy raised ValueError: sold out": 3,
        "task buy raised KeyError: 'id'": 2,
        "task buy raised raised OSError: no": 1,
    }
    found = summary.summarise(written(tmp_path, requests, tasks, told))
    assert found.raised["task buy raised ValueError: sold out"] == 10
    assert list(found.warnings) == [
        "12 of 60 runs of task buy raised an error outside their requests: "
        "ValueError: sold out (and 1 other error).",
        "1 of 10 runs of task buy raised raised an error outside its requests: "
        "OSError: no.",
    ]
    assert not found.partial


@pytest.mark.parametrize(
    ("late", "bound"), [(0, False), (5, False), (6, True), (90, True)]
)
def test_a_generator_that_is_late_too_often_is_the_limit(
    tmp_path: Path, late: int, bound: bool
) -> None:
    samples = [Sample(i / 10, i / 10 + 0.011) for i in range(100)]
    told = ticks(samples)
    told[0]["lags"] = binned([0.011] * late)
    told[1]["lags"] = binned([0.0001] * (100 - late))
    for tick in told[2:]:
        tick["lags"] = {}
    found = summary.summarise(written(tmp_path, samples, told=told))
    assert found.bound is bound and not found.partial
    # Latencies do not include the delay, so the only warning is that they are bounds.
    assert [("lower bounds" in text) for text in found.warnings] == [True] * bound


def test_a_code_of_the_locustfiles_own_is_kept(tmp_path: Path) -> None:
    run = finished(tmp_path, HALF)
    assert summary.summarise(run).locust_exit_code is None
    run.write_end(3)
    assert summary.summarise(run).locust_exit_code == 3
    run.write_end(None)
    assert summary.summarise(run).locust_exit_code is None


def test_errors_of_a_full_disk_end_where_the_ticks_do(tmp_path: Path) -> None:
    run = finished(tmp_path, HALF)
    text = (run.path / TICKS).read_text().splitlines()
    (run.path / TICKS).write_text("\n".join([*text[:5], text[5][:40]]))
    found = summary.summarise(run)
    assert found.partial and not found.ended
    assert len(run.ticks()) == 5 and json.loads(text[4])["at"] == found.loaded
