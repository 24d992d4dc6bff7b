"""history.html: one file with the changes of many runs, then every series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from assay.history_results import Change, Drift, HistoryResults, Series
from assay.report.charts import Chart, with_prefix
from assay.report.history_chart import draw_series
from assay.report.history_text import (
    answer,
    changes_text,
    commits_text,
    direction,
    runs_between,
    size_text,
    subject,
    value_text,
)
from assay.report.page import page
from assay.wording import counted

Found = tuple[Series, Change | Drift]

# With these limits, the page stays readable and below a few megabytes.
MOST_CHANGES = 300
MOST_PICTURES = 60
PICTURES_WITHOUT_CHANGE = 8
MOST_ROWS = 2000
MOST_SKIPPED = 50


@dataclass(frozen=True)
class ChangeRow:
    """One change, or the drift of a series, as a row of the table."""

    subject: str
    metric: str
    word: str
    size: str


@dataclass(frozen=True)
class ChangeGroup:
    """All changes at one place of the history.

    Attributes:
        place: How certain the place is, or that the change is a drift.
        also: Other changes at this place, such as the version of a package.
    """

    date: str
    commits: str
    place: str
    also: tuple[str, ...]
    rows: tuple[ChangeRow, ...]


@dataclass(frozen=True)
class SeriesRow:
    """One series as a row of the table."""

    subject: str
    metric: str
    runs: int
    last: str
    changes: str
    setup: str


def render(results: HistoryResults, command: str) -> str:
    """Return the page as one HTML document that needs no other file.

    Args:
        results: The history.
        command: The command that made the page.
    """
    setups = list(dict.fromkeys((one.machine, one.method) for one in results.series))
    changed = [one for one in results.series if one.changes or one.drift]
    others = [one for one in results.series if not one.changes and not one.drift]
    changes: list[Found] = []
    for one in changed:
        changes += [(one, change) for change in one.changes]
        changes += [(one, one.drift)] if one.drift else []
    changes.sort(key=_date, reverse=True)
    pictures = min(len(changed), MOST_PICTURES)
    return page(
        "history.html",
        title="History",
        answer=answer(results),
        period=_period(results),
        groups=_change_groups(changes[:MOST_CHANGES]),
        changes_left_out=max(0, len(changes) - MOST_CHANGES),
        charts=_charts(changed[:pictures], setups, "changed"),
        charts_left_out=len(changed) - pictures,
        other_charts=_charts(others[:PICTURES_WITHOUT_CHANGE], setups, "other"),
        series=[_series_row(one, setups) for one in results.series[:MOST_ROWS]],
        series_left_out=max(0, len(results.series) - MOST_ROWS),
        others=len(others),
        setups=setups,
        skipped=results.skipped[:MOST_SKIPPED],
        skipped_left_out=max(0, len(results.skipped) - MOST_SKIPPED),
        command=command,
        environment=[],
    )


def _period(results: HistoryResults) -> str:
    dates = [point.date for one in results.series for point in one.points]
    machines = len({one.machine for one in results.series})
    return (
        f"{counted(results.runs, 'run')} from {min(dates):%Y-%m-%d} to "
        f"{max(dates):%Y-%m-%d}, {counted(machines, 'machine')}, "
        f"{counted(len(results.series), 'series', 'series')}"
    )


def _charts(
    series: Sequence[Series], setups: Sequence[tuple[str, str]], prefix: str
) -> list[Chart]:
    return [
        with_prefix(draw_series(one, _setup(one, setups)), f"{prefix}{number}")
        for number, one in enumerate(series)
    ]


def _setup(series: Series, setups: Sequence[tuple[str, str]]) -> str:
    """Return the number of a series' machine and method; empty if all have the same."""
    if len(setups) < 2:
        return ""
    return f"Setup {setups.index((series.machine, series.method)) + 1}"


def _change_groups(found: Sequence[Found]) -> list[ChangeGroup]:
    """Return changes grouped by their place, in the given order."""
    groups: dict[ChangeGroup, list[ChangeRow]] = {}
    for series, change in found:
        row = ChangeRow(
            subject=subject(series),
            metric=series.metric,
            word=direction(series, change),
            size=size_text(change),
        )
        groups.setdefault(_place(series, change), []).append(row)
    return [replace(place, rows=tuple(rows)) for place, rows in groups.items()]


def _date(found: Found) -> datetime:
    """Return the date of a change; for a drift, the date of the last run."""
    series, change = found
    return series.points[-1].date if isinstance(change, Drift) else change.date


def _place(series: Series, change: Change | Drift) -> ChangeGroup:
    """Return the place of a change, as a group without rows."""
    date = f"{_date((series, change)):%Y-%m-%d}"
    if isinstance(change, Drift):
        first = f"{series.points[0].date:%Y-%m-%d}"
        return ChangeGroup(f"{first} to {date}", "", "drifts over all runs", (), ())
    return ChangeGroup(
        date, commits_text(change), runs_between(change), change.also_changed, ()
    )


def _series_row(series: Series, setups: Sequence[tuple[str, str]]) -> SeriesRow:
    return SeriesRow(
        subject=subject(series),
        metric=series.metric,
        runs=len(series.points),
        last=value_text(series, series.points[-1]),
        changes=changes_text(series),
        setup=_setup(series, setups),
    )
