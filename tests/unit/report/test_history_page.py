"""The page of a history: complete, bounded, and safe whatever names contain."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from assay.history.build import build
from assay.history.collect import collect
from assay.history_results import (
    Change,
    Drift,
    HistoryResults,
    Point,
    Series,
    SkippedRun,
)
from assay.report import history_page, history_table, history_text
from tests.unit.history.runs import changing, write_runs
from tests.unit.report.synthetic import HOSTILE

DAY = datetime(2026, 1, 5, tzinfo=UTC)


def series(
    name: str = "", *, change: bool = True, drift: bool = False, runs: int = 20
) -> Series:
    """Return a series whose texts all end with this suffix."""
    points = tuple(
        Point(
            run=f"run{name}",
            date=DAY + timedelta(days=day),
            commit=f"c{day}{name}",
            value=1.0 + 0.1 * (day >= 10) * change + 0.001 * (day % 3),
            low=0.99,
            high=1.2,
        )
        for day in range(runs)
    )
    one = Change(
        first=10,
        earliest=10,
        latest=11,
        date=DAY + timedelta(days=10),
        last_before=f"c9{name}",
        first_after=f"c11{name}",
        ratio=1.1,
        low=1.09,
        high=1.11,
        p=1e-6,
        also_changed=(f"locust 1 → 2{name}",),
    )
    return Series(
        kind="values",
        topic=f"checkout{name}",
        test=f"test{name}",
        variant=f"current{name}",
        baseline="",
        metric=f"latency.p50{name}",
        machine=f"EPYC{name}",
        method=f"Assay 0.1{name}",
        points=points,
        changes=(one,) if change and not drift else (),
        drift=Drift(ratio=1.1, low=1.05, high=1.15) if drift else None,
    )


def history(*all_series: Series, skipped: int = 0) -> HistoryResults:
    runs = tuple(
        SkippedRun(place=f"runs/{n}{HOSTILE}", reason=f"damaged{HOSTILE}")
        for n in range(skipped)
    )
    return HistoryResults(runs=20, series=all_series, skipped=runs)


def printed(results: HistoryResults) -> str:
    console = Console(width=80, record=True, force_terminal=True)
    with console.capture() as capture:
        history_table.render(results, console)
    return capture.get()


def test_a_real_history(tmp_path: Path) -> None:
    write_runs(tmp_path, changing(1))
    results = build(*collect([str(tmp_path)]))
    page = history_page.render(results, "assay history reports")
    assert "60 runs: 1 of 1 series changes." in page
    for text in ("2026-01-25", "c0ffee19 … c0ffee20", "c0ffee44 … c0ffee45"):
        assert text in page
    assert page.count("<svg") == 1
    assert "assay history reports" in page
    assert page.index("c0ffee44") < page.index("c0ffee19")  # newest first


def test_hostile_names_stay_text() -> None:
    results = history(series(HOSTILE), series(HOSTILE, drift=True), skipped=3)
    page = history_page.render(results, f"assay history {HOSTILE}")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    for character in ("\x1b", "\x00", "\u202e"):
        assert character not in page
    terminal = re.sub(r"\x1b\[[0-9;]*m", "", printed(results))
    assert "\x1b" not in terminal and "\u202e" not in terminal


def test_formulas_in_names_are_not_typeset() -> None:
    page = history_page.render(history(series("$\\frac{$")), "assay history")
    assert "$\\frac{$" in page


def test_hundreds_of_series_keep_the_page_small() -> None:
    changed = [series(str(n)) for n in range(150)]
    calm = [series(str(n), change=False) for n in range(3000)]
    page = history_page.render(history(*changed, *calm, skipped=200), "assay history")
    pictures = history_page.MOST_PICTURES + history_page.PICTURES_WITHOUT_CHANGE
    assert page.count("<svg") == pictures
    assert f"{150 - history_page.MOST_PICTURES} more series that change" in page
    assert "1150 more series are only in the output" in page
    assert len(page) < 8_000_000
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert "3,030 more series on the page" in printed(history(*changed, *calm))


def test_a_history_without_changes_shows_its_series() -> None:
    page = history_page.render(history(series(change=False)), "assay history")
    assert "20 runs: no change in 1 series." in page
    assert "Every change" not in page
    assert '<details class="card" open>' in page


@pytest.mark.parametrize(
    ("metric", "ratio", "word"),
    [
        ("latency.p50", 1.1, "slower"),
        ("latency.p50", 0.9, "faster"),
        ("throughput", 1.1, "faster"),
        ("throughput", 0.9, "slower"),
        ("memory.peak", 1.1, "more"),
        ("errors", 0.9, "less"),
        ("service.p90", 1.1, "slower"),
        ("instructions", 1.1, "more"),
    ],
)
def test_the_direction_in_a_word(metric: str, ratio: float, word: str) -> None:
    one = series().model_copy(update={"metric": metric})
    change = one.changes[0].model_copy(update={"ratio": ratio})
    assert history_text.direction(one, change) == word


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((1.051, 1.046, 1.056), "+5.1 % [+4.6, +5.6]"),
        ((0.941, 0.935, 0.947), "−5.9 % [−6.5, −5.3]"),
        ((3.1, 3.0, 3.2), "3.1× [3.0, 3.2]"),
    ],
)
def test_the_size_in_words(numbers: tuple[float, float, float], text: str) -> None:
    ratio, low, high = numbers
    assert history_text.size_text(Drift(ratio=ratio, low=low, high=high)) == text


def test_commits_that_are_unknown() -> None:
    (change,) = series().changes
    assert history_text.commits_text(change) == "c9 … c11"
    unknown = change.model_copy(update={"first_after": ""})
    assert history_text.commits_text(unknown) == "c9 … unknown commit"
    both = unknown.model_copy(update={"last_before": ""})
    assert history_text.commits_text(both) == "unknown commit"


def test_many_runs_and_one_value() -> None:
    flat = series(change=False, runs=400)
    points = tuple(p.model_copy(update={"value": 0.0}) for p in flat.points)
    page = history_page.render(
        history(flat, flat.model_copy(update={"points": points})), "assay history"
    )
    assert page.count("<svg") == 2
