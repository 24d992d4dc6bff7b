"""Background tasks: a sign-up, after which a welcome has to be sent, in 30 ms.

The guide: "Create a user and send welcome email in background"; "Implemented
background tasks for non-critical operations".
"""

import asyncio
import time
from typing import Annotated

from fastapi import BackgroundTasks, Query

from target_app.core.counts import Counts, Guard, place
from target_app.core.database import Resources
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import Accepted

SECONDS = 0.03
Number = Annotated[int, Query(ge=0, le=1_000_000, description="Who signs up")]


async def _welcome(counts: Counts) -> None:
    """Stand for a mail, sent by a library that is asynchronous."""
    await asyncio.sleep(SECONDS)
    counts.events["sent " + place()] += 1


def _welcome_blocking(counts: Counts) -> None:
    """Stand for a mail, sent by a library that blocks."""
    time.sleep(SECONDS)
    counts.events["sent " + place()] += 1


def _accepted(number: int) -> Accepted:
    return Accepted(email=f"user{number}@example.com")


def inline(resources: Resources) -> Handler:
    """Before: the answer waits until the mail is sent."""
    counts = resources.counts

    async def sign_up(number: Number) -> Accepted:
        counts.request()
        await _welcome(counts)
        return _accepted(number)

    return sign_up


def background(resources: Resources) -> Handler:
    """After: the answer first, then the mail."""
    counts = resources.counts

    async def sign_up(number: Number, later: BackgroundTasks) -> Accepted:
        counts.request()
        counts.events["put off"] += 1
        later.add_task(_welcome, counts)
        return _accepted(number)

    return sign_up


def background_threads(resources: Resources) -> Handler:
    """After, with a library that blocks: each mail keeps one of AnyIO's 40 threads."""
    counts = resources.counts

    async def sign_up(number: Number, later: BackgroundTasks) -> Accepted:
        counts.request()
        counts.events["put off"] += 1
        later.add_task(_welcome_blocking, counts)
        return _accepted(number)

    return sign_up


PRACTICE = Practice(
    guide="Asynchronous Programming > Background Tasks",
    variants={
        "inline": Variant(
            inline, Guard({"sent on the event loop": 1}, at_most={"put off": 0})
        ),
        "background": Variant(
            background, Guard({"put off": 1}, at_most={"sent in AnyIO's pool": 0})
        ),
        "background_threads": Variant(
            background_threads,
            Guard({"put off": 1}, at_most={"sent on the event loop": 0}),
        ),
    },
)
