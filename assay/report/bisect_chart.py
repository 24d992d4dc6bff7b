"""Draw how slow each measured commit of a bisection is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.report.bisect_rows import CommitRow
from assay.report.charts import (
    COLOUR_A,
    COLOUR_B,
    COLOUR_MUTED,
    Chart,
    as_svg,
    name_axes,
)
from assay.wording import counted


def draw(commits: Sequence[CommitRow], only: bool) -> Chart:
    """Draw the ratio to GOOD of each measured commit, in the order of history.

    Args:
        commits: All commits.
        only: Whether the search found a single commit.
    """
    measured = [row for row in commits if row.middle is not None]
    suspects = [row.number for row in commits if row.suspected]

    def on(axes: Any) -> None:
        axes.axhline(1, color=COLOUR_MUTED, lw=0.8)
        if suspects:
            ends = min(suspects) - 0.5, max(suspects) + 0.5
            axes.axvspan(*ends, color=COLOUR_B, alpha=0.14, lw=0)
        for row in measured:
            if row.low is not None and row.high is not None:
                axes.vlines(row.number, row.low, row.high, color=COLOUR_MUTED, lw=0.9)
        axes.plot(
            [0, *(row.number for row in measured)],
            [1.0, *(row.middle for row in measured)],
            "o",
            color=COLOUR_A,
            ms=3.4,
            mew=0,
        )
        untestable = [row.number for row in commits if row.problem]
        axes.plot(untestable, [1.0] * len(untestable), "x", color=COLOUR_MUTED, ms=5)
        axes.set_xlim(-0.8, len(commits) + 0.8)
        axes.xaxis.get_major_locator().set_params(integer=True)
        name_axes(axes, "commit, oldest first (0 is GOOD)", "commit / GOOD")

    caption = "One mark for each measured commit, with its interval."
    if suspects:
        band = "the commit that was found" if only else "commits that are suspected"
        caption += f" Band: {band}."
    if any(row.problem for row in commits):
        caption += " Cross: a commit that cannot be measured."
    described = counted(len(measured), "commit")
    return Chart(
        "Measured commits",
        caption,
        as_svg(on, f"Ratio to GOOD of {described}. {caption}"),
    )
