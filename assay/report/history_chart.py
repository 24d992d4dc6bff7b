"""Draw a series: its runs, its levels, and the places where the level changes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from assay.history_results import Series
from assay.metrics import METRICS
from assay.report.charts import (
    COLOUR_A,
    COLOUR_B,
    COLOUR_MUTED,
    Chart,
    as_svg,
    name_axes,
)
from assay.report.history_text import (
    changes_text,
    direction,
    runs_between,
    size_text,
    subject,
    unit_of,
    value_text,
)
from assay.wording import counted, one_line, scale_of

_MOST_MARKS = 150  # with more runs, a line is drawn without marks and intervals
_DATE_TICKS = 3
_USUAL = 12.0  # a run this many median deviations from its level is an outlier
_DRIFT_PART = 8  # this many consecutive runs of a drift have about the same level


def draw_series(series: Series, note: str = "") -> Chart:
    """Draw a series: one mark per run, and a line for each level.

    Args:
        series: The series; its texts go into the title, never into the picture.
        note: A text that is added to the caption.
    """
    import numpy as np

    values = np.array([point.value for point in series.points])
    scale, name = _axis(series, float(np.abs(values).max()))
    positions = np.arange(len(values))

    def draw(axes: Any) -> None:
        marks = "o" if len(values) <= _MOST_MARKS else ""
        _limit_axis(axes, series, values / scale)
        if marks:
            _draw_intervals(axes, series, scale)
        axes.plot(
            positions,
            values / scale,
            color=COLOUR_A,
            lw=0 if marks else 0.9,
            marker=marks,
            ms=2.6,
            mew=0,
        )
        _draw_levels(axes, series, values / scale)
        _set_dates(axes, series)
        name_axes(axes, "runs, oldest first", name)

    caption = [_changes_caption(series), note]
    title = f"{subject(series)}: {one_line(series.metric)}"
    return Chart(
        title, ". ".join(filter(None, caption)), as_svg(draw, _description(series))
    )


def _axis(series: Series, largest: float) -> tuple[float, str]:
    unit = unit_of(series)
    if series.kind == "comparisons":
        return 1.0, "candidate / baseline"
    scale, unit_name = (1.0, "") if unit is None else scale_of(largest, unit)
    # Matplotlib could read the name of an unknown metric as a formula.
    metric = series.metric if series.metric in METRICS else "value"
    return scale, ", ".join(filter(None, (metric, unit_name)))


def _draw_intervals(axes: Any, series: Series, scale: float) -> None:
    ends = [
        (index, point.low / scale, point.high / scale)
        for index, point in enumerate(series.points)
        if point.low is not None and point.high is not None
    ]
    if ends:
        x, low, high = zip(*ends, strict=True)
        axes.vlines(x, low, high, color=COLOUR_MUTED, lw=0.8, alpha=0.55)


def _limit_axis(axes: Any, series: Series, values: Any) -> None:
    """Limit the axis to the usual runs, and mark outliers at its edges.

    Otherwise, one outlier could make every change invisible.
    """
    import numpy as np

    edges = [change.first for change in series.changes]
    levels = np.split(values, edges)
    if series.drift:
        levels = [
            values[n : n + _DRIFT_PART] for n in range(0, len(values), _DRIFT_PART)
        ]
    around = np.concatenate([np.abs(level - np.median(level)) for level in levels])
    usual = values[around <= _USUAL * max(np.median(around), 1e-12)]
    low, high = float(usual.min()), float(usual.max())
    space = 0.12 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = low - space, high + space
    axes.set_ylim(low, high)
    for edge, mark, beyond in ((high, "^", values > high), (low, "v", values < low)):
        positions = np.flatnonzero(beyond)
        axes.plot(
            positions,
            np.full(len(positions), edge),
            mark,
            color=COLOUR_A,
            ms=4,
            mew=0,
            clip_on=False,
        )


def _draw_levels(axes: Any, series: Series, values: Any) -> None:
    """Draw the medians of all levels, or the drift; shade where a change may be."""
    import numpy as np

    last = len(values) - 1
    if series.drift:
        from scipy.stats import theilslopes

        line = theilslopes(np.log(values), np.arange(len(values)))
        fitted = np.exp(line.intercept + line.slope * np.arange(len(values)))
        axes.plot(np.arange(len(values)), fitted, color=COLOUR_B, lw=1.8)
        return
    edges = [0, *(change.first for change in series.changes), len(values)]
    for start, end in pairwise(edges):
        level = float(np.median(values[start:end]))
        x = (start - 0.5 if start else 0, end - 0.5 if end <= last else last)
        axes.plot(x, (level, level), color=COLOUR_B, lw=1.8, solid_capstyle="butt")
    for change in series.changes:
        axes.axvspan(
            change.earliest - 1, change.latest, color=COLOUR_B, alpha=0.14, lw=0
        )


def _set_dates(axes: Any, series: Series) -> None:
    last = len(series.points) - 1
    ticks = sorted({round(last * n / (_DATE_TICKS - 1)) for n in range(_DATE_TICKS)})
    axes.set_xticks(ticks, [f"{series.points[n].date:%Y-%m-%d}" for n in ticks])


def _changes_caption(series: Series) -> str:
    if series.drift:
        return (
            f"Drifts by {size_text(series.drift)} over "
            f"{counted(len(series.points), 'run')}"
        )
    texts = []
    for change in series.changes:
        place = runs_between(change)
        texts.append(
            f"{change.date:%Y-%m-%d}: {direction(series, change)}, {size_text(change)}"
            + (f" (at {place})" if place else "")
        )
    return "; ".join(texts) or f"Changes: {changes_text(series)}"


def _description(series: Series) -> str:
    return (
        f"{series.metric} of {subject(series)}, {counted(len(series.points), 'run')}, "
        f"last {value_text(series, series.points[-1])}. {_changes_caption(series)}."
    )
