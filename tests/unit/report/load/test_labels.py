"""The title and the tags that the user gives a load test."""

import json
from pathlib import Path
from typing import Any

import pytest

from assay.load_tests import summary
from assay.report import load as reports
from assay.run_directory.load_run import LoadRun
from tests.unit.load_tests.synthetic import finished, plan, searched, swept

FORMATS = ("html", "markdown", "json")
TITLE = "Before <b>the *release*"
TAGS = {"branch": "main|<script>alert(1)</script>", "api_key": "S3CRET"}
SAMPLES = [(i / 10, i / 10 + 0.011, 0) for i in range(100)]


def single(folder: Path, **changes: Any) -> LoadRun:
    run = finished(folder, SAMPLES, **changes)
    run.write_results(summary.summarise(run))
    return run


def texts(run: LoadRun) -> dict[str, str]:
    return {path.name: path.read_text() for path in reports.write(run, FORMATS)}


def labelled(run: LoadRun) -> LoadRun:
    """Return a run of many trials whose results have the title and the tags."""
    results = run.trials()
    assert results is not None
    run.write_trials(results.model_copy(update={"title": TITLE, "tags": TAGS}))
    return run


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: single(folder, title=TITLE, tags=TAGS),
        lambda folder: labelled(searched(folder)),
        lambda folder: labelled(swept(folder)),
    ],
)
def test_every_report_shows_them_as_text(tmp_path: Path, make: Any) -> None:
    shown = texts(make(tmp_path))
    page = shown["index.html"]
    assert "<h1>Before &lt;b&gt;the *release*</h1>" in page
    assert "<b>branch</b> main|&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert '<p class="muted">http://***@shop:8000/' in page
    assert "<script>alert" not in page + shown["summary.md"]
    assert "&lt;b&#62;the" in shown["summary.md"] and "<b>" not in shown["summary.md"]
    assert "**branch** main" in shown["summary.md"]
    found = json.loads(shown["results.json"])
    assert found["title"] == TITLE and found["tags"]["branch"] == TAGS["branch"]


def test_their_secrets_are_hidden(tmp_path: Path) -> None:
    run = single(tmp_path, title="for http://me:S3CRET@shop", tags=TAGS)
    for text in (*texts(run).values(), (run.path / "load.json").read_text()):
        assert "S3CRET" not in text


def test_without_a_title_the_host_is_named(tmp_path: Path) -> None:
    shown = texts(single(tmp_path))
    assert "<h1>Load test of http://***@shop:8000/" in shown["index.html"]
    assert '<ul class="tags"' not in shown["index.html"]
    assert shown["summary.md"].count("shop") == 1


def test_results_without_them_can_be_read(tmp_path: Path) -> None:
    """Results that an earlier version wrote have neither."""
    run = single(tmp_path)
    fields = json.loads((run.path / "results.json").read_text())
    del fields["title"], fields["tags"]
    run.write_text("results.json", json.dumps(fields))
    assert (run.results().title, run.results().tags) == ("", {})
    assert plan(tmp_path).title == ""
