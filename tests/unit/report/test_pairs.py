"""Every format on pairs without claims, bounds, forecasts and controls."""

import csv
import json
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as XML

import pytest
from rich.console import Console

from assay import report
from assay.plan import Settings
from assay.report import terminal
from assay.report.summary import answer, budget_reason
from assay.results import BudgetResult, PairVerdict, Results
from assay.run_directory.directory import to_json
from assay.run_directory.run import RunDirectory
from tests.unit.report.synthetic_pairs import (
    FAILURES,
    MEAN_DIFFERS,
    alone,
    build_pairs,
)
from tests.unit.report.test_html import read


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return build_pairs(tmp_path_factory.mktemp("runs") / "pairs")


@pytest.fixture(scope="module")
def page(run: RunDirectory) -> str:
    return " ".join("".join(read(report.FORMATS["html"][1](run)).texts).split())


@pytest.fixture(scope="module")
def summary(run: RunDirectory) -> str:
    return report.FORMATS["markdown"][1](run)


def printed(results: Results, margin: float = 0.05) -> str:
    out = StringIO()
    settings = Settings(margin=margin)
    terminal.render(results, Console(file=out, width=300), settings)
    return out.getvalue()


def test_the_answer_says_the_word_of_every_pair(run: RunDirectory) -> None:
    assert answer(run.plan(), run.results()) == (
        "1 of 2 claims holds, 1 is undecided; async-asyncpg against def-psycopg: "
        "undecided; to-thread against sleep-in-async: undecided; aiosqlite against "
        "def-sqlite: slower."
    )


@pytest.mark.parametrize(
    ("topic", "start", "end"),
    [
        ("sync_async", "Async-asyncpg against def-psycopg: undecided: ", MEAN_DIFFERS),
        ("blocking", "To-thread against sleep-in-async: undecided: ", FAILURES),
        ("aiosqlite", "Aiosqlite against def-sqlite: slower by throughput ", ""),
    ],
)
def test_the_answer_on_a_single_pair_says_why(
    run: RunDirectory, topic: str, start: str, end: str
) -> None:
    sentence = answer(run.plan(), alone(run.results(), topic))

    assert sentence.startswith(start)
    assert sentence.removesuffix(".").endswith(end)


def test_the_answer_on_a_single_claim_says_why_it_is_undecided(
    run: RunDirectory,
) -> None:
    results = alone(run.results(), "n_plus_one")
    undecided = results.claims[1].model_copy(update={"reason": FAILURES})
    results = results.model_copy(update={"claims": (undecided,)})

    assert answer(run.plan(), results) == f"The claim is undecided: {FAILURES}."


def test_what_the_answer_says_is_not_said_again_below_it(
    run: RunDirectory, tmp_path: Path
) -> None:
    single = RunDirectory.create(
        tmp_path / "run",
        run.plan().model_copy(update={"topics": (run.plan().topic("blocking"),)}),
        {},
    )
    single.write_results(alone(run.results(), "blocking"))

    assert report.FORMATS["markdown"][1](single).count("differ beyond chance") == 1
    text = "".join(read(report.FORMATS["html"][1](single)).texts)
    # Once in the head of the page, and once in the card of the pair.
    assert text.count("differ beyond chance") == 2


def test_every_format_says_the_whole_before_its_metrics(
    page: str, summary: str, run: RunDirectory
) -> None:
    junit = report.FORMATS["junit"][1](run)
    for text in (page, summary, printed(run.results()), junit):
        whole = text.index("slower by throughput (0.76×")
        metric = text.index("beyond the margin of 5 %")
        assert text.index("aiosqlite against def-sqlite") < whole < metric


def test_a_reason_stands_once_with_its_pair(
    page: str, summary: str, run: RunDirectory
) -> None:
    assert printed(run.results()).count("failure rates differ beyond chance") == 1
    assert summary.count("failure rates differ beyond chance") == 1
    # Once in the overview, and once in the card of the pair.
    assert page.count("failure rates differ beyond chance") == 2
    assert page.index("failure rates differ") < page.index("Warnings")


def test_an_old_run_shows_the_reason_of_every_comparison(
    run: RunDirectory, tmp_path: Path
) -> None:
    results = run.results().model_copy(update={"pairs": ()})
    old = RunDirectory.create(tmp_path / "run", run.plan(), {})
    fields = json.loads(to_json(results))
    del fields["pairs"], fields["controls"]
    for comparison in fields["comparisons"]:
        for name in ("differs", "censored", "seconds_to_see"):
            del comparison[name]
    for value in fields["values"]:
        del value["censored"]
    old.write_text("results.json", json.dumps(fields))

    files = report.write(old, tuple(report.FORMATS))
    for file in files[:2]:
        text = file.read_text()
        assert text.count("failure rates differ beyond chance") >= 3
    assert printed(old.results()).count("failure rates differ beyond chance") == 3


def test_bounds_are_bounds_in_every_format(
    page: str, summary: str, run: RunDirectory
) -> None:
    junit = report.FORMATS["junit"][1](run)
    table = printed(run.results())

    for text in (page, summary, junit):
        assert "≥ 12× [3.1, ∞)" in text
        assert "≤ 0.080× (0, 0.10]" in text
    assert "≥ 12×" in table and "[3.1, ∞)" in table and "(0, 0.10]" in table
    assert "≥ 10.0 s [8.20, ∞)" in page
    assert "only a bound is known" in page
    assert "known only as bounds" in page


def test_a_budget_that_reached_the_timeout_is_a_bound(run: RunDirectory) -> None:
    results = run.results()
    known = next(v for v in results.values if v.censored)
    budget = BudgetResult(
        topic=known.topic,
        variant=known.variant,
        metric=known.metric,
        at_most=0.05,
        value=10.0,
        high=None,
        verdict="refuted",
    )
    other = budget.model_copy(update={"metric": "latency.p99"})

    timeout = "measured ≥ 10.0 s: it reached the timeout"
    assert budget_reason(results, budget, 0.95) == timeout
    assert budget_reason(results, other, 0.95) == "measured 10.0 s"
    bounded = other.model_copy(update={"value": 0.04, "high": 0.045})
    assert budget_reason(results, bounded, 0.9) == (
        "measured 40.0 ms, at most 45.0 ms (90 % confidence)"
    )


def test_the_forecast_is_there_for_what_is_undecided(
    page: str, summary: str, run: RunDirectory
) -> None:
    table = printed(run.results(), margin=0.1)

    for sentence in (
        "on latency.p99 here takes about 40 minutes",
        "on latency.p50 here takes about 1.5 hours",
    ):
        assert f"to see 5 % {sentence}" in page
        assert f"to see 5 % {sentence}" in summary
        assert f"to see 10 % {sentence}" in table
    # Forecasts of metrics that do not decide are only in the page's table.
    assert "5 % in about 9 minutes" in page and "5 % in more than a month" in page
    assert "latency.p95" not in summary + table


def test_what_is_decided_has_no_forecast(run: RunDirectory) -> None:
    results = run.results()
    compared = tuple(
        c.model_copy(update={"seconds_to_see": 60.0, "verdict": "same"})
        for c in results.comparisons
    )
    claims = tuple(c.model_copy(update={"verdict": "holds"}) for c in results.claims)
    update = {"comparisons": compared, "claims": claims}

    assert "to see" not in printed(results.model_copy(update=update))


def test_what_differs_is_marked_and_is_no_verdict(run: RunDirectory) -> None:
    html = report.FORMATS["html"][1](run)

    marked = html.count('"><span class="differs">differs</span></td>')
    assert marked == sum(c.differs for c in run.results().comparisons) == 2
    assert "<b>differs" not in html


def test_both_corrections_are_named_in_the_captions_and_the_method(page: str) -> None:
    method = page[page.index("How this was measured") :]
    captions = page[: page.index("How this was measured")]

    for text in (captions, method):
        assert "Holm's" in text
        assert "false discovery rate of 5 % (Benjamini–Hochberg)" in text
    assert captions.count("Holm's correction") == 1  # one pair has claims


def test_the_control_arm_has_a_line_for_each_topic(page: str) -> None:
    assert (
        "the baseline def-psycopg against itself: cpu_per_request 1.003×, "
        "throughput 0.998×, latency.p50 1.011× in 3 launches"
    ) in page
    assert "latency.p50 1.310× (more than chance explains) in 3 launches" in page
    assert "the baseline lazy against itself" not in page


def test_the_page_says_what_each_cause_cost_and_whom(page: str) -> None:
    assert "– for a generator that was late6" in page
    assert "late6 (" not in page  # both variants had the same share, so none is named
    assert "– for a standstill of the machine3" in page
    assert (
        "– for a neighbour on the target's cores"
        "24 (def-sqlite 0 %, aiosqlite 50 %, def-sqlite (again) 0 %)"
    ) in page
    assert "other processes on the target's cores1.2 % of a core" in page
    assert "longest stall of the generator31.0 ms" in page


def test_junit_has_a_case_for_each_whole_beside_its_metrics(run: RunDirectory) -> None:
    root = XML.fromstring(report.FORMATS["junit"][1](run))

    outcomes = {
        case.get("name"): [c.tag for c in case] for case in root.iter("testcase")
    }
    assert outcomes["async-asyncpg against def-psycopg: as a whole"] == ["error"]
    assert outcomes["async-asyncpg against def-psycopg: throughput"] == ["system-out"]
    assert outcomes["to-thread against sleep-in-async: as a whole"] == ["error"]
    assert outcomes["aiosqlite against def-sqlite: as a whole"] == ["failure"]
    assert root.get("tests") == str(2 + 3 * 4)


@pytest.mark.parametrize(
    ("verdict", "outcome"), [("same", "system-out"), ("faster", "system-out")]
)
def test_junit_passes_a_whole_that_is_not_worse(
    run: RunDirectory, tmp_path: Path, verdict: str, outcome: str
) -> None:
    results = alone(run.results(), "sync_async")
    whole = PairVerdict.model_validate(
        results.pairs[0].model_dump() | {"verdict": verdict}
    )
    plan = run.plan()
    plan = plan.model_copy(update={"topics": (plan.topic("sync_async"),)})
    other = RunDirectory.create(tmp_path / "run", plan, {})
    other.write_results(results.model_copy(update={"pairs": (whole,)}))

    root = XML.fromstring(report.FORMATS["junit"][1](other))
    assert [child.tag for child in next(root.iter("testcase"))] == [outcome]
    assert (root.get("failures"), root.get("errors")) == ("0", "0")


def test_csv_and_json_hold_the_new_fields(run: RunDirectory) -> None:
    rows = list(csv.DictReader(StringIO(report.FORMATS["csv"][1](run))))
    found = {(row["topic"], row["metric"]): row for row in rows}
    fields = json.loads(report.FORMATS["json"][1](run))

    assert found["sync_async", "latency.mean"]["differs"] == "True"
    assert found["sync_async", "latency.p95"]["seconds_to_see"] == "540.0"
    assert found["blocking", "latency.mean"]["censored"] == "both"
    assert found["blocking", "latency.mean"]["ratio"] == ""
    assert [pair["verdict"] for pair in fields["pairs"]] == [
        "undecided",
        "undecided",
        "slower",
    ]
    assert len(fields["controls"]) == 6


def test_hostile_reasons_and_names_are_only_ever_text(tmp_path: Path) -> None:
    run = build_pairs(tmp_path / "run", hostile=True)

    html = report.FORMATS["html"][1](run)
    reader = read(html)
    assert len(reader.scripts) == 1 and "alert(1)" not in reader.scripts[0]
    assert "differs<script>alert(1)</script>" in "".join(reader.texts)
    summary = report.FORMATS["markdown"][1](run)
    assert "<script" not in summary and "`x`" not in summary and "@you" not in summary
    cells = {line.count("|") for line in summary.splitlines() if line[:2] == "| "}
    assert cells == {5, 6}
    junit = report.FORMATS["junit"][1](run)
    XML.fromstring(junit)
    table = printed(run.results())
    assert "[red]" in table
    for text in (html, summary, junit, table):
        assert not set("\x1b\x00\u202e") & set(text)
