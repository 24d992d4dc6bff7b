"""In the practice `garbage_collection`, only the collector frees requests' objects."""

import asyncio
import gc
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

import pytest

from target_app.core.config import Settings
from target_app.core.database import Resources
from target_app.practices import garbage_collection as practice

REQUESTS = 2 * practice.KEPT_REQUESTS


@pytest.fixture(autouse=True)
def _restore_gc() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_cycles_stay_until_a_collection_finds_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(practice, "OBJECTS", 100)
    handler = practice.usual(Resources(Settings()))
    work = cast(Callable[[int], Awaitable[object]], handler)

    async def requests() -> None:
        await work(1)  # makes the permanent objects
        gc.disable()
        gc.collect()
        for number in range(REQUESTS):
            await work(number)

    asyncio.run(requests())
    # Reference counting has freed none of the objects of earlier requests.
    earlier_requests = REQUESTS - practice.KEPT_REQUESTS
    assert gc.collect() >= earlier_requests * practice.OBJECTS_PER_REQUEST


def test_the_usual_thresholds_are_those_of_the_interpreter() -> None:
    program = (
        "import gc; gc.set_threshold(123, 4, 5)\n"
        "from target_app.practices import garbage_collection\n"
        "print(garbage_collection.USUAL_THRESHOLDS)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.startswith("(123, 4, ")
