"""Background tasks: a sign-up sends a welcome mail, which takes 30 ms.

The guide: "Create a user and send welcome email in background"; "Implemented
background tasks for non-critical operations".
"""

import asyncio
import time
from typing import Annotated

from fastapi import BackgroundTasks, Query

from target_app.core.counts import Counts, Guard, execution_place
from target_app.core.database import Resources
from target_app.practices import Handler, Practice, Variant
from target_app.schemas import Accepted

MAIL_SECONDS = 0.03
Number = Annotated[int, Query(ge=0, le=1_000_000, description="The user")]


async def _welcome(counts: Counts) -> None:
    """Simulate sending a mail with an asynchronous library."""
    await asyncio.sleep(MAIL_SECONDS)
    counts.events["sent " + execution_place()] += 1


def _welcome_blocking(counts: Counts) -> None:
    """Simulate sending a mail with a blocking library."""
    time.sleep(MAIL_SECONDS)
    counts.events["sent " + execution_place()] += 1


def _accepted(number: int) -> Accepted:
    return Accepted(email=f"user{number}@example.com")


def inline(resources: Resources) -> Handler:
    """Before: the answer waits until the mail is sent."""
    counts = resources.counts

    async def sign_up(number: Number) -> Accepted:
        counts.count_request()
        await _welcome(counts)
        return _accepted(number)

    return sign_up


def background(resources: Resources) -> Handler:
    """After: the mail is sent after the answer."""
    counts = resources.counts

    async def sign_up(number: Number, tasks: BackgroundTasks) -> Accepted:
        counts.count_request()
        counts.events["put off"] += 1
        tasks.add_task(_welcome, counts)
        return _accepted(number)

    return sign_up


def background_threads(resources: Resources) -> Handler:
    """After, with a blocking library: each mail occupies one of AnyIO's 40 threads."""
    counts = resources.counts

    async def sign_up(number: Number, tasks: BackgroundTasks) -> Accepted:
        counts.count_request()
        counts.events["put off"] += 1
        tasks.add_task(_welcome_blocking, counts)
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
