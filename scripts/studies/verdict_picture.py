"""The picture of the verdict study: false verdicts, and power against time."""

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from assay.wording import one_line
from scripts.studies.outcomes import (
    ANY,
    ASSAY,
    EFFECTS,
    IDENTICAL,
    MAX_FALSE,
    MIN_POWER,
    NOISES,
    Outcome,
    Share,
    grouped,
    is_different,
    is_slower,
    of_identical_code,
    select,
)

_INK = "#1b1d21"
_MUTED = "#59616e"
_LINE = "#e3e6eb"
_STYLES = {"quiet": ("#1f74b4", "o", "-"), "burst": ("#c4520c", "D", "--")}
_COLOURS = ("#59616e", "#7a4fa3", "#c4520c", "#1f74b4", "#2a7f4f")


def picture(outcomes: Sequence[Outcome]) -> Figure:
    """Draw the page's picture: 1100 x 600 logical pixels at twice the density.

    The background is white, so that the picture can be read on a dark page, too.
    """
    figure = Figure(figsize=(11, 6), dpi=200, facecolor="white")
    headings = (
        (
            0.02,
            "Identical code called different",
            "share of comparisons, 95 % interval",
        ),
        (0.50, "Slower code called slower by Assay", "share within a measuring time"),
    )
    with rc_context({"font.family": "DejaVu Sans", "font.size": 9.5}):
        for x, heading, detail in headings:
            figure.text(x, 0.93, heading, color=_INK, weight="bold", fontsize=13)
            figure.text(x, 0.885, detail, color=_MUTED)
        for rectangle, draw in (
            ((0.155, 0.11, 0.215, 0.74), _draw_false),
            ((0.545, 0.11, 0.26, 0.74), _draw_power),
        ):
            axes: Any = figure.add_axes(rectangle)
            axes.spines[:].set_visible(False)
            axes.grid(True, color=_LINE, lw=0.8)
            axes.set_axisbelow(True)
            axes.tick_params(length=0, labelcolor=_MUTED)
            if not draw(axes, outcomes):
                axes.text(
                    0.5, 0.5, "not measured", ha="center", transform=axes.transAxes
                )
    return figure


def _draw_false(axes: Any, outcomes: Sequence[Outcome]) -> bool:
    """Draw a row for each rule, with a share for each noise; say if there is any."""
    comparisons = of_identical_code(outcomes)
    label_transform = axes.get_yaxis_transform()
    rules = [rule for (rule,), _ in grouped(comparisons, "rule")]
    plain = {"va": "center", "parse_math": False, "transform": label_transform}
    for row, rule in enumerate(rules):
        name = textwrap.fill(one_line(rule).replace(" %", "\u00a0%"), 17)
        axes.text(-0.06, row, name, ha="right", color=_INK, **plain)
    for (rule, noise), group in grouped(comparisons, "rule", "noise"):
        share = Share.of(group, is_different)
        colour, marker, _ = _STYLES[noise]
        y = rules.index(rule) + (-0.18 if noise == NOISES[0] else 0.18)
        ends = [100 * end for end in share.interval]
        dot = {"marker": marker, "mec": "white", "ms": 8, "clip_on": False}
        axes.plot(ends, [y, y], color=colour, lw=2.2)
        axes.plot(100 * share.value, y, color=colour, zorder=3, **dot)
        count = f"{noise} {share.count}/{share.total}"
        axes.text(1.05, y, count, color=colour, **plain)
    axes.axvline(100 * MAX_FALSE, color=_MUTED, lw=1.2, ls=":")
    axes.set(xlim=(0, 100), ylim=(max(len(rules), 1) - 0.5, -0.5), yticks=[])
    axes.set_xticks([100 * MAX_FALSE, 25, 50, 75, 100])
    axes.xaxis.set_major_formatter("{x:g} %")
    return bool(rules)


def _draw_power(axes: Any, outcomes: Sequence[Outcome]) -> bool:
    """Draw a curve for each effect and noise; say if there is any.

    The curve shows the share of comparisons that were called slower within each time.
    """
    timed = [o for o in select(outcomes, rule=ASSAY, metric=ANY) if o.seconds]
    slower = [o for o in timed if o.effect != IDENTICAL]
    last = max((o.seconds or 0 for o in slower), default=1.0)
    ends = []
    for (effect, noise), group in grouped(slower, "effect", "noise"):
        times = sorted(o.seconds or 0 for o in group if is_slower(o))
        steps = [100 * count / len(group) for count in range(len(times) + 1)]
        colour = _COLOURS[EFFECTS.index(effect) if effect in EFFECTS else 0]
        line = {"color": colour, "ls": _STYLES[noise][2], "clip_on": False}
        x, y = [0.0, *times, last], [*steps, steps[-1]]
        axes.plot(x, y, drawstyle="steps-post", lw=1.8, **line)
        ends.append((steps[-1], f"{effect}, {noise} {steps[-1]:.3g} %", line))
    label_heights = _spread_labels([end for end, _, _ in ends], 4.4, 103.0)
    for (end, name, line), height in zip(ends, label_heights, strict=True):
        axes.plot([last, last * 1.07], [end, height], lw=0.8, **line)
        text = {"va": "center", "color": line["color"], "parse_math": False}
        axes.text(last * 1.08, height, name, fontsize=9, **text)
    axes.axhline(100 * MIN_POWER, color=_MUTED, lw=1.2, ls=":")
    axes.set(xlim=(0, last), ylim=(0, 103), yticks=[0, 25, 50, 75, 100 * MIN_POWER])
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.set_xlabel("seconds of measuring", color=_MUTED)
    return bool(ends)


def _spread_labels(preferred: Sequence[float], gap: float, top: float) -> list[float]:
    """Return heights for labels: as preferred, but `gap` apart and not above `top`."""
    heights, above = [0.0] * len(preferred), top + gap
    for index in sorted(range(len(preferred)), key=lambda i: -preferred[i]):
        above = heights[index] = min(preferred[index], above - gap)
    return heights
