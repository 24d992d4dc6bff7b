"""The reports of a search for the capacity, and of a sweep."""

import io
from pathlib import Path
from xml.etree import ElementTree as XML

import pytest
from rich.console import Console

from assay.load.recorder import FINE
from assay.load_tests import summary
from assay.report import load as reports
from assay.run_directory.load_run import LoadRun
from tests.unit.load_tests.synthetic import finished, searched, swept

PARTIAL = "ended early"


def said(run: LoadRun) -> dict[str, str]:
    """Return the text of each format."""
    out = io.StringIO()
    results = run.trials()
    assert results is not None
    reports.show(run, results, Console(file=out, width=200))
    paths = reports.write(run, ["html", "markdown", "junit"])
    return {"terminal": out.getvalue(), **{p.name: p.read_text() for p in paths}}


@pytest.mark.parametrize("made", [searched, swept])
@pytest.mark.parametrize("partial", [True, False])
def test_every_format_says_that_it_is_partial(
    tmp_path: Path, made: object, partial: bool
) -> None:
    run = made(tmp_path, partial=partial)  # type: ignore[operator]
    for name, text in said(run).items():
        assert (PARTIAL in text) is partial, name


@pytest.mark.parametrize(
    ("partial", "low", "outcome"),
    [(False, 100.0, "system-out"), (False, None, "failure"), (True, 100.0, "error")],
)
def test_the_objective_is_a_test_case(
    tmp_path: Path, partial: bool, low: float | None, outcome: str
) -> None:
    root = XML.fromstring(said(searched(tmp_path, partial, low))["junit.xml"])
    (case,) = root.iter("testcase")
    assert case.get("name") == "latency.p99 <= 50ms"
    assert [part.tag for part in case] == [outcome]
    assert root.get("tests") == "1"


def test_an_open_end_is_no_limit_if_the_search_was_not_over(tmp_path: Path) -> None:
    found = said(searched(tmp_path, partial=True))
    assert "at 100 arrivals a second (2 trials)" in found["summary.md"]
    assert "up to at least" not in found["summary.md"]


def test_without_a_host_the_locustfile_names_the_test(tmp_path: Path) -> None:
    run = finished(tmp_path, [(i / 10, i / 10 + 0.01, FINE) for i in range(9)], host="")
    run.write_results(summary.summarise(run))
    for path in reports.write(run, ["html", "markdown"]):
        assert "Load test of visitors.py" in path.read_text().replace("\\", "")
