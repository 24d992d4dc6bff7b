"""Start-up: a heavy library, imported at the start or when it is first needed.

The guide: "Application takes too long to start"; "Lazy loading of resources". With lazy
loading, the first request that needs the library is slow instead.
"""

import sys
from typing import Annotated

from fastapi import Query

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import Digest

HEAVY_LIBRARY = "pandas"
Number = Annotated[int, Query(ge=0, le=1_000_000, description="Any number")]


def _median(number: int) -> int:
    import pandas

    return int(pandas.Series([number, number + 1, number + 2]).median())


def eager(resources: Resources) -> Handler:
    """Before: imported at the start, even if no request needs it."""
    import pandas  # noqa: F401

    counts = resources.counts
    loaded = HEAVY_LIBRARY in sys.modules

    async def report(number: Number) -> Digest:
        counts.count_request()
        counts.events["there at the start"] += loaded
        return Digest(value=_median(number))

    return report


def lazy(resources: Resources) -> Handler:
    """After: imported by the first request that needs it."""
    counts = resources.counts
    loaded = HEAVY_LIBRARY in sys.modules

    async def report(number: Number) -> Digest:
        counts.count_request()
        counts.events["there at the start"] += loaded
        return Digest(value=_median(number))

    return report


PRACTICE = Practice(
    guide="Common Pitfalls and Solutions > Slow Startup Time",
    variants={
        "eager": Variant(eager, Guard({"there at the start": 1})),
        "lazy": Variant(lazy, Guard(at_most={"there at the start": 0})),
    },
)
