"""What requests of the garbage practice leave behind has to be collected."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

import pytest

from target_app.core.config import Settings
from target_app.core.database import Resources
from target_app.practices import garbage_collection as practice

REQUESTS = 2 * practice.LIVING


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_rings_stay_until_a_collection_finds_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(practice, "OBJECTS", 100)
    handler = practice.usual(Resources(Settings()))
    work = cast(Callable[[int], Awaitable[object]], handler)

    async def requests() -> None:
        await work(1)  # sets the service up
        gc.disable()
        gc.collect()
        for number in range(REQUESTS):
            await work(number)

    asyncio.run(requests())
    # Those that are no longer kept, whole: nothing went by counting references.
    assert gc.collect() >= (REQUESTS - practice.LIVING) * practice.PER_REQUEST
