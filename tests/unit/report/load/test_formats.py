"""The report of a load test, in every format."""

import csv
import html
import io
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as XML

import pytest
from rich.console import Console

from assay.load.lateness import binned
from assay.load_results import Name
from assay.load_tests import summary
from assay.load_tests.requirements import parse
from assay.report import load as reports
from assay.report.load import words
from assay.run_directory.load_run import LoadRun
from tests.unit.load_tests.synthetic import LOOK, Sample, ticks, written

LOGIN, OUT = Name("start", "GET", "login"), Name("stop", "POST", "/logout")
BUY = Name("task", "", "buy")
ALL = ("html", "markdown", "junit", "csv")


def said(run: LoadRun) -> dict[str, str]:
    """Return the text of each format, without markup."""
    results = summary.summarise(run)
    run.write_results(results)
    out = io.StringIO()
    reports.show(run, results, Console(file=out, width=400))
    paths = reports.write(run, ALL)
    texts = {path.name: path.read_text() for path in paths}
    texts["summary.md"] = html.unescape(texts["summary.md"])
    return {
        "terminal": out.getvalue(),
        "answer": words.answer(run.plan(), results),
        **texts,
    }


def loads(count: int = 100, failed: int = 0, name: Name = LOOK) -> list[Sample]:
    return [Sample(i / 10, i / 10 + 0.011, int(i < failed), name) for i in range(count)]


def cases(texts: dict[str, str]) -> dict[str, str]:
    """Return the outcome of each test case of junit.xml."""
    root = XML.fromstring(texts["junit.xml"])
    return {str(case.get("name")): case[0].tag for case in root.iter("testcase")}


def test_rows_are_named_by_method_and_kind(tmp_path: Path) -> None:
    requests = [*loads(), *loads(9, 9, LOGIN), *loads(3, 0, OUT)]
    texts = said(written(tmp_path, requests, loads(5, 1, BUY)))
    for name in ("GET /look", "GET login (on_start)", "POST /logout (on_stop)"):
        for form in ("terminal", "index.html", "summary.md"):
            assert name in texts[form], form
    assert "buy (task)" in texts["index.html"]
    rows = [row[:5] for row in csv.reader(io.StringIO(texts["requests.csv"]))]
    assert rows == [
        ["kind", "method", "name", "requests", "failed"],
        ["request", "", "", "100", "0"],
        ["request", "GET", "/look", "100", "0"],
        ["task", "", "buy", "5", "1"],
        ["start", "GET", "login", "9", "9"],
        ["stop", "POST", "/logout", "3", "0"],
    ]


@pytest.mark.parametrize("bound", [True, False])
def test_numbers_that_are_lower_bounds_are_written_as_ones(
    tmp_path: Path, bound: bool
) -> None:
    told = ticks(loads(), lags=binned([0.02 if bound else 1e-4]))
    # The latency is at most 11 ms: the time from when requests were due.
    required = (parse("latency.p50 <= 10.5ms"), parse("latency.p50 <= 11.5ms"))
    texts = said(written(tmp_path, loads(), told=told, requirements=required))
    for form in ("terminal", "answer", "index.html", "summary.md"):
        assert ("≥ 10.0 ms" in texts[form]) is bound, form
        assert "10.0 ms" in texts[form], form
    assert ("late for 100 % of the arrivals" in texts["terminal"]) is bound
    found = cases(texts)
    assert found["latency.p50 <= 10.5ms"] == ("error" if bound else "system-out")
    assert found["latency.p50 <= 11.5ms"] == "system-out"


def test_what_the_generator_took_itself_is_said_beside_it(tmp_path: Path) -> None:
    texts = said(written(tmp_path, loads()))
    for form in ("terminal", "index.html", "summary.md"):
        assert "neither is part of a latency" in texts[form], form


@pytest.mark.parametrize(
    ("requests", "sentence"),
    [
        (loads(30, 30), "No request succeeded: 30 of 30 failed."),
        (
            [*loads(), *loads(9, 9, LOGIN)],
            "No request of on_start succeeded: 9 of 9 failed.",
        ),
    ],
)
def test_every_format_says_that_nothing_succeeded(
    tmp_path: Path, requests: list[Sample], sentence: str
) -> None:
    texts = said(written(tmp_path, requests))
    for form in ("terminal", "answer", "index.html", "summary.md", "junit.xml"):
        assert sentence in texts[form], form
    assert cases(texts) == {
        "the test was completed": "system-out",
        "requests succeed": "failure",
    }


def test_the_answer_names_what_failed(tmp_path: Path) -> None:
    requests = [*loads(100, 7), *loads(9, 3, LOGIN), *loads(3, 1, OUT)]
    told = ticks(requests, tasks={"look": 10})
    told[0]["raised"] = {"task look raised ValueError: <b>": 5}
    texts = said(written(tmp_path, requests, told=told))
    for sentence in (
        "7 % of requests failed.",
        "3 of 9 requests of on_start failed.",
        "1 of 3 requests of on_stop failed.",
        "5 of 112 tasks raised an error outside their requests.",
    ):
        assert sentence in texts["answer"]
    assert "5 × task look raised ValueError: <b>" in texts["terminal"]
    assert "task look raised ValueError: &lt;b&gt;" in texts["index.html"]
    assert "<b>" not in texts["index.html"].split("Errors</h2>")[1].split("table")[1]


def test_failing_log_ins_are_named_where_nothing_else_was_asked(
    tmp_path: Path,
) -> None:
    texts = said(written(tmp_path, loads(9, 9, LOGIN)))
    assert texts["answer"] == (
        "No request of on_start succeeded: 9 of 9 failed. No request was made."
    )


def test_the_locustfiles_own_verdict_is_said(tmp_path: Path) -> None:
    run = written(tmp_path, loads())
    run.write_end(3)
    texts = said(run)
    for form in ("terminal", "answer", "index.html", "summary.md", "junit.xml"):
        assert "has set process_exit_code to 3" in texts[form], form
    assert cases(texts)["the locustfile's own verdict"] == "failure"


def limited(told: list[dict[str, Any]]) -> None:
    told[3]["limit"] = "No more descriptors."


def lost(told: list[dict[str, Any]]) -> None:
    told[3]["requests"] += 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (limited, "The generator's own machine was the limit"),
        (lost, "Not all samples are on disk"),
        (lambda told: told.pop(), "The test ended early"),
    ],
)
def test_every_format_says_why_it_is_partial(
    tmp_path: Path, change: Any, why: str
) -> None:
    told = ticks(loads())
    change(told)
    texts = said(written(tmp_path, loads(), told=told))
    for form in ("terminal", "answer", "index.html", "summary.md", "junit.xml"):
        assert why in texts[form].replace("&#39;", "'"), form
