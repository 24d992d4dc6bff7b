import asyncio
import threading

import anyio.to_thread
from hypothesis import given
from hypothesis import strategies as st

from target_app.core.counts import Counts, Guard, execution_place


def counted(requests: int, **events: int) -> Counts:
    counts = Counts()
    counts.requests = requests
    counts.events.update(events)
    return counts


def test_execution_place_tells_the_loop_from_either_pool() -> None:
    async def places() -> tuple[str, str, str]:
        return (
            execution_place(),
            await anyio.to_thread.run_sync(execution_place),
            await asyncio.to_thread(execution_place),
        )

    assert asyncio.run(places()) == (
        "on the event loop",
        "in AnyIO's pool",
        "in another thread",
    )


def test_a_request_is_counted_where_it_runs() -> None:
    counts = Counts()
    thread = threading.Thread(target=counts.count_request)
    thread.start()
    thread.join()
    assert counts.requests == 1
    assert counts.events == {"handler in another thread": 1}


@given(st.integers(1, 10**6), st.integers(1, 30))
def test_exact_events_hold_and_one_more_per_request_does_not(
    requests: int, each: int
) -> None:
    guard = Guard({"query": each})
    assert guard.judge(counted(requests, query=requests * each))[0]
    if each < 20:  # otherwise one more is within the tolerance
        assert not guard.judge(counted(requests, query=requests * (each + 1)))[0]


def test_a_share_must_be_reached() -> None:
    guard = Guard(at_least={"hit": 0.5})
    assert guard.judge(counted(10, hit=5))[0]
    ok, detail = guard.judge(counted(10, hit=4))
    assert not ok
    assert detail == "hit: 0.4 per request, at least 0.5"


def test_a_guard_fails_before_the_first_request() -> None:
    ok, detail = Guard({"query": 1}).judge(Counts())
    assert not ok
    assert "no request" in detail
