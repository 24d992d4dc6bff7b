"""Garbage collection: a service with many objects that live forever.

The guide: "warm-up procedures", "startup optimization". A full collection examines all
objects except frozen ones. It runs when enough objects have become old. Here the
objects of the last 50 requests stay alive, so that they become old.
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

OBJECTS = 300_000
OBJECTS_PER_REQUEST = 200
KEPT_REQUESTS = 50  # the objects of this many requests stay alive
USUAL_THRESHOLDS = gc.get_threshold()  # the interpreter's own, at the start
RARE_THRESHOLDS = (50_000, 20, 50)
Number = Annotated[int, Query(ge=0, le=1_000_000, description="Any number")]


class Node:
    """An object that refers to another one, so that the collector must examine it."""

    def __init__(self, value: int, other: "Node | None" = None) -> None:
        """Set the value and the reference."""
        self.value, self.other = value, other


def _handler(resources: Resources, prepare: Callable[[], None]) -> Handler:
    counts = resources.counts
    permanent: list[Node] = []
    recent: deque[Node] = deque(maxlen=KEPT_REQUESTS)
    frozen = False

    async def work(number: Number) -> Digest:
        nonlocal frozen
        counts.count_request()
        if not permanent:  # not at the start, because it takes a while
            permanent.extend(Node(value) for value in range(OBJECTS))
            prepare()
            frozen = gc.get_freeze_count() > 0  # asked only once, because it is slow
        counts.events["frozen"] += frozen
        counts.events["rarely"] += gc.get_threshold()[0] >= RARE_THRESHOLDS[0]
        # A cycle of objects is freed only by the garbage collector.
        first = last = Node(0)
        for value in range(1, OBJECTS_PER_REQUEST):
            last = Node(value, last)
        first.other = last
        recent.append(last)
        return Digest(value=permanent[number % OBJECTS].value)

    return work


def usual(resources: Resources) -> Handler:
    """Before: the interpreter's default settings."""

    def prepare() -> None:
        gc.unfreeze()
        gc.set_threshold(*USUAL_THRESHOLDS)

    return _handler(resources, prepare)


def frozen(resources: Resources) -> Handler:
    """After: the permanent objects are frozen, so that they are not examined again."""

    def prepare() -> None:
        gc.set_threshold(*USUAL_THRESHOLDS)
        gc.collect()
        gc.freeze()

    return _handler(resources, prepare)


def rarely(resources: Resources) -> Handler:
    """After: frozen, too; a collection runs only after 50 000 new objects."""

    def prepare() -> None:
        gc.set_threshold(*RARE_THRESHOLDS)
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
