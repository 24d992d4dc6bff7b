"""Calls to another service: five calls of 20 ms for one answer.

The guide: "Fetch data from multiple URLs concurrently"; "Limit concurrent requests
to external services". Its own example opens a client for every call.
"""

import asyncio
from typing import Annotated

from fastapi import Query
from httpx import AsyncClient

from target_app.core.counts import Counts, Guard
from target_app.core.database import Resources
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import Square

CALLS = 5
CALL_MILLISECONDS = 20
MAX_CONCURRENT_CALLS = 10
First = Annotated[int, Query(ge=0, le=1_000_000, description="The first number")]


async def _call(client: AsyncClient, number: int, counts: Counts) -> Square:
    counts.events["call"] += 1
    query = {"number": number, "milliseconds": CALL_MILLISECONDS}
    response = await client.get("/answer", params=query)
    response.raise_for_status()
    return Square.model_validate_json(response.content)


def sequential(resources: Resources) -> Handler:
    """Before: one call after the other."""
    client, counts = resources.downstream, resources.counts

    async def squares(first: First) -> list[Square]:
        counts.count_request()
        return [await _call(client, first + i, counts) for i in range(CALLS)]

    return squares


def gathered(resources: Resources) -> Handler:
    """After: all calls at once, with a client that keeps its connections."""
    client, counts = resources.downstream, resources.counts

    async def squares(first: First) -> list[Square]:
        counts.count_request()
        counts.events["gather"] += 1
        calls = (_call(client, first + i, counts) for i in range(CALLS))
        return await asyncio.gather(*calls)

    return squares


def bounded(resources: Resources) -> Handler:
    """After: all calls at once, but at most ten in the whole process."""
    client, counts = resources.downstream, resources.counts
    semaphore = asyncio.Semaphore(MAX_CONCURRENT_CALLS)

    async def fetch(number: int) -> Square:
        async with semaphore:
            counts.events["with a limit"] += 1
            return await _call(client, number, counts)

    async def squares(first: First) -> list[Square]:
        counts.count_request()
        counts.events["gather"] += 1
        return await asyncio.gather(*(fetch(first + i) for i in range(CALLS)))

    return squares


def client_per_call(resources: Resources) -> Handler:
    """As in the guide: all calls at once, each with a client of its own."""
    counts = resources.counts

    async def fetch(number: int) -> Square:
        async with resources.downstream_client() as client:
            return await _call(client, number, counts)

    async def squares(first: First) -> list[Square]:
        counts.count_request()
        counts.events["gather"] += 1
        return await asyncio.gather(*(fetch(first + i) for i in range(CALLS)))

    return squares


_NEEDS = ("downstream_url",)
_SHARED_CLIENT = {"client": 0.5}
PRACTICE = Practice(
    guide="Asynchronous Programming > Asynchronous Patterns",
    variants={
        "sequential": Variant(
            sequential,
            Guard({"call": CALLS}, at_most={"gather": 0, **_SHARED_CLIENT}),
            _NEEDS,
        ),
        "gathered": Variant(
            gathered,
            Guard({"call": CALLS, "gather": 1}, at_most=_SHARED_CLIENT),
            _NEEDS,
        ),
        "bounded": Variant(
            bounded,
            Guard({"call": CALLS, "with a limit": CALLS}, at_most=_SHARED_CLIENT),
            _NEEDS,
        ),
        "client_per_call": Variant(
            client_per_call,
            Guard({"call": CALLS, "gather": 1, "client": CALLS}),
            _NEEDS,
        ),
    },
)
