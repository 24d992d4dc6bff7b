"""Small pictures of endpoints, and the files within the page."""

import base64
import csv
import io
import json
import re
from pathlib import Path

from assay.load_results import Name
from assay.load_tests import summary
from assay.report import load as reports
from assay.report.load import panels
from tests.unit.load_tests.synthetic import Sample, ticks, written

HOSTILE = Name("request", "GET", "/<script>alert(1)</script>\x1b[31m")


def page(folder: Path, samples: list[Sample]) -> tuple[str, Path]:
    run = written(folder, samples)
    run.write_results(summary.summarise(run))
    return reports.write(run, ["html", "csv", "json"])[0].read_text(), run.path


def test_a_picture_shows_requests_and_failures(tmp_path: Path) -> None:
    samples = [
        Sample(i / 10, i / 10 + 0.05, int(i > 90), status=200) for i in range(99)
    ]
    run = written(tmp_path, samples)
    (panel,) = panels.panels(summary.summarise(run).timeline)
    assert panel.title == "GET /look"
    assert panel.text == "at most 10.0/s, failed at most 8.00/s"
    assert panel.area.startswith("0,56 0.0,2.0 ") and panel.area.endswith(" 240,56")
    assert panel.failed.startswith("0.0,56.0") and panel.bad
    assert panels.panels(None) == [] and panels.span(None) == ""


def test_the_page_has_pictures_answers_and_files(tmp_path: Path) -> None:
    samples = [
        Sample(i / 10, i / 10 + 0.05, 0, HOSTILE, status=200, size=5) for i in range(99)
    ]
    text, path = page(tmp_path, samples)
    assert "Requests a second, by endpoint" in text
    assert "Users and requests in flight" in text
    assert "200 × 99 · 5.00 B each" in text
    assert "<script>alert" not in text and "\x1b" not in text
    files = dict(
        re.findall(r'download="([^"]+)" href="data:[^,]+;base64,([^"]+)"', text)
    )
    found = {
        name: base64.b64decode(content).decode() for name, content in files.items()
    }
    assert found["requests.csv"] == (path / "requests.csv").read_text()
    assert json.loads(found["results.json"]) == json.loads(
        (path / "results.json").read_text()
    )
    header, *rows = csv.reader(io.StringIO(found["requests.csv"]))
    assert header[-3:] == ["statuses", "size_mean", "size_max"]
    assert rows[0][-3:] == ["200=99", "5.0", "5"]


def test_the_page_is_bounded_whatever_the_number_of_endpoints(tmp_path: Path) -> None:
    # Times with many digits, long names and long errors, as in a real test.
    names = [Name("request", "GET", f"/{place}/{'é' * 1500}") for place in range(1000)]
    samples = [
        Sample(5 + place / 7e3, 5.3 + (place * turn % 997) / 1.3e3, 0, name, status=200)
        for place, name in enumerate(names)
        for turn in range(60)
    ]
    told = ticks(samples)
    told[5]["errors"] = {f"GET /{place}: {'x' * 3000}": 3 for place in range(900)}
    run = written(tmp_path, samples, told=told)
    run.write_results(summary.summarise(run))
    text = reports.write(run, ["html"])[0].read_text()
    assert text.count("<figure") < 20
    assert len(text.encode()) < 3_000_000
    assert "800 further ones are in results.json." in text
    assert "/999/" in text and "…" in text and "x" * 201 not in text
    assert 'download="results.json"' not in text


def keys(text: str) -> dict[str, list[str]]:
    """Return the values by which each row of the table is sorted."""
    rows = re.findall(r"<tr[^>]*><th scope=\"row\"><code>(.*?)</code>(.*?)</tr>", text)
    return {name: re.findall(r'data-value="([^"]*)"', rest) for name, rest in rows}


def test_rows_are_sorted_by_what_they_show(tmp_path: Path) -> None:
    rare = [Sample(1.0, 9.5, 0, Name("start", "GET", "/rare"))] * 3
    samples = [Sample(i / 10, i / 10 + 0.05) for i in range(60)]
    text, _ = page(tmp_path, [*samples, *rare])
    found = keys(text)
    # A percentile with too few requests is shown as –, and sorted as -1.
    assert found["GET /rare (on_start)"][3:8] == ["-1"] * 5
    assert float(found["GET /look"][3]) > 0 and found["GET /look"][7] == "-1"
    assert text.count('class="total"') == 1
    assert '<tr class="total"><th scope="row"><code>all requests</code>' in text


def test_there_is_no_row_of_all_requests_without_requests(tmp_path: Path) -> None:
    login = [Sample(1.0, 1.5, 0, Name("start", "GET", "/login"))]
    text, _ = page(tmp_path, login)
    assert 'class="total"' not in text


def test_tracebacks_are_folded_and_escaped(tmp_path: Path) -> None:
    error = "task buy raised ValueError: <b>"
    told = ticks([Sample(1.0, 1.5)], tasks={"buy": 3})
    told[0] |= {"raised": {error: 2}}
    told[0] |= {"tracebacks": {error: "File f.py\n</pre><script>alert(1)</script>\x1b"}}
    told[1] |= {"tracebacks": {error: "a later one"}}
    run = written(tmp_path, [Sample(1.0, 1.5)], told=told)
    results = summary.summarise(run)
    run.write_results(results)
    assert list(results.tracebacks) == [error]
    text = reports.write(run, ["html"])[0].read_text()
    (folded,) = re.findall(r'<details class="trace">.*?</details>', text, re.DOTALL)
    assert "<summary>task buy raised ValueError: &lt;b&gt;</summary>" in folded
    assert "File f.py\n&lt;/pre&gt;&lt;script&gt;" in folded
    assert "<script>alert" not in text and "\x1b" not in text
    assert "a later one" not in text


def test_only_versions_that_matter_to_the_load_are_shown(tmp_path: Path) -> None:
    run = written(tmp_path, [Sample(1.0, 1.5)])
    versions = {"assay": "9.8.7", "locust": "2.0", "fastapi": "0.1.2"}
    environment = {"versions": versions, "load average": [0.762207, 1.0], "cpu": "Z80"}
    run.write_text("environment.json", json.dumps(environment))
    run.write_results(summary.summarise(run))
    text = reports.write(run, ["html"])[0].read_text()
    for shown in ("versions.assay", "9.8.7", "versions.locust", "Z80", "0.762, 1.00"):
        assert shown in text
    assert "fastapi" not in text
