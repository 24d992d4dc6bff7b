"""Causes and ledgers in every form of report."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from assay.report import explanation, html, markdown, terminal
from assay.report.why import why
from assay.results import LedgerPart
from assay.run_directory.run import RunDirectory
from tests.unit.report.synthetic import HOSTILE, build
from tests.unit.report.test_html import read

TOPIC = "caching"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return build(tmp_path_factory.mktemp("why") / "run", explained=True)


def printed(run: RunDirectory, text: str = "") -> str:
    console = Console(file=io.StringIO(), width=100)
    results = run.results()
    explanation.render(results, explanation.pairs(results, text), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_form_says_the_cause(run: RunDirectory) -> None:
    sentence = "Each request spends 3.1 ms less in queries"
    page = " ".join("".join(read(html.render(run)).texts).split())
    assert page.count(sentence) == 5 and "Where the time of a request goes" in page
    assert markdown.render(run).count("3.1 ms less in queries") == 5
    assert printed(run).count(sentence) == 5
    console = Console(file=io.StringIO(), width=200)
    terminal.render(run.results(), console)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count(sentence) == 5


def test_the_bars_of_a_ledger_share_one_scale(run: RunDirectory) -> None:
    plan = run.plan()
    pair = plan.topic(TOPIC).pairs()[0]
    view = why(run.results(), TOPIC, pair).ledger
    assert view is not None
    for side, whole in ((0, 100.0), (1, 100 * 0.0026 / 0.0075)):
        ends = [
            begin + width for part in view.parts for begin, width in [part.bars[side]]
        ]
        assert max(ends) == pytest.approx(whole, abs=2)
        begins = [part.bars[side][0] for part in view.parts]
        assert begins == sorted(begins)


def test_the_report_says_that_only_one_request_was_profiled(tmp_path: Path) -> None:
    run = build(tmp_path / "run", explained=True)
    results = run.results()
    ledgers = tuple(
        one.model_copy(update={"request": "GET /plans" + HOSTILE, "rate": 40.0})
        for one in results.ledgers
    )
    run.write_results(results.model_copy(update={"ledgers": ledgers}))
    page = html.render(run)
    assert HOSTILE not in page and "<script>alert" not in page
    said = "was sent while this was profiled, because it differs by itself (40.0"
    assert said in " ".join("".join(read(page).texts).split())
    assert said in " ".join(printed(run).split())


def test_only_what_was_asked_for_is_explained(run: RunDirectory) -> None:
    assert "caching" in printed(run, "caching")
    assert "n_plus_one" not in printed(run, "caching")
    assert explanation.pairs(run.results(), "no such claim") == []
    chosen = explanation.pairs(run.results(), "caching")
    content = json.loads(explanation.to_json(run.results(), chosen))
    assert {item["topic"] for item in content["causes"]} == {"caching"}
    assert len(content["ledgers"]) == 1


def test_hostile_names_are_shown_as_text(tmp_path: Path) -> None:
    run = build(tmp_path / "run", hostile=True, topics=[TOPIC], explained=True)
    page = html.render(run)
    assert HOSTILE not in page
    assert len(read(page).scripts) == 1
    assert "\x1b" not in printed(run)


def test_small_parts_are_summed_up_and_what_is_unexplained_is_always_said(
    run: RunDirectory,
) -> None:
    results = run.results()
    ledger = results.ledgers[0]
    small = [part(name, 0.00001, 0.00002) for name in ("lock", "thread pool")]
    *counted, _ = ledger.parts
    parts = (*counted, *small, part("unexplained", 0.0, 0.00001))
    changed = results.model_copy(
        update={"ledgers": (ledger.model_copy(update={"parts": parts}),)}
    )
    view = why(changed, ledger.topic, (ledger.baseline, ledger.candidate)).ledger
    assert view is not None
    names = [item.name for item in view.parts]
    assert names[-2:] == ["the rest", "unexplained"] and "lock" not in names
    assert view.parts[-2].candidate == "40.0 µs" and view.parts[-2].interval == ""


def part(name: str, baseline: float, candidate: float) -> LedgerPart:
    amount = candidate - baseline
    return LedgerPart(
        name=name,
        baseline=baseline,
        candidate=candidate,
        amount=amount,
        low=amount,
        high=amount,
    )
