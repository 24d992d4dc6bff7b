"""The forest plot of all claims: positions on its axis, in percent.

Each row shows how many times better the candidate is. Further to the right means better
for every metric, so latency and throughput share one axis.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.metrics import higher_is_better
from assay.plan import Expectation
from assay.results import ClaimVerdict, Comparison, Verdict
from assay.wording import better_by, ratio_parts, verdict_word

# A larger effect is drawn at the edge, with an arrow.
AXIS_LIMIT = 500.0
_TICKS = (
    *(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95),
    *(1.0, 1.05, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500),
)
_MIN_PERCENT_BETWEEN_TICKS = 12.0


@dataclass(frozen=True)
class ForestItem:
    """The content of one row: a claim, a pair as a whole, or a single comparison.

    Attributes:
        comparison: The numbers; None for a pair as a whole.
        verdict: Verdict on the claim or on the pair as a whole; None for a comparison.
        expect: The ratio that the claim expects; None if this is not a claim.
        notes: Sentences to show with the row.
        topic: Title of the topic.
    """

    text: str
    detail: str
    anchor: str
    metric: str
    comparison: Comparison | None
    verdict: ClaimVerdict | Verdict | None
    expect: Expectation | None
    notes: tuple[str, ...] = ()
    topic: str = ""


@dataclass(frozen=True)
class Row:
    """One row as it is drawn; positions are in percent of the axis.

    Attributes:
        number: How many times better the candidate is, as text; empty if unknown.
        interval: The interval of this number, as text.
        is_pair: Whether this row is the verdict on a pair as a whole, without numbers.
        comparison_verdict: Verdict of the comparison, as a word.
        side: The side that the result favours: ``candidate``, ``baseline`` or
            ``neither``.
        point: Position of the ratio; None if unknown.
        ends: Left and right end of the interval; None if there is none.
        cut_left: Whether the interval continues beyond the left edge.
        cut_right: Whether the interval continues beyond the right edge.
        bounds: Positions of the claimed bounds. Each has the direction in which the
            claim is true: 1 for right, -1 for left.
        group: Title of the topic, if this is its first row and there are several
            topics; otherwise empty.
    """

    text: str
    detail: str
    anchor: str
    number: str
    interval: str
    is_pair: bool
    notes: tuple[str, ...]
    verdict: ClaimVerdict | Verdict | None
    comparison_verdict: str
    side: str
    point: float | None
    ends: tuple[float, float] | None
    cut_left: bool
    cut_right: bool
    bounds: tuple[tuple[float, int], ...]
    group: str


@dataclass(frozen=True)
class Forest:
    """All rows over one axis; positions are in percent.

    Attributes:
        ticks: Position and label of each tick.
        margin: Left and right end of the margin around 1.
        no_change: Position of the ratio 1.
    """

    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]
    margin: tuple[float, float]
    no_change: float


def layout(items: Sequence[ForestItem], margin: float) -> Forest:
    """Place all rows on one log axis that contains all points, ends and bounds.

    Args:
        items: The content of the rows, in order.
        margin: The largest change that is too small to matter, as a fraction.
    """
    values = [1 / (1 + margin), 1 + margin]
    for item in items:
        values += [value for value in _improvement(item) if value is not None]
        values += [bound for bound, _ in _bounds(item)]
    drawable = [value for value in values if 1 / AXIS_LIMIT <= value <= AXIS_LIMIT]
    low, high = math.log(min(drawable)), math.log(max(drawable))
    if any(value > AXIS_LIMIT for value in values):
        high = math.log(AXIS_LIMIT)
    if any(value < 1 / AXIS_LIMIT for value in values):
        low = -math.log(AXIS_LIMIT)
    padding = 0.06 * (high - low)
    low, high = low - padding, high + padding

    def place(value: float) -> float:
        log = math.log(min(max(value, 1e-9), 1e9))
        return round(100 * min(1.0, max(0.0, (log - low) / (high - low))), 2)

    ticks: list[tuple[float, str]] = []
    # Place 1 first, since it must be shown, then powers of ten, then other numbers.
    for tick in sorted(_TICKS, key=_roundness):
        on_axis = low <= math.log(tick) <= high
        has_room = all(
            abs(place(tick) - position) >= _MIN_PERCENT_BETWEEN_TICKS
            for position, _ in ticks
        )
        if on_axis and has_room:
            ticks.append((place(tick), f"{tick:g}×"))
    edges = (math.exp(low), math.exp(high))
    return Forest(
        rows=tuple(
            _row(item, place, edges, group)
            for item, group in zip(items, _groups(items), strict=True)
        ),
        ticks=tuple(sorted(ticks)),
        margin=(place(1 / (1 + margin)), place(1 + margin)),
        no_change=place(1.0),
    )


def _groups(items: Sequence[ForestItem]) -> list[str]:
    """Return the topic's title for the first row of each topic, else an empty text."""
    topics = [item.topic for item in items]
    if len(set(topics)) < 2:
        return [""] * len(topics)
    previous_topics = ["", *topics]
    return [
        topic if topic != previous else ""
        for topic, previous in zip(topics, previous_topics, strict=False)
    ]


def _roundness(tick: float) -> tuple[int, float]:
    """Return a sort key: 1 first, then powers of ten, then all others."""
    if tick == 1:
        return (0, 0)
    log = abs(math.log10(tick))
    return (1 if math.isclose(log, round(log)) else 2, -log)


def _improvement(item: ForestItem) -> tuple[float | None, ...]:
    """Return how many times better the candidate is, with the interval's ends."""
    comparison = item.comparison
    if comparison is None or comparison.ratio is None or comparison.censored == "both":
        return (None, None, None)
    return better_by(item.metric, comparison.ratio, comparison.low, comparison.high)


def _bounds(item: ForestItem) -> list[tuple[float, int]]:
    if item.expect is None:
        return []
    sign = 1 if higher_is_better(item.metric) else -1
    bounds = []
    if math.isfinite(item.expect.low):
        bounds.append((math.exp(sign * item.expect.low), sign))
    if math.isfinite(item.expect.high):
        bounds.append((math.exp(sign * item.expect.high), -sign))
    return bounds


def _row(
    item: ForestItem,
    place: Callable[[float], float],
    edges: tuple[float, float],
    group: str,
) -> Row:
    ratio, low, high = _improvement(item)
    comparison = item.comparison
    side = "neither"
    if low is not None and low > 1:
        side = "candidate"
    elif high is not None and high < 1:
        side = "baseline"
    if comparison is not None and comparison.verdict in ("same", "undecided"):
        side = "neither"
    number, interval = _numbers(item, ratio, low, high)
    # An unknown end is drawn as an arrow, like an end beyond the edge.
    ends = None
    if low is not None or high is not None:
        ends = (0.0 if low is None else low, math.inf if high is None else high)
    return Row(
        text=item.text,
        detail=item.detail,
        anchor=item.anchor,
        number=number,
        interval=interval,
        is_pair=item.verdict is not None and not item.metric,
        notes=item.notes,
        verdict=item.verdict,
        comparison_verdict=verdict_word(comparison) if comparison else "",
        side=side,
        point=None if ratio is None else place(ratio),
        ends=(place(ends[0]), place(ends[1])) if ends else None,
        cut_left=ends is not None and ends[0] < edges[0],
        cut_right=ends is not None and ends[1] > edges[1],
        bounds=tuple((place(bound), direction) for bound, direction in _bounds(item)),
        group=group,
    )


def _numbers(
    item: ForestItem, ratio: float | None, low: float | None, high: float | None
) -> tuple[str, str]:
    """Return as text how many times better the candidate is, and the interval."""
    if item.comparison is None:
        return "", ""
    censored: str = item.comparison.censored
    if ratio is None and censored != "both":
        return "", ""
    if not higher_is_better(item.metric):
        swapped = {"candidate": "baseline", "baseline": "candidate"}
        censored = swapped.get(censored, censored)
    return ratio_parts(ratio or 0.0, low, high, censored)
