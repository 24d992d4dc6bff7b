"""Causes in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.analysis.attribution.rounds import Difference
from assay.wording import fixed, quantity

if TYPE_CHECKING:
    from assay.analysis.attribution.causes import Attributed, Group
    from assay.analysis.attribution.frontier import Frontier

NAMED = 4  # functions that a sentence names at most
SAME_COUNT = 0.05  # counts that differ by a smaller share are the same


def of(one: Attributed) -> str:
    """Say what a kind of cause costs or saves, where, and how that comes about."""
    kind, total, groups = one.kind, one.total, one.groups
    first = groups[0] if groups else None
    word = "more" if total.amount > 0 else "less"
    amount = quantity(abs(total.amount), "s")
    if kind == "cpu":
        return f"Each request takes {amount} {word} CPU time{_in(one.frontier)}."
    if kind in ("queries", "other services"):
        return _calls(one, amount, word)
    if kind == "blocked event loop":
        return _blocked(total, amount, word, first)
    if kind == "garbage collection":
        return f"Garbage collection takes {amount} {word} of each request."
    if kind == "thread pool" and any(counts_differ(group.count) for group in groups):
        return _hops(one, amount, word)
    waited = {
        "thread pool": "a worker thread",
        "connection pool": "a pooled connection",
        "lock": "a lock",
    }[kind]
    sentence = f"Each request waits {amount} {word} for {waited}"
    if first is None:
        return sentence + "."
    if first.resource:
        sentence += f" ({first.resource})"
    if first.place:
        sentence += f": {first.place} waits"
        sentence += f" {quantity(first.seconds.candidate, 's')} instead of "
        sentence += quantity(first.seconds.baseline, "s")
    if first.holder and first.holder != first.place:
        verb = "holds" if total.amount > 0 else "held"
        sentence += f", while {first.holder} {verb} it"
    return sentence + "."


def _hops(one: Attributed, amount: str, word: str) -> str:
    """Say how often requests change to a worker thread, and for what."""
    changed = [group for group in one.groups if counts_differ(group.count)]
    sides = [
        sum(getattr(group.count, side) for group in changed)
        for side in ("candidate", "baseline")
    ]
    names = [str(group.place) for group in changed if group.place][:NAMED]
    for_what = f", for {', '.join(names)}" if names else ""
    around = f" and {quantity(abs(one.cpu), 's')} CPU time around it" if one.cpu else ""
    return (
        f"Each request spends {amount} {word} on worker threads{around}: it changes to "
        f"one {_times(sides[0])} instead of {_times(sides[1])}{for_what}."
    )


def counts_differ(count: Difference) -> bool:
    """Say whether something is done more often on one side, or less."""
    return abs(count.amount) > SAME_COUNT * max(count.baseline, count.candidate)


def _in(place: Frontier | None) -> str:
    """Say where CPU time is spent, as the end of a sentence."""
    if place is None:
        return ""
    carried = quantity(abs(place.seconds.amount), "s")
    if not place.own:
        return f", {carried} of it in {place.inside}"
    if place.inside:
        return f", {carried} of it in {place.inside}, called by {place.own}"
    return f", {carried} of it in {place.own}"


def _calls(one: Attributed, amount: str, word: str) -> str:
    groups = one.groups
    noun = "queries" if one.kind == "queries" else "calls to other services"
    spends = f"Each request spends {amount} {word} in {noun}"
    if one.cpu:
        cpu = quantity(abs(one.cpu), "s")
        spends += f" and the CPU time around them ({cpu})"
    if not groups:
        return f"{spends}."
    first = groups[0]
    count = first.count
    where = f"{first.place} sends" if first.place else "it sends"
    if not counts_differ(count):
        each = [
            quantity(seconds / max(number, 1e-12), "s")
            for seconds, number in (
                (first.seconds.candidate, count.candidate),
                (first.seconds.baseline, count.baseline),
            )
        ]
        return (
            f"{spends}: `{first.resource}`, which "
            f"{where}, takes {each[0]} instead of {each[1]}."
        )
    return (
        f"{spends}: {where} "
        f"`{first.resource}` {_times(count.candidate)} instead of "
        f"{_times(count.baseline)} per request."
    )


def _blocked(total: Difference, amount: str, word: str, first: Group | None) -> str:
    sentence = f"Each request spends {amount} {word} on a blocked event loop"
    if first is None or first.place is None:
        return sentence + "."
    longest = quantity(first.longest, "s")
    verb = "blocks" if total.amount > 0 else "blocked"
    return f"{sentence}: {first.place} {verb} it for everybody, for up to {longest}."


def _times(count: float) -> str:
    if abs(count - round(count)) < 0.05:
        number = round(count)
        return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")
    return f"{fixed(count, 2 if count < 1 else 1)} times"
