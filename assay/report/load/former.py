"""A former load test beside a new one, in words and cells."""

import math
from itertools import groupby

from assay.load_former import Beside, Former
from assay.load_results import KINDS, Name
from assay.report.load.words import short, time_text
from assay.wording import counted, one_line, percent, significant

WHY = (
    "Two single tests cannot tell a change of the service from the noise between two "
    "tests, so there is no verdict. What decides is many launches of both versions in "
    "turn: assay compare, or assay run."
)
COLUMNS = ("median", "p99", "failed")
Cell = tuple[str, str, str]  # before, now, and the difference in words


def heading(former: Former) -> str:
    """Return the heading."""
    return f"Beside {one_line(former.title) or one_line(former.run)}"


def rows(former: Former) -> list[tuple[str, list[Cell]]]:
    """Return the title of each row, and its cells of `COLUMNS`."""
    groups = groupby(former.numbers, lambda n: (n.kind, n.method, n.name))
    return [
        (_title(*name), [_cell(number) for number in numbers])
        for name, numbers in groups
    ]


def notes(former: Former) -> list[str]:
    """Return what a reader must know, in sentences."""
    lines = list(map(one_line, former.remarks))
    if former.more:
        lines.append(f"{counted(former.more, 'further row')} of both are left out.")
    for titles, which in (
        (former.only_before, "the former test"),
        (former.only_now, "this test"),
    ):
        if titles:
            lines.append(f"Only in {which}: {', '.join(map(short, titles))}.")
    return lines


def _title(kind: str, method: str, name: str) -> str:
    (known,) = (each for each in KINDS if each == kind)
    return short(Name(known, method, name).title)


def _cell(number: Beside) -> Cell:
    before, now = number.before, number.now
    unit = "" if number.metric == "errors" else "s"
    texts = (
        _text(before, unit, number.before_bound),
        _text(now, unit, number.now_bound),
    )
    bound = number.before_bound or number.now_bound
    if before is None or now is None or bound:
        return *texts, ""
    return *texts, _points(before, now) if unit == "" else _times(before, now)


def _text(value: float | None, unit: str, bound: bool) -> str:
    if unit:
        return time_text(value, bound)
    return "–" if value is None else percent(value)


def _times(before: float, now: float) -> str:
    """Return how much longer or shorter a time is, in words."""
    if not (0 < before < math.inf and 0 < now < math.inf):
        return ""
    ratio = now / before
    if ratio >= 2:
        return f"{significant(ratio)} times as long"
    change = percent(abs(ratio - 1))
    return f"{change} {'longer' if ratio > 1 else 'shorter'}" if now != before else ""


def _points(before: float, now: float) -> str:
    """Return the difference of two shares in words."""
    if before == now:
        return ""
    points = significant(100 * abs(now - before), 2)
    return f"{points} points {'more' if now > before else 'fewer'}"
