"""Makes series from the records of runs, and finds the changes in them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from assay.history_results import (
    Change,
    Drift,
    HistoryResults,
    Point,
    Series,
    SkippedRun,
)
from assay.run_directory.records import Measured, Record

if TYPE_CHECKING:
    from assay.analysis.change_points import Findings, Shift

Member = tuple[Record, Measured]


def build(records: Sequence[Record], skipped: Iterable[SkippedRun]) -> HistoryResults:
    """Return all series, each with its changes; series with changes come first.

    Args:
        records: The runs, oldest first.
        skipped: Runs that were left out.
    """
    groups: dict[tuple[str, ...], list[Member]] = {}
    for record in records:
        for measured in record.measured:
            groups.setdefault(_key(record, measured), []).append((record, measured))
    members = list(groups.values())
    reasons = [_unexamined(group) for group in members]
    findings = _examine(members, reasons)
    series = [
        _series(group, reason, found)
        for group, reason, found in zip(members, reasons, findings, strict=True)
    ]
    series.sort(key=_order)
    return HistoryResults(
        runs=len(records), series=tuple(series), skipped=tuple(skipped)
    )


def _key(record: Record, measured: Measured) -> tuple[str, ...]:
    """Return what all points of a series share: what is measured, where and how.

    `record.assay` is Assay's version without its patch number, with the schema of the
    results. The load is part of the key, because another load gives other numbers. The
    looks and the time budget are not part of it: they change only the number of
    launches.
    """
    return (
        measured.kind,
        measured.topic,
        measured.test,
        measured.variant,
        measured.baseline,
        measured.metric,
        record.machine,
        record.assay,
        measured.load,
    )


def _order(series: Series) -> tuple[object, ...]:
    changes = bool(series.changes or series.drift)
    return (not changes, series.topic, series.test, series.kind != "values")


def _unexamined(group: Sequence[Member]) -> str:
    """Return why a series is not searched for changes; empty if it is searched."""
    from assay.analysis.change_points import FEWEST_RUNS

    if len(group) < FEWEST_RUNS:
        return f"{len(group)} of the {FEWEST_RUNS} runs that are needed"
    if any(measured.value <= 0 for _, measured in group):
        return "some values are 0, so there are no ratios of levels"
    return ""


def _examine(
    members: Sequence[Sequence[Member]], reasons: Sequence[str]
) -> list[Findings]:
    """Search the series for changes, and correct for the number of series.

    Among hundreds of series, some seem to change by chance: false discoveries. The
    procedure of Benjamini and Hochberg limits the expected share of these, among all
    series that are found to change, to `LEVEL`.

    Args:
        members: The numbers of each series, oldest first.
        reasons: Why a series is not searched; empty if it is searched.

    Returns:
        The findings of each series; empty for a series that is not searched, or whose
        changes may be chance.
    """
    import numpy as np

    from assay.analysis.change_points import LEVEL, Findings, examine
    from assay.analysis.statistics import benjamini_hochberg

    findings = [Findings()] * len(members)
    examined = [index for index, reason in enumerate(reasons) if not reason]
    for index in examined:
        values = [measured.value for _, measured in members[index]]
        findings[index] = examine(np.log(values))
    found = benjamini_hochberg([findings[index].p for index in examined], LEVEL)
    for index, is_found in zip(examined, found, strict=True):
        if not is_found:
            findings[index] = Findings()
    return findings


def _series(group: Sequence[Member], reason: str, found: Findings) -> Series:
    record, first = group[0]
    points = tuple(_point(record, measured) for record, measured in group)
    records = [record for record, _ in group]
    drift = found.trend and Drift(
        ratio=math.exp(found.trend.size),
        low=math.exp(found.trend.low),
        high=math.exp(found.trend.high),
    )
    changes = () if drift else found.shifts
    return Series(
        kind=first.kind,
        topic=first.topic,
        test=first.test,
        variant=first.variant,
        baseline=first.baseline,
        metric=first.metric,
        machine=record.machine,
        method="; ".join(filter(None, (record.assay, first.load))),
        points=points,
        changes=tuple(_change(points, records, shift) for shift in changes),
        drift=drift,
        unexamined=reason,
    )


def _point(record: Record, measured: Measured) -> Point:
    return Point(
        run=record.run,
        date=record.date,
        commit=record.commit(measured.topic, measured.variant),
        value=measured.value,
        low=_finite(measured.low),
        high=_finite(measured.high),
    )


def _finite(end: float | None) -> float | None:
    return end if end is not None and math.isfinite(end) else None


def _change(points: Sequence[Point], records: Sequence[Record], shift: Shift) -> Change:
    before, after = shift.earliest - 1, shift.latest
    return Change(
        first=shift.first,
        earliest=shift.earliest,
        latest=shift.latest,
        date=points[shift.first].date,
        last_before=points[before].commit,
        first_after=points[after].commit,
        ratio=math.exp(shift.size),
        low=math.exp(shift.low),
        high=math.exp(shift.high),
        p=shift.p,
        also_changed=_differences(records[before].versions, records[after].versions),
    )


def _differences(before: dict[str, str], after: dict[str, str]) -> tuple[str, ...]:
    """Return what differs between two descriptions of software, in words."""
    names = dict.fromkeys([*before, *after])
    return tuple(
        f"{name} {before.get(name, 'missing')} → {after.get(name, 'missing')}"
        for name in names
        if before.get(name) != after.get(name)
    )
