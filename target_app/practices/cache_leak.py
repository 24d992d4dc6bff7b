"""A cache without a limit: it stores reports of 20 kB, each requested only once.

The guide: "Memory usage grows over time"; "Use weakref for caching, implement proper
cleanup". A weak reference does not keep a value alive. It helps only if something else
holds the value as long as it is needed.
"""

from collections import OrderedDict
from typing import Annotated
from weakref import WeakValueDictionary

from fastapi import Query

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import Digest

REPORT_BYTES = 20_000
MAX_CACHED = 100
RECENT = 10  # reports that the variant `weak` holds
Number = Annotated[int, Query(ge=0, le=2**31, description="A key")]


class Report:
    """A report of 20 kB; unlike a bytearray, it can be referenced weakly."""

    def __init__(self, number: int) -> None:
        """Allocate the memory."""
        self.value = number
        self.content = bytearray(REPORT_BYTES)


def unbounded(resources: Resources) -> Handler:
    """Before: every report is kept forever."""
    counts = resources.counts
    cache: dict[int, Report] = {}

    async def read_report(number: Number) -> Digest:
        counts.count_request()
        if number not in cache:
            cache[number] = Report(number)
            counts.events["kept"] = len(cache)
        return Digest(value=cache[number].value)

    return read_report


def bounded(resources: Resources) -> Handler:
    """After: the hundred most recently used reports are kept."""
    counts = resources.counts
    cache: OrderedDict[int, Report] = OrderedDict()

    async def read_report(number: Number) -> Digest:
        counts.count_request()
        report = cache.get(number) or Report(number)
        cache[number] = report
        cache.move_to_end(number)
        if len(cache) > MAX_CACHED:
            cache.popitem(last=False)
            counts.events["dropped"] += 1
        return Digest(value=report.value)

    return read_report


def weak(resources: Resources) -> Handler:
    """After, as the guide advises: a report is kept while something else holds it."""
    counts = resources.counts
    cache: WeakValueDictionary[int, Report] = WeakValueDictionary()
    recent: OrderedDict[int, Report] = OrderedDict()  # keeps these reports alive

    async def read_report(number: Number) -> Digest:
        counts.count_request()
        report = cache.get(number) or Report(number)
        cache[number] = recent[number] = report
        recent.move_to_end(number)
        if len(recent) > RECENT:
            recent.popitem(last=False)
        counts.events["kept weakly"] = len(cache)
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
