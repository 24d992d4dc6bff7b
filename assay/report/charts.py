"""Charts as SVG that follow the page's light and dark theme.

Matplotlib draws in sentinel colours. CSS variables replace them afterwards, so one
picture serves both themes. Text stays text, in the page's font.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any

from assay.report.curves import Curve, median, thin, value_at
from assay.wording import clean, quantity, scale_of, significant

# Sentinel colours, used for nothing else, and the CSS variables that replace them.
COLOUR_A = "#0000a1"
COLOUR_B = "#0000b1"
COLOUR_MUTED = "#0000d1"
COLOUR_LINE = "#0000e1"
_CSS_VARIABLES = {
    COLOUR_A: "var(--a)",
    COLOUR_B: "var(--b)",
    COLOUR_MUTED: "var(--muted)",
    COLOUR_LINE: "var(--line)",
}
LABEL_HEIGHT = 0.075  # of a label at the end of a line, as a share of the axes' height
_SIZE_INCHES = (3.9, 2.55)
# Percentiles that are marked on a percentile axis: share and name.
PERCENTILES = (
    (0.5, "p50"),
    (0.9, "p90"),
    (0.99, "p99"),
    (0.999, "p99.9"),
    (0.9999, "p99.99"),
)


@dataclass(frozen=True)
class Chart:
    """A finished picture: its title, its caption and its SVG."""

    title: str
    caption: str
    svg: str


def percentiles(baseline: Curve, candidate: Curve) -> Chart:
    """Draw latency by percentile of both sides, with a logarithmic tail axis."""
    largest = max(float(baseline.y.max()), float(candidate.y.max()))
    scale, unit = scale_of(largest, "s")

    def draw(axes: Any) -> None:
        for curve, style in _styled(baseline, candidate):
            axes.plot(curve.x, curve.y / scale, **style)
        _end_labels(
            axes,
            [
                (float(c.x[-1]), float(c.y[-1]) / scale, name)
                for c, name in ((baseline, "A"), (candidate, "B"))
            ],
        )
        axes.set_yscale("log")
        plain_log_ticks(axes)
        name_axes(axes, "", f"latency, {unit}")
        last = max(float(baseline.x[-1]), float(candidate.x[-1]))
        ticks = [(-math.log10(1 - share), name) for share, name in PERCENTILES]
        ticks = [(x, name) for x, name in ticks if x <= last + 0.05]
        axes.set_xticks([x for x, _ in ticks], [name for _, name in ticks])

    description = "; ".join(
        f"{name}: median {quantity(value_at(curve, 0.5), 's')}"
        + (
            f", p99 {quantity(value_at(curve, 0.99), 's')}"
            if curve.x[-1] >= 2
            else f", slowest shown {quantity(float(curve.y[-1]), 's')}"
        )
        for curve, name in ((baseline, "baseline A"), (candidate, "candidate B"))
    )
    return Chart(
        "Latency by percentile",
        "The axis stretches the tail: the slowest requests are at the right.",
        as_svg(draw, f"Latency by percentile. {description}."),
    )


def over_time(baseline: Curve, candidate: Curve, tail: float) -> Chart:
    """Draw the median of both sides over time, with a band up to a tail quantile."""
    tops = [
        curve.top if curve.top is not None else curve.y
        for curve in (baseline, candidate)
    ]
    scale, unit = scale_of(max(float(top.max()) for top in tops), "s")
    start = min(float(baseline.x[0]), float(candidate.x[0]))
    lowest = min(float(baseline.y.min()), float(candidate.y.min()))
    log = max(float(top.max()) for top in tops) > 12 * lowest > 0
    quantile = f"p{tail * 100:.0f}"

    def draw(axes: Any) -> None:
        ends = []
        for (curve, style), top, name in zip(
            _styled(baseline, candidate), tops, "AB", strict=True
        ):
            x = curve.x - start
            axes.fill_between(
                x, curve.y / scale, top / scale, color=style["color"], alpha=0.13, lw=0
            )
            axes.plot(x, top / scale, **{**style, "lw": 0.8})
            axes.plot(x, curve.y / scale, **style)
            ends.append((float(x[-1]), float(curve.y[-1]) / scale, name))
        _end_labels(axes, ends, log=log)
        if log:
            axes.set_yscale("log")
            plain_log_ticks(axes)
        else:
            axes.set_ylim(bottom=0)
        name_axes(axes, "seconds since this topic's first sample", f"latency, {unit}")

    return Chart(
        "Latency over time",
        f"Thick line: median; band up to {quantile}. The sides alternate in time.",
        as_svg(
            draw,
            f"Latency over time, median and {quantile}: baseline A around "
            f"{quantity(median(baseline.y), 's')}, candidate B around "
            f"{quantity(median(candidate.y), 's')}.",
        ),
    )


def memory(baseline: Curve, candidate: Curve, unit: str) -> Chart:
    """Draw the memory of both sides over time."""
    baseline, candidate = thin(baseline), thin(candidate)
    scale, name = scale_of(max(float(baseline.y.max()), float(candidate.y.max())), unit)

    def draw(axes: Any) -> None:
        ends = []
        for (curve, style), side in zip(
            _styled(baseline, candidate), "AB", strict=True
        ):
            axes.plot(curve.x, curve.y / scale, **style)
            ends.append((float(curve.x[-1]), float(curve.y[-1]) / scale, side))
        axes.set_ylim(bottom=0)
        _end_labels(axes, ends)
        name_axes(axes, "seconds under load", f"memory, {name}")

    return Chart(
        "Memory over time",
        "The whole process tree. A steady slope suggests a leak; a step does not.",
        as_svg(
            draw,
            "Memory over time: baseline A ends at "
            f"{quantity(float(baseline.y[-1]), unit)}, candidate B at "
            f"{quantity(float(candidate.y[-1]), unit)}.",
        ),
    )


def by_launch(baseline: Curve, candidate: Curve, metric: str, unit: str) -> Chart:
    """Draw one metric of both sides, one point per launch."""
    values = [*baseline.y, *candidate.y]
    scale, name = scale_of(max(map(float, values)), unit)
    log = max(values) > 6 * min(values) > 0

    def draw(axes: Any) -> None:
        ends = []
        for (curve, style), side in zip(
            _styled(baseline, candidate), "AB", strict=True
        ):
            axes.plot(curve.x, curve.y / scale, marker="o", ms=3, **style)
            ends.append((float(curve.x[-1]), float(curve.y[-1]) / scale, side))
        _end_labels(axes, ends, log=log)
        if log:
            axes.set_yscale("log")
            plain_log_ticks(axes)
        else:
            axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        name_axes(axes, "launch", f"{metric}, {name}" if name else metric)

    return Chart(
        "Launch by launch",
        f"{metric}: one number per side and launch. The launch is the unit of "
        "inference.",
        as_svg(
            draw,
            f"{metric} by launch: baseline A around "
            f"{quantity(median(baseline.y), unit)}, candidate B around "
            f"{quantity(median(candidate.y), unit)}.",
        ),
    )


def with_prefix(chart: Chart, prefix: str) -> Chart:
    """Return the chart with a prefix on its ids, so that ids are unique on a page."""
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", chart.svg)
    return Chart(chart.title, chart.caption, svg)


def as_svg(draw: Callable[[Any], None], description: str) -> str:
    """Draw on fresh axes and return an SVG element for an HTML page."""
    import matplotlib
    from matplotlib.figure import Figure

    description = clean(description)
    style: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": description,
        "font.family": "DejaVu Sans",
        "font.size": 8.5,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=_SIZE_INCHES, dpi=72)
        figure.subplots_adjust(left=0.135, right=0.845, bottom=0.165, top=0.965)
        axes: Any = figure.add_subplot()
        for side in axes.spines:
            axes.spines[side].set_visible(False)
        axes.grid(True, color=COLOUR_LINE, lw=0.7)
        axes.set_axisbelow(True)
        axes.tick_params(
            which="both",
            color=COLOUR_LINE,
            labelcolor=COLOUR_MUTED,
            length=0,
            labelsize=8,
        )
        draw(axes)
        out = StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    return _for_page(out.getvalue(), description)


def _for_page(svg: str, description: str) -> str:
    """Remove parts that do not belong inside a page, and use the page's CSS colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Matplotlib's style element would apply to every element of the page.
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    # Matplotlib gives groups the same ids in every chart, but ids must be unique.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"font: (\S+) 'DejaVu Sans'[^;\"]*", r"font-size: \1", svg)
    svg = re.sub(
        r"font: (bold|\d+) (\S+) 'DejaVu Sans'[^;\"]*",
        r"font-weight: \1; font-size: \2",
        svg,
    )
    svg = re.sub(r"(\d+\.\d\d)\d+", r"\1", svg)
    svg = re.sub(r"\n\s*", "\n", svg)
    for sentinel, variable in _CSS_VARIABLES.items():
        svg = svg.replace(sentinel, variable)
    opening = re.sub(
        r' (width|height)="[^"]*"| xmlns\S*| version="[^"]*"', "", svg[: svg.index(">")]
    )
    label = escape(description, quote=True)
    return (
        f'{opening} role="img" aria-label="{label}" class="chart"{svg[svg.index(">"):]}'
    )


def _styled(baseline: Curve, candidate: Curve) -> list[tuple[Curve, dict[str, Any]]]:
    """Return both curves with their line styles.

    B is dashed as well as orange, for readers who cannot tell the colours apart.
    """
    return [
        (baseline, {"color": COLOUR_A, "lw": 1.6}),
        (candidate, {"color": COLOUR_B, "lw": 1.6, "dashes": (4, 1.6)}),
    ]


def _end_labels(
    axes: Any, ends: Sequence[tuple[float, float, str]], log: bool = True
) -> None:
    """Write the name and last value of each line at its end, without overlap."""
    from matplotlib.transforms import ScaledTranslation

    low, high = sorted(ends, key=lambda end: end[1])
    bottom, top = axes.get_ylim()
    if log and low[1] > 0:
        bottom = max(bottom, low[1] / 50)
        gap = math.log(high[1] / low[1]) / max(math.log(max(top, 1e-12) / bottom), 1e-9)
    else:
        gap = (high[1] - low[1]) / ((top - bottom) or 1)
    push = max(0.0, LABEL_HEIGHT - gap) / LABEL_HEIGHT * 5
    for (x, y, name), shift in ((low, -push), (high, push)):
        axes.text(
            x,
            y,
            f" {name} {significant(y)}",
            color=COLOUR_A if name == "A" else COLOUR_B,
            weight="bold",
            va="center",
            clip_on=False,
            transform=axes.transData
            + ScaledTranslation(2 / 72, shift / 72, axes.figure.dpi_scale_trans),
        )


def label_ends(
    axes: Any, ends: Sequence[tuple[float, float, str, str]], log: bool
) -> None:
    """Write a label at the end of each line, without overlap.

    Args:
        axes: The axes, whose limits are final.
        ends: The last x, the last y, the label and the colour of each line.
        log: Whether the y axis is logarithmic.
    """
    bottom, top = axes.get_ylim()

    def height(y: float) -> float:
        """Return where a value is, as a share of the height of the axes."""
        if log:
            low = max(bottom, top / 1e9)
            return float(math.log(max(y, low) / low) / math.log(top / low))
        return float((y - bottom) / ((top - bottom) or 1))

    ordered = sorted(ends, key=lambda end: end[1])
    places = spread_apart([height(y) for _, y, _, _ in ordered], LABEL_HEIGHT)
    for (x, _, label, colour), place in zip(ordered, places, strict=True):
        axes.text(
            x,
            place,
            f" {label}",
            color=colour,
            va="center",
            clip_on=False,
            transform=axes.get_xaxis_transform(),
        )


def spread_apart(places: Sequence[float], gap: float) -> list[float]:
    """Return ascending places, moved as little as needed to be `gap` apart.

    Places that are too close form a group around their own mean. None is below 0.
    """
    groups: list[list[float]] = []  # the mean of each group's places, and their number
    for place in places:
        groups.append([place, 1])
        while len(groups) > 1:
            (low, few), (high, many) = groups[-2:]
            if high - low >= gap * (few + many) / 2:
                break
            mean = (low * few + high * many) / (few + many)
            groups[-2:] = [[mean, few + many]]
    moved = [
        mean + (number - (count - 1) / 2) * gap
        for mean, count in groups
        for number in range(int(count))
    ]
    return [max(place, number * gap) for number, place in enumerate(moved)]


def plain_log_ticks(axes: Any) -> None:
    """Label a logarithmic axis with plain numbers, as many as there is room for."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = axes.get_ylim()
    low = max(low, high / 1e9)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    spread = math.log10(high / low)
    steps: tuple[float, ...] = (1,)
    if spread < 2:
        steps = (1, 2, 5)
    if spread < 1:
        steps = (1, 1.5, 2, 3, 5, 7)
    if spread < 0.35:
        steps = tuple(1 + index * 0.25 for index in range(36))
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    visible = [tick for tick in ticks if low <= tick <= high]
    axes.yaxis.set_major_locator(FixedLocator(visible[:: max(1, len(visible) // 6)]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.6g}"))


def name_axes(axes: Any, x: str, y: str) -> None:
    """Label the axes."""
    axes.set_xlabel(x, color=COLOUR_MUTED, fontsize=8)
    axes.set_ylabel(y, color=COLOUR_MUTED, fontsize=8)
