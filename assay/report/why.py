"""Show why the sides of a pair differ: causes, and where the time goes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from assay.observations import Source
from assay.results import (
    CallCount,
    Cause,
    Ledger,
    LedgerPart,
    Outgoing,
    Results,
)
from assay.wording import one_line, percent, quantity, signed_quantity, significant

# Parts below this share of the latency on both sides are merged into one line.
SMALL_SHARE = 0.01
REST = "the rest"
NO_SOURCES: Mapping[str, Source] = MappingProxyType({})


@dataclass(frozen=True)
class CauseView:
    """A cause as text.

    Attributes:
        per: The unit that the amount refers to: a request, or a start.
        source: Lines of the user's code around the place of the cause: number, text,
            and whether the line is the place itself.
        changed: Whether the cause lies in code that changed between the two commits.
        hunk: The changed lines of that code, and whether each was added.
    """

    kind: str
    sentence: str
    amount: str
    per: str
    interval: str
    share: str
    direction: str
    where: str
    source: tuple[tuple[int, str, bool], ...]
    changed: bool
    hunk: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class PartView:
    """A part of the ledger: its numbers as text, and its section of each side's bar.

    Attributes:
        bars: For each side, where the section begins and how wide it is, in percent.
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
    """A query or call that the sides send, with its counts and times, as text."""

    text: str
    where: str
    counts: tuple[str, str]
    times: tuple[str, str]
    change: str
    direction: str


@dataclass(frozen=True)
class WhyView:
    """Everything that the page shows about why the sides of a pair differ.

    Attributes:
        calls: Functions that one side calls more often, with the calls per request of
            both sides.
        cost: A sentence on the cost of profiling itself; empty if unknown.
        is_cpu: Whether CPU time is among the causes.
    """

    causes: tuple[CauseView, ...]
    ledger: LedgerView | None
    outgoing: tuple[OutgoingView, ...]
    calls: tuple[tuple[str, str, str], ...]
    cost: str
    is_cpu: bool


def why(
    results: Results,
    topic: str,
    pair: tuple[str, str],
    sources: Mapping[str, Source] = NO_SOURCES,
) -> WhyView:
    """Return the causes of the difference between the two sides of a pair.

    The ledger is included if both sides were profiled in rounds.

    Args:
        results: The results of the run.
        topic: The topic's name.
        pair: Baseline and candidate.
        sources: Lines of the user's code, by place.
    """

    def is_of_pair(item: Cause | Ledger | Outgoing | CallCount) -> bool:
        return (item.topic, item.baseline, item.candidate) == (topic, *pair)

    ledger = next(filter(is_of_pair, results.ledgers), None)
    causes = list(filter(is_of_pair, results.causes))
    return WhyView(
        causes=tuple(_cause(cause, sources.get(cause.where)) for cause in causes),
        ledger=_ledger(ledger) if ledger else None,
        outgoing=tuple(
            _outgoing(item) for item in filter(is_of_pair, results.outgoing)
        ),
        calls=tuple(
            (item.where, significant(item.counts[0], 3), significant(item.counts[1], 3))
            for item in filter(is_of_pair, results.calls)
        ),
        cost=_cost(results, topic, pair, ledger) if ledger else "",
        is_cpu=any(cause.kind in ("cpu", "calls") for cause in causes),
    )


def _cost(results: Results, topic: str, pair: tuple[str, str], ledger: Ledger) -> str:
    """Return a sentence on how much more CPU time a request takes while profiled."""
    if ledger.request:
        return (
            f"Only `{one_line(ledger.request)}` was sent while this was profiled, "
            f"because it differs by itself ({significant(ledger.rate)} arrivals a "
            "second)."
        )
    without = {
        value.variant: value.value
        for value in results.values
        if (value.topic, value.metric) == (topic, "cpu_per_request")
    }
    if not all(without.get(name) for name in pair) or not all(ledger.cpu):
        return ""
    factors = [
        f"{significant(profiled / without[name], 2)}×"
        for name, profiled in zip(pair, ledger.cpu, strict=True)
    ]
    rate = f", at {significant(ledger.rate)} arrivals a second" if ledger.rate else ""
    return (
        f"While it was profiled{rate}, a request took {factors[0]} (A) and "
        f"{factors[1]} (B) of the CPU time that it took in the measured slices."
    )


def _cause(cause: Cause, source: Source | None) -> CauseView:
    share = ""
    if cause.share is not None and 0 < cause.share:
        share = f"{percent(min(cause.share, 1.0))} of the difference"
    return CauseView(
        kind=cause.kind,
        sentence=cause.sentence,
        amount=signed_quantity(cause.amount, cause.unit),
        per="start" if cause.metric == "startup" else "request",
        interval=_interval(cause.low, cause.high, cause.unit),
        share=share,
        direction=_direction(cause.amount),
        where=cause.where,
        source=(
            tuple(
                (number, text, number == source.line)
                for number, text in enumerate(source.lines, source.first)
            )
            if source
            else ()
        ),
        changed=cause.changed,
        hunk=tuple((one_line(text), text.startswith("+")) for text in cause.hunk),
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
    shown = _shown(ledger.parts, SMALL_SHARE * scale)
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


def _shown(parts: Sequence[LedgerPart], least: float) -> list[LedgerPart]:
    """Return the large parts, the sum of the small ones, and the unexplained part."""
    *counted, unexplained = parts
    shown = [part for part in counted if _size(part) >= least]
    small = [part for part in counted if _size(part) < least]
    if small:
        rest = {
            name: sum(getattr(part, name) for part in small)
            for name in ("baseline", "candidate", "amount")
        }
        shown.append(LedgerPart(name=REST, low=-math.inf, high=math.inf, **rest))
    return [*shown, unexplained]


def _size(part: LedgerPart) -> float:
    return max(abs(part.baseline), abs(part.candidate))


def _interval(low: float, high: float, unit: str = "s") -> str:
    if not math.isfinite(low) or not math.isfinite(high):
        return ""
    return f"{signed_quantity(low, unit)} to {signed_quantity(high, unit)}"


def _direction(amount: float) -> str:
    return "more" if amount > 0 else "less"
