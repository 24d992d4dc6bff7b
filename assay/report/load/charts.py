"""The pictures of a load test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from assay.load_results import Curves
from assay.report.charts import (
    MUTED,
    A,
    B,
    Chart,
    as_svg,
    axis_unit,
    name_axes,
    plain_log_ticks,
)
from assay.wording import quantity, significant

MARKS = (
    (0.5, "p50"),
    (0.9, "p90"),
    (0.99, "p99"),
    (0.999, "p99.9"),
    (0.9999, "p99.99"),
)


def percentiles(curves: Curves | None, bound: bool = False) -> Chart | None:
    """Draw latency and service time by percentile, with a log tail axis.

    Args:
        curves: Of the load's requests.
        bound: Whether they are lower bounds.
    """
    if curves is None:
        return None
    x = [-math.log10(1 - share) for share in curves.shares]
    tail = x[-1]
    known = [
        [(at, y) for at, y in zip(x, curve, strict=True) if y and math.isfinite(y)]
        for curve in (curves.latency, curves.service)
    ]
    if not all(known):
        return None
    scale, unit = axis_unit(max(y for curve in known for _, y in curve), "s")

    def draw(axes: Any) -> None:
        styles = ({"color": A, "lw": 1.8}, {"color": MUTED, "lw": 1.3, "ls": ":"})
        for curve, style, name in zip(
            known, styles, ("latency", "service"), strict=True
        ):
            axes.plot([at for at, _ in curve], [y / scale for _, y in curve], **style)
            end = curve[-1]
            axes.text(
                end[0],
                end[1] / scale,
                f" {name} {significant(end[1] / scale)}",
                color=style["color"],
                va="bottom" if name == "latency" else "top",
                clip_on=False,
            )
        axes.set_yscale("log")
        plain_log_ticks(axes)
        name_axes(axes, "", f"time, {unit}")
        shown = [(-math.log10(1 - share), name) for share, name in MARKS]
        shown = [(at, name) for at, name in shown if at <= tail + 0.05]
        axes.set_xticks([at for at, _ in shown], [name for _, name in shown])

    limit = " Lower bounds: the generator itself was the limit." if bound else ""
    middle = known[0][min(range(len(known[0])), key=lambda i: abs(x[i] - 0.30103))][1]
    return Chart(
        "Latency by percentile",
        "Solid: with the waiting for a user, where all waited for the server. Dotted: "
        f"from when it was sent.{limit}",
        as_svg(draw, f"Latency by percentile: median {quantity(middle, 's')}."),
    )


def over_time(ticks: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Draw the median and the 99th percentile of each second."""
    begins = [0.0, *(float(tick["at"]) for tick in ticks)]
    # The last report covers less than a second: too few requests for a percentile.
    known = [
        tick
        for tick, begin in zip(ticks, begins, strict=False)
        if tick.get("p99") is not None and float(tick["at"]) - begin > 0.5
    ]
    if len(known) < 3:
        return None
    x = [float(tick["at"]) for tick in known]
    p50 = [float(tick["p50"]) for tick in known]
    p99 = [float(tick["p99"]) for tick in known]
    scale, unit = axis_unit(max(p99), "s")

    def draw(axes: Any) -> None:
        for values, name, width in ((p99, "p99", 1.0), (p50, "p50", 1.8)):
            axes.plot(x, [value / scale for value in values], color=A, lw=width)
            end = values[-1] / scale
            axes.text(
                x[-1],
                end,
                f" {name} {significant(end)}",
                color=A,
                va="center",
                clip_on=False,
            )
        if max(p99) > 12 * min(p50) > 0:
            axes.set_yscale("log")
            plain_log_ticks(axes)
        else:
            axes.set_ylim(bottom=0)
        name_axes(axes, "seconds", f"latency, {unit}")

    worst = max(range(len(p99)), key=lambda index: p99[index])
    return Chart(
        "Latency over time",
        "Of the load's requests that ended in each second: median and 99th percentile.",
        as_svg(
            draw,
            f"Latency over time: p99 at worst {quantity(p99[worst], 's')} in second "
            f"{x[worst]:.0f}.",
        ),
    )


def rate(ticks: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Draw what was sent and what was answered in each second, and what failed."""
    if len(ticks) < 3:
        return None
    pairs = list(zip([{"at": 0.0, "planned": 0}, *ticks], ticks, strict=False))
    # The last report covers less than a second.
    steps = [(a, b) for a, b in pairs if b["at"] - a["at"] > 0.5]
    if len(steps) < 3:
        return None
    x = [float(b["at"]) for _, b in steps]
    due = [(b["planned"] - a["planned"]) / (b["at"] - a["at"]) for a, b in steps]
    ended = [b["requests"] / (b["at"] - a["at"]) for a, b in steps]
    failed = [sum(b["errors"].values()) / (b["at"] - a["at"]) for a, b in steps]

    def draw(axes: Any) -> None:
        axes.plot(x, due, color=MUTED, lw=1.3, ls=":")
        axes.plot(x, ended, color=A, lw=1.8)
        ends = [(due[-1], "due", MUTED), (ended[-1], "ended", A)]
        if any(failed):
            axes.plot(x, failed, color=B, lw=1.6, dashes=(4, 1.6))
            ends.append((failed[-1], "failed", B))
        for y, name, colour in ends:
            axes.text(x[-1], y, f" {name}", color=colour, va="center", clip_on=False)
        axes.set_ylim(bottom=0)
        name_axes(axes, "seconds", "requests per second")

    return Chart(
        "Rate over time",
        "Dotted: tasks that were due. Solid: requests that ended, those of on_start "
        "and on_stop included; a task can have several.",
        as_svg(
            draw,
            f"Rate over time: {significant(sum(ended) / len(ended))} requests a second "
            "ended on average.",
        ),
    )
