"""A former load test beside a new one."""

from pathlib import Path
from typing import Any

import pytest

from assay.cli import load
from assay.cli.load_request import LoadRequest
from assay.errors import InputError
from assay.load_former import Beside, Former
from assay.load_results import LoadResults, Name
from assay.load_tests import former, summary
from assay.report import load as reports
from assay.report.load import former as words
from tests.unit.load_tests.synthetic import LOOK, Sample, searched, written

BUY = Name("request", "POST", "/<b>|buy")


def loads(took: float, failed: int = 0, name: Name = LOOK) -> list[Sample]:
    return [Sample(i / 10, i / 10 + took, int(i < failed), name) for i in range(99)]


def results(folder: Path, samples: list[Sample], **changes: Any) -> LoadResults:
    folder.mkdir()
    run = written(folder, samples, **changes)
    found = summary.summarise(run)
    run.write_results(found)
    return found


def numbers(before: LoadResults, now: LoadResults) -> dict[tuple[str, str], Beside]:
    found = former.beside(before, now).numbers
    return {(number.name, number.metric): number for number in found}


def test_the_numbers_of_both_are_kept(tmp_path: Path) -> None:
    before = results(tmp_path / "a", loads(0.011))
    now = results(tmp_path / "b", [*loads(0.021, 9), *loads(0.5, 0, BUY)])
    found = numbers(before, now)
    p50 = found["/look", "latency.p50"]
    assert (p50.before, p50.now) == pytest.approx((0.010, 0.020))
    # A hundred requests are too few for the 99th percentile.
    p99 = found["/look", "latency.p99"]
    assert (p99.before, p99.now) == (None, None)
    errors = found["/look", "errors"]
    assert (errors.before, errors.now) == (0, 9 / 99)
    beside = former.beside(before, now)
    assert (beside.only_before, beside.only_now) == ((), ("POST /<b>|buy",))
    assert found["", "latency.p50"].before == p50.before


def test_what_differs_besides_is_said(tmp_path: Path) -> None:
    before = results(tmp_path / "a", loads(0.011), host="http://there:1")
    now = results(tmp_path / "b", loads(0.011))
    now = now.model_copy(update={"rate": 3 * now.rate, "partial": True, "bound": True})
    remarks = " ".join(former.beside(before, now).remarks)
    for part in (
        "another host: http://there:1",
        "latency depends on the load",
        "This test is partial.",
        "In this test the generator was the limit",
    ):
        assert part in remarks
    assert former.beside(before, before).remarks == ()


def test_the_number_of_rows_is_bounded(tmp_path: Path) -> None:
    samples = [
        Sample(1.0, 1.5, 0, Name("request", "GET", f"/{place}")) for place in range(200)
    ]
    before = results(tmp_path / "a", samples)
    beside = former.beside(before, before)
    assert len(beside.numbers) == 3 * former.MAX_ROWS
    assert beside.more == 201 - former.MAX_ROWS
    assert "151 further rows of both are left out." in words.notes(beside)


@pytest.mark.parametrize(
    ("metric", "before", "now", "cell"),
    [
        ("latency.p50", 0.010, 0.012, ("10.0 ms", "12.0 ms", "20 % longer")),
        ("latency.p50", 0.010, 0.009, ("10.0 ms", "9.00 ms", "10 % shorter")),
        ("latency.p50", 0.010, 0.025, ("10.0 ms", "25.0 ms", "2.50 times as long")),
        ("latency.p50", 0.010, 0.010, ("10.0 ms", "10.0 ms", "")),
        ("latency.p99", None, 0.010, ("–", "10.0 ms", "")),
        ("latency.p99", 0.010, float("inf"), ("10.0 ms", "∞", "")),
        ("errors", 0.01, 0.03, ("1 %", "3 %", "2.0 points more")),
        ("errors", 0.03, 0.01, ("3 %", "1 %", "2.0 points fewer")),
        ("errors", 0.0, 0.0, ("0 %", "0 %", "")),
    ],
)
def test_a_difference_is_said_in_words(
    metric: str, before: float | None, now: float | None, cell: tuple[str, str, str]
) -> None:
    number = Beside(
        kind="request", method="", name="", metric=metric, before=before, now=now
    )
    beside = Former(run="out", title="", host="", numbers=(number,))
    assert words.rows(beside) == [("all requests", [cell])]
    assert words.heading(beside) == "Beside out"


def test_lower_bounds_are_shown_as_such(tmp_path: Path) -> None:
    before = results(tmp_path / "a", loads(0.011))
    now = results(tmp_path / "b", loads(0.021, 9))
    bounds = before.model_copy(update={"bound": True})
    cells = [
        words.rows(former.beside(first, second))[0][1]
        for first, second in ((bounds, now), (now, bounds))
    ]
    assert cells[0][0] == ("≥ 10.0 ms", "20.0 ms", "")
    assert cells[1][0] == ("20.0 ms", "≥ 10.0 ms", "")
    assert cells[0][2] == ("0 %", "9.09 %", "9.1 points more")


def test_the_reports_show_it_without_a_verdict(tmp_path: Path) -> None:
    samples = [*loads(0.011), *loads(0.011, 0, BUY)]
    before = results(tmp_path / "a", samples, title="<i>Before")
    run = written(tmp_path, [*loads(0.021), *loads(0.011, 5, BUY)])
    run.write_former(before)
    found = summary.summarise(run)
    run.write_results(found)
    page, summed = (
        path.read_text() for path in reports.write(run, ["html", "markdown"])
    )
    assert "Beside &lt;i&gt;Before</h2>" in page and "there is no verdict" in page
    assert "10.0 ms → 20.0 ms<small>2.00 times as long</small>" in page
    assert "<b>|buy" not in page + summed and "<i>" not in page + summed
    assert "10.0 ms → 20.0 ms (2.00 times as long)" in summed.replace("&#46;", ".")
    # The report can be rebuilt without the former run.
    assert summary.summarise(run) == found == run.results()


def test_only_single_tests_with_results_can_be_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no load test is there"):
        former.read(tmp_path)
    run = written(tmp_path, loads(0.011))
    with pytest.raises(InputError, match="did not finish, type: assay report"):
        former.read(run.path)
    run.write_results(summary.summarise(run))
    assert former.read(run.path).run == run.name
    (tmp_path / "many").mkdir()
    with pytest.raises(InputError, match="a search or a sweep"):
        former.read(searched(tmp_path / "many").path)


def test_a_baseline_is_checked_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("")
    request = LoadRequest(
        str(tmp_path / "f.py"), seed=1, rate="5", baseline=tmp_path / "nothing"
    )
    with pytest.raises(InputError, match="no load test is there"):
        load.run(request, tmp_path / "out", as_json=False)
    assert not (tmp_path / "out").exists()
