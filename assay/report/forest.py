"""The picture over all claims: where every number stands on its axis, in percent.

Every row is drawn as "how many times better the candidate is": right is better
whatever the metric, so that latency and throughput can share one axis.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.metrics import higher_is_better
from assay.plan import Expectation
from assay.results import ClaimVerdict, Comparison, Verdict
from assay.wording import better_by, ratio_parts, verdict_word

# An effect beyond this is drawn at the edge, with an arrow.
FARTHEST = 500.0
_TICKS = (
    *(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95),
    *(1.0, 1.05, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500),
)
_FEWEST_PERCENT_BETWEEN_TICKS = 12.0


@dataclass(frozen=True)
class Asked:
    """One row as it is asked for: a claim, a pair as a whole, or what else decides.

    Attributes:
        comparison: Its numbers; a pair as a whole has none of its own.
        verdict: Of the claim or of the whole; None for a comparison without one.
        expect: What the claim expects; None without one.
        notes: What must be read with it, in sentences.
        topic: Title of its topic.
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
    """One row as it is drawn; places are percent of the axis.

    Attributes:
        number: How many times better, as text; empty where there is nothing to draw.
        interval: Its interval as text.
        whole: Whether it heads the rows of a pair and has no numbers of its own.
        side: Whom the result favours: ``candidate``, ``baseline`` or ``neither``.
        ends: Left and right end of the interval; None where there is none.
        cut_left: Whether the interval goes on beyond the left edge, or is open there.
        bounds: Places of the claimed bound, each with the direction (1 right,
            -1 left) in which the claim is true.
        group: Title of the topic that begins here, where there are several.
    """

    text: str
    detail: str
    anchor: str
    number: str
    interval: str
    whole: bool
    notes: tuple[str, ...]
    verdict: ClaimVerdict | Verdict | None
    compared: str
    side: str
    point: float | None
    ends: tuple[float, float] | None
    cut_left: bool
    cut_right: bool
    bounds: tuple[tuple[float, int], ...]
    group: str


@dataclass(frozen=True)
class Forest:
    """All rows over one axis; places are percent."""

    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]
    margin: tuple[float, float]
    one: float


def layout(asked: Sequence[Asked], margin: float) -> Forest:
    """Place every row on a log axis that holds all points, ends and bounds.

    Args:
        asked: The rows in their order.
        margin: The change that is too small to matter, as a share.
    """
    seen = [1 / (1 + margin), 1 + margin]
    for ask in asked:
        seen += [value for value in _speed_ups(ask) if value is not None]
        seen += [bound for bound, _ in _bounds(ask)]
    shown = [value for value in seen if 1 / FARTHEST <= value <= FARTHEST]
    low, high = math.log(min(shown)), math.log(max(shown))
    if any(value > FARTHEST for value in seen):
        high = math.log(FARTHEST)
    if any(value < 1 / FARTHEST for value in seen):
        low = -math.log(FARTHEST)
    padding = 0.06 * (high - low)
    low, high = low - padding, high + padding

    def place(value: float) -> float:
        log = math.log(min(max(value, 1e-9), 1e9))
        return round(100 * min(1.0, max(0.0, (log - low) / (high - low))), 2)

    ticks: list[tuple[float, str]] = []
    # 1 comes first: it must be there; then the round ones.
    for tick in sorted(_TICKS, key=_roundness):
        inside = low <= math.log(tick) <= high
        free = all(
            abs(place(tick) - taken) >= _FEWEST_PERCENT_BETWEEN_TICKS
            for taken, _ in ticks
        )
        if inside and free:
            ticks.append((place(tick), f"{tick:g}×"))
    edges = (math.exp(low), math.exp(high))
    return Forest(
        rows=tuple(
            _row(ask, place, edges, group)
            for ask, group in zip(asked, _groups(asked), strict=True)
        ),
        ticks=tuple(sorted(ticks)),
        margin=(place(1 / (1 + margin)), place(1 + margin)),
        one=place(1.0),
    )


def _groups(asked: Sequence[Asked]) -> list[str]:
    """Return the title of each row's topic where another one was before it."""
    topics = [ask.topic for ask in asked]
    if len(set(topics)) < 2:
        return [""] * len(topics)
    before = ["", *topics]
    return [
        topic if topic != last else ""
        for topic, last in zip(topics, before, strict=False)
    ]


def _roundness(tick: float) -> tuple[int, float]:
    if tick == 1:
        return (0, 0)
    log = abs(math.log10(tick))
    return (1 if math.isclose(log, round(log)) else 2, -log)


def _speed_ups(ask: Asked) -> tuple[float | None, ...]:
    comparison = ask.comparison
    if comparison is None or comparison.ratio is None or comparison.censored == "both":
        return (None, None, None)
    return better_by(ask.metric, comparison.ratio, comparison.low, comparison.high)


def _bounds(ask: Asked) -> list[tuple[float, int]]:
    if ask.expect is None:
        return []
    sign = 1 if higher_is_better(ask.metric) else -1
    found = []
    if math.isfinite(ask.expect.low):
        found.append((math.exp(sign * ask.expect.low), sign))
    if math.isfinite(ask.expect.high):
        found.append((math.exp(sign * ask.expect.high), -sign))
    return found


def _row(
    ask: Asked,
    place: Callable[[float], float],
    edges: tuple[float, float],
    group: str,
) -> Row:
    middle, low, high = _speed_ups(ask)
    comparison = ask.comparison
    side = "neither"
    if low is not None and low > 1:
        side = "candidate"
    elif high is not None and high < 1:
        side = "baseline"
    if comparison is not None and comparison.verdict in ("same", "undecided"):
        side = "neither"
    number, interval = _numbers(ask, middle, low, high)
    # An end that is not known is drawn as one beyond the edge: an arrow.
    ends = None
    if low is not None or high is not None:
        ends = (0.0 if low is None else low, math.inf if high is None else high)
    return Row(
        text=ask.text,
        detail=ask.detail,
        anchor=ask.anchor,
        number=number,
        interval=interval,
        whole=ask.verdict is not None and not ask.metric,
        notes=ask.notes,
        verdict=ask.verdict,
        compared=verdict_word(comparison) if comparison else "",
        side=side,
        point=None if middle is None else place(middle),
        ends=(place(ends[0]), place(ends[1])) if ends else None,
        cut_left=ends is not None and ends[0] < edges[0],
        cut_right=ends is not None and ends[1] > edges[1],
        bounds=tuple((place(bound), way) for bound, way in _bounds(ask)),
        group=group,
    )


def _numbers(
    ask: Asked, middle: float | None, low: float | None, high: float | None
) -> tuple[str, str]:
    """Return "how many times better" as text, with its interval."""
    if ask.comparison is None:
        return "", ""
    censored: str = ask.comparison.censored
    if middle is None and censored != "both":
        return "", ""
    if not higher_is_better(ask.metric):
        turned = {"candidate": "baseline", "baseline": "candidate"}
        censored = turned.get(censored, censored)
    return ratio_parts(middle or 0.0, low, high, censored)
