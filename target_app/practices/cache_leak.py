"""A cache without an end: answers of 20 kB, each for a key that comes only once.

The guide: "Memory usage grows over time"; "Use weakref for caching, implement proper
cleanup". A weak reference keeps nothing by itself: it helps where something else holds
the value for as long as it is needed.
"""

from collections import OrderedDict
from typing import Annotated
from weakref import WeakValueDictionary

from fastapi import Query

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import Digest

SIZE, MOST, RECENT = 20_000, 100, 10
Number = Annotated[int, Query(ge=0, le=2**31, description="A key")]


class Report:
    """Something that takes room; plain dictionaries and texts cannot be weak."""

    def __init__(self, number: int) -> None:
        """Take room."""
        self.value = number
        self.room = bytearray(SIZE)


def unbounded(resources: Resources) -> Handler:
    """Before: what was once asked for is kept for ever."""
    counts = resources.counts
    kept: dict[int, Report] = {}

    async def read_report(number: Number) -> Digest:
        counts.request()
        if number not in kept:
            kept[number] = Report(number)
            counts.events["kept"] = len(kept)
        return Digest(value=kept[number].value)

    return read_report


def bounded(resources: Resources) -> Handler:
    """After: the hundred that were asked for last are kept."""
    counts = resources.counts
    kept: OrderedDict[int, Report] = OrderedDict()

    async def read_report(number: Number) -> Digest:
        counts.request()
        report = kept.get(number) or Report(number)
        kept[number] = report
        kept.move_to_end(number)
        if len(kept) > MOST:
            kept.popitem(last=False)
            counts.events["dropped"] += 1
        return Digest(value=report.value)

    return read_report


def weak(resources: Resources) -> Handler:
    """After, as the guide advises: kept as long as somebody else holds it."""
    counts = resources.counts
    kept: WeakValueDictionary[int, Report] = WeakValueDictionary()
    recent: OrderedDict[int, Report] = OrderedDict()  # somebody else

    async def read_report(number: Number) -> Digest:
        counts.request()
        report = kept.get(number) or Report(number)
        kept[number] = recent[number] = report
        recent.move_to_end(number)
        if len(recent) > RECENT:
            recent.popitem(last=False)
        counts.events["kept weakly"] = len(kept)
        return Digest(value=report.value)

    return read_report


PRACTICE = Practice(
    guide="Common Pitfalls and Solutions > Memory Leaks in Long-Running Processes",
    variants={
        "unbounded": Variant(unbounded, Guard(at_least={"kept": 0.1})),
        "bounded": Variant(bounded, Guard(at_most={"kept": 0})),
        "weak": Variant(weak, Guard(at_least={"kept weakly": 1e-9})),
    },
)
