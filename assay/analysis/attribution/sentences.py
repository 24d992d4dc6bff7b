"""Causes in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay.analysis.attribution.rounds import Difference
from assay.wording import fixed, quantity

if TYPE_CHECKING:
    from assay.analysis.attribution.causes import Group

SAME_COUNT = 0.05  # counts that differ by a smaller share are the same


def of(kind: str, total: Difference, groups: Sequence[Group]) -> str:
    """Say what a kind of cause costs or saves, where, and how that comes about."""
    first = groups[0] if groups else None
    word = "more" if total.amount > 0 else "less"
    amount = quantity(abs(total.amount), "s")
    if kind == "cpu":
        return f"Each request takes {amount} {word} CPU time."
    if kind in ("queries", "other services"):
        return _calls(kind, total, amount, word, groups)
    if kind == "blocked event loop":
        return _blocked(total, amount, word, first)
    if kind == "garbage collection":
        return f"Garbage collection takes {amount} {word} of each request."
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


def _calls(
    kind: str, total: Difference, amount: str, word: str, groups: Sequence[Group]
) -> str:
    noun = "queries" if kind == "queries" else "calls to other services"
    if not groups:
        return f"Each request spends {amount} {word} in {noun}."
    first = groups[0]
    count = first.count
    same = abs(count.amount) <= SAME_COUNT * max(count.baseline, count.candidate)
    where = f"{first.place} sends" if first.place else "it sends"
    if same:
        each = [
            quantity(seconds / max(number, 1e-12), "s")
            for seconds, number in (
                (first.seconds.candidate, count.candidate),
                (first.seconds.baseline, count.baseline),
            )
        ]
        return (
            f"Each request spends {amount} {word} in {noun}: `{first.resource}`, which "
            f"{where}, takes {each[0]} instead of {each[1]}."
        )
    return (
        f"Each request spends {amount} {word} in {noun}: {where} "
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
