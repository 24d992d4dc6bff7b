"""A cache that expires: who loads the value again, one request or all of them?

The guide shows a cache that is filled by whoever misses. When a value that is asked
for often expires, everybody misses at once.
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

EXPIRY = 0.25  # seconds: so that it happens often enough to be measured
Month = Annotated[int, Query(ge=0, lt=MONTHS, description="Months since the start")]


def everybody(resources: Resources) -> Handler:
    """Before: each request that misses asks the database."""
    sessions, counts = resources.postgres, resources.counts
    kept: dict[int, tuple[float, MonthSales]] = {}

    def load(month: int) -> MonthSales:
        counts.events["load"] += 1
        with sessions() as session:
            return load_sales(session, month)

    async def read_sales(month: Month) -> MonthSales:
        counts.request()
        expiry, sales = kept.get(month, (0.0, None))
        if sales is None or time.monotonic() >= expiry:
            counts.events["miss"] += 1
            sales = await asyncio.to_thread(load, month)
            kept[month] = (time.monotonic() + EXPIRY, sales)
        return sales

    return read_sales


def one_flight(resources: Resources) -> Handler:
    """After: the first one asks, the others wait for its answer."""
    sessions, counts = resources.postgres, resources.counts
    kept: dict[int, tuple[float, MonthSales]] = {}
    flights: dict[int, asyncio.Task[MonthSales]] = {}

    def load(month: int) -> MonthSales:
        counts.events["load"] += 1
        with sessions() as session:
            return load_sales(session, month)

    async def refresh(month: int) -> MonthSales:
        try:
            sales = await asyncio.to_thread(load, month)
            kept[month] = (time.monotonic() + EXPIRY, sales)
            return sales
        finally:
            del flights[month]

    async def read_sales(month: Month) -> MonthSales:
        counts.request()
        expiry, sales = kept.get(month, (0.0, None))
        if sales is None or time.monotonic() >= expiry:
            counts.events["miss"] += 1
            if month not in flights:
                flights[month] = asyncio.create_task(refresh(month))
            # Shielded: one client that goes away must not take the answer from all.
            sales = await asyncio.shield(flights[month])
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
