"""The short study of power, on known outcomes."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from assay.results import Verdict
from scripts.studies import aa
from scripts.studies.outcomes import ANY, ASSAY, IDENTICAL, MARGIN_RULE, Outcome


def outcomes(
    verdict: Verdict, number: int, effect: str = aa.SLOWER, seconds: float = 58.0
) -> list[Outcome]:
    return [Outcome("quiet", effect, ASSAY, ANY, verdict, 15, seconds)] * number


def met(now: list[Outcome], before: list[Outcome]) -> list[bool | None]:
    return [goal.met for goal in aa.goals(now, before)]


def test_power_as_before_is_met_and_less_is_not() -> None:
    before = outcomes("slower", 20)
    same = outcomes("same", 5, IDENTICAL)
    assert met(outcomes("slower", 10) + same, before) == [True, True, True]
    worse = outcomes("slower", 9) + outcomes("undecided", 1, seconds=200.0)
    assert met(worse + same, before) == [False, True, True]
    assert met(outcomes("slower", 10, seconds=61.0), before) == [True, False, None]
    assert met(outcomes("slower", 1, IDENTICAL), before) == [None, None, False]


def test_power_is_not_judged_without_earlier_runs() -> None:
    assert met(outcomes("slower", 10), [])[0] is None
    assert met([], []) == [None, None, None]


def test_earlier_runs_are_the_stored_whole_quiet_ones(tmp_path: Path) -> None:
    file = tmp_path / "verdicts-quiet.json"
    assert aa.read_before(file) == []
    whole = outcomes("slower", 2)
    others = [
        Outcome("quiet", aa.SLOWER, MARGIN_RULE, ANY, "same", 15),
        Outcome("quiet", aa.SLOWER, ASSAY, "throughput", "same", 15),
    ]
    file.write_text(json.dumps({"outcomes": [asdict(o) for o in [*whole, *others]]}))
    assert aa.read_before(file) == whole


@pytest.mark.parametrize("number", [0, 3])
def test_the_page_has_a_row_for_each_effect_now_and_before(number: int) -> None:
    now = outcomes("slower", number) + outcomes("same", number, IDENTICAL)
    text = aa.page(now, outcomes("slower", 20), ["a machine"])
    assert f"| {aa.SLOWER} | before | 20 | 20 | 0 | 0 | 0 | 15 | 58.0 s |" in text
    assert (f"| {IDENTICAL} | now | 3 | 0 | 3 |" in text) is bool(number)
