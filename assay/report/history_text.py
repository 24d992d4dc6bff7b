"""Series and changes in words, for the page and for the terminal."""

from __future__ import annotations

from assay.history_results import Change, Drift, HistoryResults, Point, Series
from assay.metrics import LOAD_TEST_UNITS, METRICS, higher_is_better
from assay.wording import counted, interval, one_line, ratio, significant

NOT_KNOWN = "unknown commit"
# A change by at least this factor is shown as a factor, a smaller one as a percentage.
_FACTOR = 2.0


def unit_of(series: Series) -> str | None:
    """Return the unit of a series; None for a plain number."""
    if series.kind == "comparisons":
        return None
    if series.metric in METRICS:
        return METRICS[series.metric].unit
    return LOAD_TEST_UNITS.get(series.metric)


def subject(series: Series) -> str:
    """Say what was measured: ``caching · test_load · redis / uncached``."""
    sides = " / ".join(filter(None, (series.variant, series.baseline)))
    parts = filter(None, (series.topic, series.test, sides))
    return " · ".join(one_line(part) for part in parts)


def value_text(series: Series, point: Point, with_interval: bool = True) -> str:
    """Return a point's value, with its interval if there is one."""
    unit = unit_of(series)
    low, high = (point.low, point.high) if with_interval else (None, None)
    if unit is not None:
        return interval(point.value, low, high, unit)
    if series.kind == "comparisons":
        return ratio(point.value, low, high)
    return significant(point.value)


def size_text(change: Change | Drift) -> str:
    """Return the size of a change with its interval: ``+5.1 % [+4.6, +5.6]``."""
    if not 1 / _FACTOR < change.ratio < _FACTOR:
        return ratio(change.ratio, change.low, change.high)
    ends = f"[{_percent(change.low)}, {_percent(change.high)}]"
    return f"{short_size_text(change)} {ends}"


def short_size_text(change: Change | Drift) -> str:
    """Return the size of a change without its interval: ``+5.1 %``."""
    if not 1 / _FACTOR < change.ratio < _FACTOR:
        return ratio(change.ratio, None, None)
    return f"{_percent(change.ratio)} %"


def _percent(factor: float) -> str:
    return f"{(factor - 1) * 100:+.1f}".replace("-", "−")


def direction(series: Series, change: Change | Drift) -> str:
    """Return the effect of a change: ``slower``, ``faster``, ``more`` or ``less``."""
    grew = change.ratio > 1
    metric = METRICS.get(series.metric)
    if unit_of(series) == "B" or series.metric in ("errors", "dropped"):
        return "more" if grew else "less"
    if metric is None and series.metric not in LOAD_TEST_UNITS:
        return "more" if grew else "less"
    faster = higher_is_better(series.metric) or series.metric == "rate"
    return "faster" if grew == faster else "slower"


def commits_text(change: Change) -> str:
    """Return the commit range of a change: ``3f2a1c9 … 8b1d0aa``."""
    if not change.last_before and not change.first_after:
        return NOT_KNOWN
    before, after = (
        one_line(commit) or NOT_KNOWN
        for commit in (change.last_before, change.first_after)
    )
    return f"{before} … {after}"


def runs_between(change: Change) -> str:
    """Return how certain a change's place is; empty if only one place is possible."""
    runs = change.latest - change.earliest + 1
    return "" if runs == 1 else f"one of {runs} runs"


def changes_text(series: Series) -> str:
    """Return the changes of a series, or why there are none, for a cell of a table."""
    if series.drift:
        return f"drifts {short_size_text(series.drift)}"
    if series.changes:
        return "\n".join(
            f"{change.date:%Y-%m-%d} {short_size_text(change)}"
            for change in series.changes
        )
    return series.unexamined or "none"


def answer(results: HistoryResults) -> str:
    """Return a sentence on the whole history."""
    series = results.series
    changed = sum(bool(one.changes or one.drift) for one in series)
    examined = sum(not one.unexamined for one in series)
    runs = counted(results.runs, "run")
    if not examined:
        return f"{runs}: no series is long enough to be searched for changes."
    if not changed:
        return f"{runs}: no change in {counted(examined, 'series', 'series')}."
    verb = "changes" if changed == 1 else "change"
    return f"{runs}: {changed} of {examined:,} series {verb}."
