"""What the probe reports of coroutines that await things it has no kind for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.observations import Observation
from assay.profilers.probe import Probe
from tests.integration.awaiting_app import LONG, SHORT
from tests.integration.test_probe import Served, one, start
from tests.repeated import repeated

APP = Path(__file__).with_name("awaiting_app.py")
KIND = "await"


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    if request.param == "uvloop":
        pytest.importorskip("uvloop")
    folder = tmp_path_factory.mktemp("awaiting")
    child, url = start(folder, request.param, app=APP)
    try:
        yield Served(url, Probe(folder / "probe"))
    finally:
        child.stop()


def seconds(seen: list[Observation]) -> float:
    """Return the seconds that a request spends in all waits of this kind."""
    return sum(item.amount.seconds for item in seen if item.event.kind == KIND)


def line_of(item: Observation) -> str:
    assert item.event.place is not None
    return APP.read_text().splitlines()[item.event.place.line - 1].strip()


@pytest.mark.parametrize(
    "path, function, resource, line",
    [
        ("/sleep", "nap", "asyncio.sleep", "await asyncio.sleep(LONG)"),
        ("/gather", "nap", "asyncio.sleep", "await asyncio.sleep(LONG)"),
        ("/process", "run", "asyncio.Process.wait", "await process.wait()"),
        ("/stream", "read", "asyncio.StreamReader.readline", "await reader.readline()"),
        ("/streaming", "lines", "asyncio.sleep", "await asyncio.sleep(LONG / 2)"),
        ("/dependency", "session", "asyncio.sleep", "await asyncio.sleep(LONG)"),
    ],
)
def test_a_wait_is_named_with_its_line_and_counts_once(
    served: Served, path: str, function: str, resource: str, line: str
) -> None:
    seen = served.observe(path)
    wait = one(seen, KIND, function)
    assert (wait.event.resource, line_of(wait)) == (resource, line)
    # A sleep may end too early by the resolution of the clock. Time after it belongs to
    # other parts, so the wait is not much longer than the sleep.
    assert 0.95 * LONG < seconds(seen)
    if resource == "asyncio.sleep":
        assert seconds(seen) < 1.2 * LONG


@repeated
def test_calls_at_the_same_time_count_once(served: Served) -> None:
    alone, at_once = (
        {
            kind: sum(item.amount.seconds for item in seen if item.event.kind == kind)
            for kind in ("other service", "at once: other service", KIND)
        }
        for seen in map(served.observe, ("/one-by-one", "/at-once"))
    )
    one = at_once["other service"]
    # Each service takes LONG. CPU time that others use meanwhile is not included.
    assert 0.95 * LONG < one < 1.25 * LONG
    assert alone["other service"] > 1.6 * one
    assert at_once["at once: other service"] > 0.8 * one
    assert alone["at once: other service"] < 0.2 * one
    assert max(alone[KIND], at_once[KIND]) < 0.2 * LONG


def test_an_event_of_another_task_is_named(served: Served) -> None:
    wait = one(served.observe("/queue"), KIND, "ask")
    assert wait.event.resource == "asyncio.Event.wait"
    assert wait.amount.seconds > 0.95 * SHORT


@pytest.mark.parametrize("path", ["/thread", "/executor"])
def test_the_wait_for_a_worker_thread_is_counted_by_the_thread(
    served: Served, path: str
) -> None:
    seen = served.observe(path)
    in_threads = [item for item in seen if item.event.kind == "other wait"]
    assert sum(item.amount.seconds for item in in_threads) > 0.9 * LONG
    assert seconds(seen) < 0.2 * LONG


def test_a_wait_that_has_a_name_is_not_counted_again(served: Served) -> None:
    seen = served.observe("/lock")
    assert one(seen, "lock", "held").amount.seconds > SHORT
    assert 0.95 * SHORT < seconds(seen) < 1.5 * SHORT  # the holder's own sleep


@pytest.mark.parametrize("path", ["/background", "/forgotten"])
def test_what_goes_on_after_the_answer_does_not_count(
    served: Served, path: str
) -> None:
    assert seconds(served.observe(path)) < 0.2 * LONG
