"""Garbage collection: a service with many objects, of which nearly all stay.

The guide: "warm-up procedures", "startup optimization". A full collection looks at
every object there is; those that were frozen after the start are spared. It comes when
enough objects have grown old, so what requests leave behind lives for a while here.
"""

import gc
from collections import deque
from collections.abc import Callable
from typing import Annotated

from fastapi import Query

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import Digest

OBJECTS, PER_REQUEST, RARELY = 300_000, 200, 50_000
LIVING = 50  # requests, for which what one made is kept
USUAL = (700, 10, 10)  # Python's own thresholds
Number = Annotated[int, Query(ge=0, le=1_000_000, description="Any number")]


class Node:
    """An object that refers to another: what the collector has to follow."""

    def __init__(self, value: int, other: "Node | None" = None) -> None:
        """Keep both."""
        self.value, self.other = value, other


def _handler(resources: Resources, prepare: Callable[[], None]) -> Handler:
    counts = resources.counts
    kept: list[Node] = []
    recent: deque[Node] = deque(maxlen=LIVING)
    spared = False

    async def work(number: Number) -> Digest:
        nonlocal spared
        counts.request()
        if not kept:  # by the first request, since it takes a while
            kept.extend(Node(value) for value in range(OBJECTS))
            prepare()
            spared = gc.get_freeze_count() > 0  # once: it counts them one by one
        counts.events["frozen"] += spared
        counts.events["rarely"] += gc.get_threshold()[0] >= RARELY
        # Objects that refer to each other go only when they are collected.
        first = last = Node(0)
        for value in range(1, PER_REQUEST):
            last = Node(value, last)
        first.other = last
        recent.append(last)
        return Digest(value=kept[number % OBJECTS].value)

    return work


def usual(resources: Resources) -> Handler:
    """Before: as Python is set up."""

    def prepare() -> None:
        gc.unfreeze()
        gc.set_threshold(*USUAL)

    return _handler(resources, prepare)


def frozen(resources: Resources) -> Handler:
    """After: what is there at the start is not looked at again."""

    def prepare() -> None:
        gc.set_threshold(*USUAL)
        gc.collect()
        gc.freeze()

    return _handler(resources, prepare)


def rarely(resources: Resources) -> Handler:
    """After: the same, and fifty thousand objects make a collection, not 700."""

    def prepare() -> None:
        gc.set_threshold(RARELY, 20, 50)
        gc.collect()
        gc.freeze()

    return _handler(resources, prepare)


PRACTICE = Practice(
    guide="Common Pitfalls and Solutions > Slow Startup Time",
    variants={
        "usual": Variant(usual, Guard(at_most={"frozen": 0, "rarely": 0})),
        "frozen": Variant(frozen, Guard({"frozen": 1}, at_most={"rarely": 0})),
        "rarely": Variant(rarely, Guard({"frozen": 1, "rarely": 1})),
    },
)
