"""Why the sides of a pair differ: causes in sentences, and where the time goes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from assay.results import Cause, Ledger, LedgerPart, Outgoing, Results
from assay.wording import percent, quantity, signed_quantity, significant

# Parts that are smaller on both sides than this share of the latency are one line.
SMALL_SHARE = 0.01
NEGLIGIBLE = "the rest"


@dataclass(frozen=True)
class CauseView:
    """A cause as text."""

    kind: str
    sentence: str
    amount: str
    interval: str
    share: str
    direction: str


@dataclass(frozen=True)
class PartView:
    """A part of the ledger: its numbers as text, and its stretch of both bars.

    Attributes:
        bars: For each side: where it begins and how wide it is, in percent.
    """

    name: str
    number: int
    baseline: str
    candidate: str
    amount: str
    interval: str
    direction: str
    bars: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class LedgerView:
    """Where the time of a request goes on both sides, on one scale."""

    baseline: str
    candidate: str
    parts: tuple[PartView, ...]


@dataclass(frozen=True)
class OutgoingView:
    """What both sides send, and how often, as text."""

    text: str
    where: str
    counts: tuple[str, str]
    times: tuple[str, str]
    change: str
    direction: str


@dataclass(frozen=True)
class WhyView:
    """What is known about why the sides of a pair differ."""

    causes: tuple[CauseView, ...]
    ledger: LedgerView | None
    outgoing: tuple[OutgoingView, ...]


def why(results: Results, topic: str, pair: tuple[str, str]) -> WhyView:
    """Return the causes of a pair, and its ledger if it was profiled in rounds."""

    def is_of_pair(item: Cause | Ledger | Outgoing) -> bool:
        return (item.topic, item.baseline, item.candidate) == (topic, *pair)

    ledger = next(filter(is_of_pair, results.ledgers), None)
    return WhyView(
        causes=tuple(_cause(cause) for cause in filter(is_of_pair, results.causes)),
        ledger=_ledger(ledger) if ledger else None,
        outgoing=tuple(
            _outgoing(item) for item in filter(is_of_pair, results.outgoing)
        ),
    )


def _cause(cause: Cause) -> CauseView:
    share = ""
    if cause.share is not None and 0 < cause.share:
        share = f"{percent(min(cause.share, 1.0))} of the difference"
    return CauseView(
        kind=cause.kind,
        sentence=cause.sentence,
        amount=signed_quantity(cause.amount, "s"),
        interval=_interval(cause.low, cause.high),
        share=share,
        direction=_direction(cause.amount),
    )


def _outgoing(item: Outgoing) -> OutgoingView:
    change = item.seconds[1] - item.seconds[0]
    return OutgoingView(
        text=item.text,
        where=item.where,
        counts=(significant(item.counts[0], 2), significant(item.counts[1], 2)),
        times=(quantity(item.seconds[0], "s"), quantity(item.seconds[1], "s")),
        change=signed_quantity(change, "s"),
        direction=_direction(change),
    )


def _ledger(ledger: Ledger) -> LedgerView:
    scale = max(ledger.latency.baseline, ledger.latency.candidate) or 1.0
    shown = [part for part in ledger.parts if _size(part) >= SMALL_SHARE * scale]
    views, begins = [], [0.0, 0.0]
    for number, part in enumerate(shown, 1):
        bars = []
        for side, value in enumerate((part.baseline, part.candidate)):
            width = 100 * max(value, 0.0) / scale
            width = min(width, 100 - begins[side])
            bars.append((round(begins[side], 2), round(width, 2)))
            begins[side] += width
        views.append(
            PartView(
                name=part.name,
                number=number,
                baseline=quantity(part.baseline, "s"),
                candidate=quantity(part.candidate, "s"),
                amount=signed_quantity(part.amount, "s"),
                interval=_interval(part.low, part.high),
                direction=_direction(part.amount),
                bars=tuple(bars),
            )
        )
    return LedgerView(
        baseline=quantity(ledger.latency.baseline, "s"),
        candidate=quantity(ledger.latency.candidate, "s"),
        parts=tuple(views),
    )


def _size(part: LedgerPart) -> float:
    return max(abs(part.baseline), abs(part.candidate))


def _interval(low: float, high: float) -> str:
    if not math.isfinite(low) or not math.isfinite(high):
        return ""
    return f"{signed_quantity(low, 's')} to {signed_quantity(high, 's')}"


def _direction(amount: float) -> str:
    return "more" if amount > 0 else "less"
