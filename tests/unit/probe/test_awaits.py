"""A request's coroutines run as before, and what they await counts once."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.probe.awaits import Awaits, is_http
from assay.probe.loops import Loops
from assay.probe.places import Project
from assay.probe.request import MOST, Request, current, shares
from assay.probe.steps import Steps
from assay.probe.totals import Totals

moments = st.integers(0, 50)


def awaits() -> Awaits:
    totals = Totals(Project([str(Path(__file__).parent)]))
    return Awaits(totals, Loops(totals))


def steps(coroutine: Any, is_child: bool = False) -> Steps:
    return Steps(coroutine, Request(), awaits(), is_child)


@given(st.lists(st.tuples(moments, moments)))
def test_time_counts_once_however_waits_overlap(spans: list[tuple[int, int]]) -> None:
    request = Request()
    counted = [request.count(*span, "query") for span in spans]
    moments = {moment for began, ended in spans for moment in range(began, ended)}
    assert sum(alone for alone, _ in counted) == len(moments)
    for (began, ended), (alone, at_once) in zip(spans, counted, strict=True):
        assert alone + at_once == max(0, ended - began)
        assert alone >= 0 and at_once >= 0


@given(st.lists(st.tuples(moments, moments)), st.tuples(moments, moments))
def test_a_wait_for_a_turn_counts_if_nothing_of_the_request_runs(
    runs: list[tuple[int, int]], turn: tuple[int, int]
) -> None:
    request = Request()
    ran: set[int] = set()
    for began, ended in runs:
        if began < ended:
            request.runs.add(began, ended)
            ran.update(range(began, ended))
    waited = set(range(*turn))
    assert request.ran_between(*turn) == len(ran & waited)
    assert request.count_turn(*turn) == len(waited - ran)
    assert request.count_turn(*turn) == 0  # a second task waits at the same time


@given(st.lists(st.tuples(st.booleans(), moments, moments)))
def test_idle_waits_count_each_moment_once(
    spans: list[tuple[bool, int, int]],
) -> None:
    """Tasks that wait at the same time, and run in between."""
    request = Request()
    ran: set[int] = set()
    counted: set[int] = set()
    for is_run, began, ended in spans:
        if began >= ended:
            continue
        span = set(range(began, ended))
        if is_run:
            request.runs.add(began, ended)
            ran |= span
        else:
            assert request.count_idle(began, ended) == len(span - counted - ran)
            counted |= span


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["pool", "query", "other service"]),
            st.integers(0, 30),
            st.integers(0, 30),
        ),
        max_size=12,
    )
)
def test_a_wait_for_a_pool_counts_before_the_use_of_its_connections(
    spans: list[tuple[str, int, int]],
) -> None:
    """Each second counts once, as what came first; a pool takes those of queries."""
    request = Request()
    seconds = {"pool": 0.0, "query": 0.0, "other service": 0.0}
    owners: dict[int, str] = {}
    for kind, began, ended in spans:
        span = range(began, ended)
        if kind == "pool":
            alone, twice = request.count_pooled(began, ended, "query")
            seconds["pool"] += alone
            seconds["query"] -= twice
            owners |= {n: kind for n in span if owners.get(n, "query") == "query"}
        else:
            seconds[kind] += request.count(began, ended, kind)[0]
            owners |= {n: kind for n in span if n not in owners}
    for kind, amount in seconds.items():
        assert amount == list(owners.values()).count(kind)


def test_shares_leave_out_the_wait_for_a_connection() -> None:
    kind = "other service"
    assert shares(10.0, 4.0, kind, 1.0) == (1.0, 0.0)  # outside of requests
    request = Request()
    token = current.set(request)
    try:
        request.count_pooled(10.0, 11.0, kind)
        assert shares(10.0, 4.0, kind, 1.0) == pytest.approx((1.0, 0.0))
        # Another call at the same time, which waited for no connection.
        assert shares(11.0, 4.0, kind) == pytest.approx((0.25, 0.75))
        assert shares(11.0, 1.0, kind, 1.0) == (1.0, 0.0)  # nothing is left
    finally:
        current.reset(token)


def test_spans_that_touch_are_one() -> None:
    request = Request()
    for second in range(100):
        assert request.runs.add(second, second + 1) == [(second, second + 1)]
    assert request.runs.add(0, 100) == [] and len(request.runs._spans) == 1


def test_a_long_stream_keeps_few_spans() -> None:
    request = Request()
    for second in range(5 * MOST):
        request.runs.add(second, second + 0.5)
    assert request.runs.overlap(0, 5 * MOST) <= MOST / 2
    request.since = 5 * MOST
    assert request.ran_between(5 * MOST - 1, 5 * MOST + 2) == 2.5


def test_what_goes_on_after_the_answer_does_not_count() -> None:
    request = Request()
    request.answered = 5.0
    assert request.count(3.0, 8.0, "query") == (2.0, 0.0)
    assert request.count(6.0, 8.0, "query") == (0.0, 0.0)
    assert (request.count_turn(4.0, 6.0), request.count_turn(6.0, 7.0)) == (1.0, 0.0)


class Error(Exception):
    """An error of the target's."""


async def returns() -> int:
    await asyncio.sleep(0)
    return 7


async def fails() -> int:
    await asyncio.sleep(0)
    raise Error


async def cleans_up(done: list[str], seconds: float = 60) -> None:
    try:
        await asyncio.sleep(seconds)
    finally:
        done.append("cleaned up")


def test_values_and_errors_pass() -> None:
    async def main() -> tuple[int, int]:
        task = asyncio.ensure_future(steps(returns(), is_child=True))
        return await steps(returns()), await task

    assert asyncio.run(main()) == (7, 7)
    for coroutine in (steps(fails()), steps(fails(), is_child=True)):

        async def wait(coroutine: Any = coroutine) -> int:
            return int(await coroutine)

        with pytest.raises(Error):
            asyncio.run(wait())


def test_a_task_can_be_cancelled() -> None:
    done: list[str] = []

    async def main() -> None:
        task = asyncio.ensure_future(steps(cleans_up(done), is_child=True))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert done == ["cleaned up"]


def test_a_coroutine_that_is_given_up_is_closed() -> None:
    done: list[str] = []
    running = steps(cleans_up(done, 0))
    running.send(None)
    running.close()
    assert done == ["cleaned up"]


class Body:
    """Something large that a request holds."""


def test_an_error_that_passes_keeps_nothing_alive() -> None:
    kept: list[weakref.ref[Body]] = []

    async def holds() -> None:
        body = Body()
        kept.append(weakref.ref(body))
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.ensure_future(steps(holds(), is_child=True))
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass

    gc.collect()
    gc.disable()
    try:
        asyncio.run(main())
        assert [reference() for reference in kept] == [None]
    finally:
        gc.enable()


def test_only_the_coroutines_of_a_request_that_runs_are_stepped() -> None:
    observer = awaits()
    coroutine = returns()

    def generator() -> Iterator[int]:
        yield 1

    assert observer.child(coroutine) is coroutine
    request = Request()
    token = current.set(request)
    try:
        assert isinstance(observer.child(coroutine), Steps)
        other = generator()
        assert observer.child(other) is other  # asyncio refuses it, as before
        request.answered = 1.0
        assert observer.child(coroutine) is coroutine
    finally:
        current.reset(token)
    coroutine.close()


class Awkward:
    """An awaitable that raises an error if an unknown attribute is read."""

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> "Awkward":
        return self

    def __next__(self) -> None:
        """Suspend once."""
        if getattr(type(self), "suspended", False):
            raise StopIteration
        type(self).suspended = True  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> None:
        """Raise an error."""
        raise RuntimeError(name)


def test_an_error_of_the_probe_does_not_reach_the_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def request() -> int:
        await Awkward()
        return 7

    observer = awaits()
    monkeypatch.setattr("assay.probe.steps.MIN_SECONDS", -1.0)

    async def main() -> int:
        return int(await Steps(request(), Request(), observer, False))

    assert asyncio.run(main()) == 7
    (problem,) = observer.totals.problems
    assert "a wait cannot be counted" in problem


@pytest.mark.parametrize(
    "args, http",
    [
        (({"type": "http"}, None, None), True),
        (({"type": "lifespan"}, None, None), False),
        (({"type": "websocket"}, None, None), False),
        ((object(),), True),
        ((type("Request", (), {"headers": {"Sec-WebSocket-Key": "x"}})(),), False),
        ((), True),
    ],
)
def test_sockets_and_starts_are_no_requests(args: tuple[Any, ...], http: bool) -> None:
    assert is_http(args) == http
