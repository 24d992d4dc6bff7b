"""A cache that expires: is the value loaded again by one request, or by all of them?

The guide (see PRACTICE) shows a cache where every request that misses loads the value
itself. When a popular value expires, many requests miss at the same time.
"""

import asyncio
import time
from typing import Annotated

from fastapi import Query

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import MonthSales
from target_app.services.sales import MONTHS, load_sales

EXPIRY = 0.25  # seconds; short, so that a slice contains expiries
Month = Annotated[int, Query(ge=0, lt=MONTHS, description="Months since the start")]


def everybody(resources: Resources) -> Handler:
    """Before: each request that misses queries the database."""
    sessions, counts = resources.postgres, resources.counts
    cache: dict[int, tuple[float, MonthSales]] = {}

    def load(month: int) -> MonthSales:
        counts.events["load"] += 1
        with sessions() as session:
            return load_sales(session, month)

    async def read_sales(month: Month) -> MonthSales:
        counts.count_request()
        expiry, sales = cache.get(month, (0.0, None))
        if sales is None or time.monotonic() >= expiry:
            counts.events["miss"] += 1
            sales = await asyncio.to_thread(load, month)
            cache[month] = (time.monotonic() + EXPIRY, sales)
        return sales

    return read_sales


def one_flight(resources: Resources) -> Handler:
    """After: the first miss queries the database; the others wait for its result."""
    sessions, counts = resources.postgres, resources.counts
    cache: dict[int, tuple[float, MonthSales]] = {}
    loading: dict[int, asyncio.Task[MonthSales]] = {}

    def load(month: int) -> MonthSales:
        counts.events["load"] += 1
        with sessions() as session:
            return load_sales(session, month)

    async def refresh(month: int) -> MonthSales:
        try:
            sales = await asyncio.to_thread(load, month)
            cache[month] = (time.monotonic() + EXPIRY, sales)
            return sales
        finally:
            del loading[month]

    async def read_sales(month: Month) -> MonthSales:
        counts.count_request()
        expiry, sales = cache.get(month, (0.0, None))
        if sales is None or time.monotonic() >= expiry:
            counts.events["miss"] += 1
            if month not in loading:
                loading[month] = asyncio.create_task(refresh(month))
            # Shielded, so that a client that disconnects cannot cancel it for all.
            sales = await asyncio.shield(loading[month])
        return sales

    return read_sales


_NEEDS = ("database_url",)
PRACTICE = Practice(
    guide="Performance Optimization > Caching Strategies",
    variants={
        "everybody": Variant(everybody, Guard(at_least={"load": 0.001}), _NEEDS),
        "one_flight": Variant(one_flight, Guard(at_most={"load": 0.5}), _NEEDS),
    },
)
