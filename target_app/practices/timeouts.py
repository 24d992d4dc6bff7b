"""A deadline for slow calls: every tenth call takes 300 ms instead of 2 ms.

The guide: "Use timeouts for external requests". After the deadline the service answers
without the result.
"""

import asyncio
from typing import Annotated

from fastapi import Query
from httpx import AsyncClient

from target_app.core.counts import Counts, Guard
from target_app.core.database import Resources
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import Square

SLOW_CALL_INTERVAL = 10  # every tenth call is slow
SLOW_MILLISECONDS = 300
QUICK_MILLISECONDS = 2
DEADLINE_SECONDS = 0.05
Number = Annotated[int, Query(ge=0, le=1_000_000, description="Any number")]


async def _call(client: AsyncClient, number: int, counts: Counts) -> Square:
    counts.events["call"] += 1
    slow = number % SLOW_CALL_INTERVAL == 0
    milliseconds = SLOW_MILLISECONDS if slow else QUICK_MILLISECONDS
    query = {"number": number, "milliseconds": milliseconds}
    response = await client.get("/answer", params=query)
    response.raise_for_status()
    return Square.model_validate_json(response.content)


def patient(resources: Resources) -> Handler:
    """Before: the request waits as long as the call takes."""
    client, counts = resources.downstream, resources.counts

    async def square(number: Number) -> Square | None:
        counts.count_request()
        return await _call(client, number, counts)

    return square


def deadline(resources: Resources) -> Handler:
    """After: the service gives up on a call after 50 ms."""
    client, counts = resources.downstream, resources.counts

    async def square(number: Number) -> Square | None:
        counts.count_request()
        counts.events["deadline"] += 1
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await _call(client, number, counts)
        except TimeoutError:
            counts.events["given up"] += 1
            return None

    return square


_NEEDS = ("downstream_url",)
PRACTICE = Practice(
    guide="Asynchronous Programming > Task Cancellation",
    variants={
        "patient": Variant(
            patient, Guard({"call": 1}, at_most={"deadline": 0}), _NEEDS
        ),
        "deadline": Variant(deadline, Guard({"call": 1, "deadline": 1}), _NEEDS),
    },
)
