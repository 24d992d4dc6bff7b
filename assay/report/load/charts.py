"""The charts of a load test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from assay.load_curves import Curves, Timeline
from assay.report.charts import (
    COLOUR_A,
    COLOUR_B,
    COLOUR_MUTED,
    PERCENTILES,
    Chart,
    as_svg,
    label_ends,
    name_axes,
    plain_log_ticks,
)
from assay.wording import quantity, scale_of, significant


def percentiles(curves: Curves | None, bound: bool = False) -> Chart | None:
    """Draw latency and service time by percentile, with a logarithmic tail axis.

    Args:
        curves: The curves of the load's requests; None if there are none.
        bound: Whether the times are lower bounds.
    """
    if curves is None:
        return None
    positions = [-math.log10(1 - share) for share in curves.shares]
    lines = [
        [
            (x, seconds)
            for x, seconds in zip(positions, curve, strict=True)
            if seconds and math.isfinite(seconds)
        ]
        for curve in (curves.latency, curves.service)
    ]
    if not all(lines):
        return None
    scale, unit = scale_of(max(seconds for line in lines for _, seconds in line), "s")

    def draw(axes: Any) -> None:
        ends = list[tuple[float, float, str, str]]()
        styles: tuple[dict[str, Any], ...] = (
            {"color": COLOUR_A, "lw": 1.8},
            {"color": COLOUR_MUTED, "lw": 1.3, "ls": ":"},
        )
        for line, style, name in zip(
            lines, styles, ("latency", "service"), strict=True
        ):
            values = [seconds / scale for _, seconds in line]
            axes.plot([x for x, _ in line], values, **style)
            label = f"{name} {significant(values[-1])}"
            ends.append((line[-1][0], values[-1], label, style["color"]))
        axes.set_yscale("log")
        plain_log_ticks(axes)
        label_ends(axes, ends, log=True)
        name_axes(axes, "", f"time, {unit}")
        ticks = [(-math.log10(1 - share), name) for share, name in PERCENTILES]
        ticks = [(x, name) for x, name in ticks if x <= positions[-1] + 0.05]
        axes.set_xticks([x for x, _ in ticks], [name for _, name in ticks])

    limit = " Lower bounds: the generator itself was the limit." if bound else ""
    _, median = min(lines[0], key=lambda point: abs(point[0] + math.log10(0.5)))
    return Chart(
        "Latency by percentile",
        "Solid: latency, including the wait for a free user while all users waited for "
        f"the server. Dotted: service time, from sending.{limit}",
        as_svg(draw, f"Latency by percentile: median {quantity(median, 's')}."),
    )


def over_time(ticks: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Draw the median and the 99th percentile of each second."""
    starts = [0.0, *(float(tick["at"]) for tick in ticks)]
    # The last report may cover a short time, with too few requests for a percentile.
    full_seconds = [
        tick
        for tick, start in zip(ticks, starts, strict=False)
        if tick.get("p99") is not None and float(tick["at"]) - start > 0.5
    ]
    if len(full_seconds) < 3:
        return None
    x = [float(tick["at"]) for tick in full_seconds]
    p50 = [float(tick["p50"]) for tick in full_seconds]
    p99 = [float(tick["p99"]) for tick in full_seconds]
    scale, unit = scale_of(max(p99), "s")

    def draw(axes: Any) -> None:
        ends = list[tuple[float, float, str, str]]()
        for values, name, width in ((p99, "p99", 1.0), (p50, "p50", 1.8)):
            axes.plot(x, [value / scale for value in values], color=COLOUR_A, lw=width)
            end = values[-1] / scale
            ends.append((x[-1], end, f"{name} {significant(end)}", COLOUR_A))
        log = max(p99) > 12 * min(p50) > 0
        if log:
            axes.set_yscale("log")
            plain_log_ticks(axes)
        else:
            axes.set_ylim(bottom=0)
        label_ends(axes, ends, log)
        name_axes(axes, "seconds", f"latency, {unit}")

    worst = max(range(len(p99)), key=lambda index: p99[index])
    return Chart(
        "Latency over time",
        "Median and 99th percentile of the load's requests that ended in each second.",
        as_svg(
            draw,
            f"Latency over time: p99 at worst {quantity(p99[worst], 's')} in second "
            f"{x[worst]:.0f}.",
        ),
    )


def in_flight(timeline: Timeline | None) -> Chart | None:
    """Draw the users, the requests in flight, and the arrivals that waited."""
    if timeline is None:
        return None
    x = [(place + 0.5) * timeline.width for place in range(len(timeline.users))]
    lines: list[tuple[str, Sequence[float], dict[str, Any]]] = [
        ("users", timeline.users, {"color": COLOUR_MUTED, "lw": 1.3, "ls": ":"}),
        ("in flight", timeline.in_flight, {"color": COLOUR_A, "lw": 1.8}),
    ]
    if any(timeline.waiting):
        dashed = {"color": COLOUR_B, "lw": 1.6, "dashes": (4, 1.6)}
        lines.append(("waiting", timeline.waiting, dashed))

    def draw(axes: Any) -> None:
        for _, values, style in lines:
            axes.plot(x, values, **style)
        axes.set_ylim(bottom=0)
        label_ends(
            axes, [(x[-1], v[-1], name, s["color"]) for name, v, s in lines], log=False
        )
        name_axes(axes, "seconds", "number")

    most = max(timeline.in_flight)
    waited = " Dashed: arrivals that waited for a free user." if lines[2:] else ""
    return Chart(
        "Users and requests in flight",
        "Dotted: users. Solid: requests that were sent and not yet answered, on average"
        f"{_per(timeline)}.{waited}",
        as_svg(
            draw,
            f"Users and requests in flight over time: at most {max(timeline.users):,} "
            f"users, and {significant(most)} requests in flight.",
        ),
    )


def _per(timeline: Timeline) -> str:
    """Return in words the interval over which a mean is taken."""
    if timeline.width > 1:
        return f" over {timeline.width:g} s"
    return " in each second"


def rate(ticks: Sequence[Mapping[str, Any]]) -> Chart | None:
    """Draw the requests that were due, that ended and that failed in each second."""
    if len(ticks) < 3:
        return None
    pairs = list(zip([{"at": 0.0, "planned": 0}, *ticks], ticks, strict=False))
    # The last report may cover a short time, in which a rate would be inaccurate. It
    # may also count all unserved arrivals, although they did not end in that second.
    steps = [
        (before, after, after["at"] - before["at"])
        for before, after in pairs
        if after["at"] - before["at"] > 0.5 and not after.get("unserved")
    ]
    if len(steps) < 3:
        return None
    x = [float(after["at"]) for _, after, _ in steps]
    due = [
        (after["planned"] - before["planned"]) / seconds
        for before, after, seconds in steps
    ]
    ended = [after["requests"] / seconds for _, after, seconds in steps]
    failed = [sum(after["errors"].values()) / seconds for _, after, seconds in steps]

    def draw(axes: Any) -> None:
        axes.plot(x, due, color=COLOUR_MUTED, lw=1.3, ls=":")
        axes.plot(x, ended, color=COLOUR_A, lw=1.8)
        ends = [
            (x[-1], due[-1], "due", COLOUR_MUTED),
            (x[-1], ended[-1], "ended", COLOUR_A),
        ]
        if any(failed):
            axes.plot(x, failed, color=COLOUR_B, lw=1.6, dashes=(4, 1.6))
            ends.append((x[-1], failed[-1], "failed", COLOUR_B))
        axes.set_ylim(bottom=0)
        label_ends(axes, ends, log=False)
        name_axes(axes, "seconds", "requests per second")

    return Chart(
        "Rate over time",
        "Dotted: tasks that were due. Solid: requests that ended, including those of "
        "on_start and on_stop. A task can have several requests.",
        as_svg(
            draw,
            f"Rate over time: {significant(sum(ended) / len(ended))} requests a second "
            "ended on average.",
        ),
    )
