import csv
import json
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as XML

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from assay import report
from assay.errors import InputError
from assay.experiment.run import judge
from assay.report import html, markdown, terminal
from assay.results import Results, TimeSpent
from assay.run_directory.run import RunDirectory
from tests.unit.report.synthetic import build


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return build(tmp_path_factory.mktemp("runs") / "normal", sampled=False)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return build(
        tmp_path_factory.mktemp("runs") / "hostile", sampled=False, hostile=True
    )


def test_every_format_is_written_to_its_own_file(run: RunDirectory) -> None:
    files = report.write(run, tuple(report.FORMATS))

    assert [file.name for file in files] == [
        "index.html",
        "summary.md",
        "junit.xml",
        "results.json",
        "comparisons.csv",
    ]
    assert json.loads(files[3].read_text())["schema"] == 1
    assert not list(run.path.glob("*.part"))


def test_an_unknown_format_names_the_known_ones(run: RunDirectory) -> None:
    with pytest.raises(InputError, match="'pdf'; choose from html, markdown, junit"):
        report.write(run, ["pdf"])


def test_a_partial_run_without_samples_and_profiles_is_reported(
    tmp_path: Path,
) -> None:
    run = build(tmp_path / "run", launches=0, finished=False, profiled=False)
    run.write_results(judge(run))

    files = report.write(run, tuple(report.FORMATS))

    assert "did not finish" in files[0].read_text()


def test_junit_passes_what_holds_and_nothing_else(run: RunDirectory) -> None:
    root = XML.fromstring(report.FORMATS["junit"][1](run))

    claims = {claim.says: claim.verdict for claim in run.results().claims}
    outcomes = {
        case.get("name", "").split(" [")[0]: [child.tag for child in case]
        for case in root.iter("testcase")
    }
    expected = {"holds": "system-out", "refuted": "failure", "undecided": "error"}
    for says, verdict in claims.items():
        assert outcomes[says] == [expected[verdict]]
    assert outcomes["latency.p99 of redis at most 50.0 ms"] == ["system-out"]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == (
        "10",
        "4",
        "1",
    )


def test_junit_gates_on_slower_where_there_are_no_claims(tmp_path: Path) -> None:
    run = build(tmp_path / "run", topics=["aiosqlite"], sampled=False)
    run.write_results(run.results().model_copy(update={"claims": ()}))

    root = XML.fromstring(report.FORMATS["junit"][1](run))

    failures = [case.get("name") for case in root.iter("testcase") if len(case)]
    assert failures == [
        "aiosqlite against def-sqlite: throughput",
        "aiosqlite against def-sqlite: cpu_per_request",
    ]
    assert root.get("failures") == "2"


def test_hostile_names_leave_the_junit_well_formed(hostile: RunDirectory) -> None:
    root = XML.fromstring(report.FORMATS["junit"][1](hostile))

    assert "<script>" in (next(root.iter("testcase")).get("name") or "")


def test_the_summary_answers_first_and_has_one_row_for_each_claim(
    run: RunDirectory,
) -> None:
    lines = report.FORMATS["markdown"][1](run).splitlines()

    assert lines[0] == "## Do these 9 claims and 1 budget hold?"
    assert lines[2].startswith("**4 of 9 claims hold, 4 are refuted")
    rows = [line for line in lines if line.startswith("| ✅ holds | Caching")]
    assert len(rows) == 1
    assert "0.21× [0.19, 0.23]" in rows[0]


def test_hostile_names_break_no_table_of_the_summary(hostile: RunDirectory) -> None:
    text = report.FORMATS["markdown"][1](hostile)

    assert "<script" not in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in rows} <= {4, 6}
    assert "`x`" not in text and "@you" not in text


@given(st.text())
def test_escaped_markdown_stays_in_its_cell(value: str) -> None:
    escaped = markdown.escape(value)

    assert not set("|<>`\n\r\x1b[]*_@") & set(escaped)


def test_csv_has_a_row_for_each_comparison_and_no_formula(
    run: RunDirectory, tmp_path: Path
) -> None:
    results = run.results()
    first = results.comparisons[0].model_copy(update={"candidate": "=1+1"})
    other = build(tmp_path / "run", sampled=False)
    other.write_results(results.model_copy(update={"comparisons": (first,)}))

    whole = list(csv.DictReader(StringIO(report.FORMATS["csv"][1](run))))
    evil = list(csv.DictReader(StringIO(report.FORMATS["csv"][1](other))))

    assert len(whole) == len(results.comparisons)
    assert float(whole[0]["ratio"]) == results.comparisons[0].ratio
    assert evil[0]["candidate"] == "'=1+1"


def printed(results: Results, width: int = 80) -> str:
    out = StringIO()
    terminal.render(results, Console(file=out, width=width, force_terminal=False))
    return out.getvalue()


def test_the_terminal_table_fits_80_columns(run: RunDirectory) -> None:
    text = printed(run.results())

    assert max(map(len, text.splitlines())) <= 80
    for claim in run.results().claims:
        assert claim.says.split()[0] in text
    assert "[0.19, 0.23]" in text
    assert "undecided" in text
    assert "! n_plus_one" in text


def test_the_terminal_obeys_no_hostile_name(hostile: RunDirectory) -> None:
    text = printed(hostile.results())

    assert "\x1b" not in text and "\x00" not in text and "\u202e" not in text
    assert "[red]" in text.replace("\n", "")


def test_without_claims_the_summary_shows_only_the_metrics_that_decide(
    tmp_path: Path,
) -> None:
    run = build(tmp_path / "run", topics=["aiosqlite"], sampled=False)
    results = run.results().model_copy(update={"claims": ()})
    run.write_results(results)

    summary = report.FORMATS["markdown"][1](run)
    table = printed(results)

    assert "| **slower** | aiosqlite against def-sqlite | `throughput` |" in summary
    assert summary.count("**slower**") == 2
    assert table.count("slower") == 2
    assert "latency.p99" not in table + summary


def test_an_empty_result_says_so() -> None:
    results = Results(run="r", partial=True, seed=0)

    assert "Nothing was decided." in printed(results)
    assert "partial" in printed(results)


def spent(topic: str, starts: float = 20.0) -> TimeSpent:
    return TimeSpent(
        topic=topic, starts=starts, log_ins=31.2, warm_up=12.0, slices=80.0, rest=8.8
    )


def test_the_reports_say_where_the_time_went(tmp_path: Path) -> None:
    run = build(tmp_path / "run", topics=["caching"], launches=3)
    results = run.results()
    assert "The launches took" not in markdown.render(run)
    run.write_results(results.model_copy(update={"spent": (spent("caching"),)}))
    said = (
        "The launches took 152 s: starts 20 s, log-ins 31 s, warm-up 12 s, "
        "slices 80 s, other 8.8 s."
    )
    assert said in markdown.render(run)
    assert said in html.render(run)
    two = (spent("caching"), spent("<b>", starts=0.5))
    run.write_results(results.model_copy(update={"spent": two}))
    assert "The launches took 284 s: starts 20 s" in markdown.render(run)
    page = html.render(run)
    assert f"caching: {said}<br>&lt;b&gt;: The launches took 132 s" in page
    assert "starts 0.5 s" in page
