"""The busiest endpoints of a load test over time, as small pictures of one width."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.load_curves import Activity, Timeline
from assay.report.load.words import short
from assay.wording import significant

WIDTH, HEIGHT = 240, 56  # units of a picture
MARGIN = 2  # room above the highest point


@dataclass(frozen=True)
class Panel:
    """The picture of one endpoint.

    Attributes:
        title: Method and name of the endpoint.
        text: Its rates in words; also the picture's description.
        area: Points of the outline of the requests, as in an SVG polygon.
        failed: Points of the line of the failures; empty if there are none.
        bad: Whether requests failed.
    """

    title: str
    text: str
    area: str
    failed: str
    bad: bool


def panels(timeline: Timeline | None) -> list[Panel]:
    """Return the pictures, that of the busiest endpoint first."""
    return [_panel(endpoint) for endpoint in timeline.endpoints] if timeline else []


def span(timeline: Timeline | None) -> str:
    """Return in words the time that the pictures cover, and their intervals."""
    if timeline is None:
        return ""
    seconds = len(timeline.users) * timeline.width
    return f"{significant(seconds)} s in intervals of {timeline.width:g} s"


def _panel(endpoint: Activity) -> Panel:
    top = max(endpoint.requests) or 1.0
    points = _points(endpoint.requests, top)
    failed = any(endpoint.failed)
    text = f"at most {significant(max(endpoint.requests))}/s"
    if failed:
        text += f", failed at most {significant(max(endpoint.failed))}/s"
    return Panel(
        title=short(endpoint.label),
        text=text,
        area=f"0,{HEIGHT} {points} {WIDTH},{HEIGHT}",
        failed=_points(endpoint.failed, top) if failed else "",
        bad=failed,
    )


def _points(values: Sequence[float], top: float) -> str:
    """Return the points of a line, which spans the width of the picture."""
    step = WIDTH / max(1, len(values) - 1)
    return " ".join(
        f"{index * step:.1f},{HEIGHT - value / top * (HEIGHT - MARGIN):.1f}"
        for index, value in enumerate(values)
    )
