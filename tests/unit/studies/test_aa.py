"""The short study of power, on outcomes that are known."""

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


def judged(found: list[Outcome], was: list[Outcome]) -> list[bool | None]:
    return [target.met for target in aa.targets(found, was)]


def test_power_as_before_is_met_and_less_is_not() -> None:
    was = outcomes("slower", 20)
    same = outcomes("same", 5, IDENTICAL)
    assert judged(outcomes("slower", 10) + same, was) == [True, True, True]
    worse = outcomes("slower", 9) + outcomes("undecided", 1, seconds=200.0)
    assert judged(worse + same, was) == [False, True, True]
    assert judged(outcomes("slower", 10, seconds=61.0), was) == [True, False, None]
    assert judged(outcomes("slower", 1, IDENTICAL), was) == [None, None, False]


def test_without_what_was_before_nobody_says_that_power_is_what_it_was() -> None:
    assert judged(outcomes("slower", 10), [])[0] is None
    assert judged([], []) == [None, None, None]


def test_before_are_the_whole_quiet_runs_that_were_kept(tmp_path: Path) -> None:
    kept = tmp_path / "verdicts-quiet.json"
    assert aa.before(kept) == []
    wanted = outcomes("slower", 2)
    others = [
        Outcome("quiet", aa.SLOWER, MARGIN_RULE, ANY, "same", 15),
        Outcome("quiet", aa.SLOWER, ASSAY, "throughput", "same", 15),
    ]
    kept.write_text(json.dumps({"outcomes": [asdict(o) for o in [*wanted, *others]]}))
    assert aa.before(kept) == wanted


@pytest.mark.parametrize("number", [0, 3])
def test_the_page_has_a_row_for_each_effect_now_and_before(number: int) -> None:
    found = outcomes("slower", number) + outcomes("same", number, IDENTICAL)
    text = aa.page(found, outcomes("slower", 20), ["a machine"])
    assert f"| {aa.SLOWER} | before | 20 | 20 | 0 | 0 | 0 | 15 | 58.0 s |" in text
    assert (f"| {IDENTICAL} | now | 3 | 0 | 3 |" in text) is bool(number)
