"""When the events of a loop arrived, and what blocks it."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.probe import loop as probed
from assay.probe.loop import CompiledLoop, Loop, SelectorLoop, is_step
from assay.probe.request import Request


@pytest.mark.parametrize(
    "late, in_time, counted, waits",
    [
        (4, 0, 0.001, True),  # all samples came late: another thread holds the GIL
        (0, 8, 0.001, False),  # a call that releases the GIL
        (1, 7, 0.001, False),
        (4, 0, 0.009, False),  # the callback itself uses the CPU
        (0, 0, 0.001, False),  # too short for a sample
    ],
)
def test_whether_a_callback_waits_for_the_interpreter(
    late: int, in_time: int, counted: float, waits: bool
) -> None:
    loop = Loop(None, [0.0] * 3, [0.0] * 3)
    loop.late, loop.samples = late, {None: late + in_time} if late + in_time else {}
    assert loop.waits_for_interpreter(0.010, counted) == waits
    loop.forget_samples()
    assert not loop.waits_for_interpreter(0.010, 0.001)


def clock(monkeypatch: pytest.MonkeyPatch, now: float, cpu: float) -> None:
    monkeypatch.setattr(probed, "perf_counter", lambda: now)
    monkeypatch.setattr(probed, "thread_time", lambda: cpu)


def busy(monkeypatch: pytest.MonkeyPatch) -> CompiledLoop:
    """Return a loop whose last batch of callbacks ran from 10.0 to 10.04."""
    loop = CompiledLoop(None, [0.0] * 3, [0.0] * 3)
    loop.begins_batch(1, 9.0)
    loop.begins_batch(2, 10.0)
    loop.begins_batch(2, 10.02)  # another callback of the same batch
    clock(monkeypatch, 10.04, cpu=5.0)
    loop.ends(0.0)
    return loop


def test_an_event_that_comes_while_the_loop_is_busy_came_halfway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = busy(monkeypatch)
    clock(monkeypatch, 10.0402, cpu=5.0002)  # it has read from the socket since
    assert loop.arrived(10.0402) == pytest.approx((10.02, 10.0202))
    clock(monkeypatch, 10.0405, cpu=5.0005)  # the next event of the same batch
    assert loop.arrived(10.0405) == pytest.approx((10.02, 10.0203))


def test_an_event_that_comes_to_an_idle_loop_came_just_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = busy(monkeypatch)
    clock(monkeypatch, 10.0502, cpu=5.0002)
    assert loop.arrived(10.0502) == pytest.approx((10.05, 10.0502))
    # The loop handles the next event late, because it handled the first one before.
    clock(monkeypatch, 10.0505, cpu=5.0005)
    assert loop.arrived(10.0505) == pytest.approx((10.05, 10.0503))


def test_the_first_event_has_not_waited() -> None:
    assert CompiledLoop(None, [0.0] * 3, [0.0] * 3).arrived(3.0) == (3.0, 3.0)


def test_a_busy_loop_notices_a_timer_late(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = busy(monkeypatch)
    clock(monkeypatch, 10.04, cpu=5.0)
    assert loop.noticed(10.03, 10.04) == 10.03
    # An idle loop rounds up to milliseconds; nothing else delays it.
    assert loop.noticed(10.0501, 10.051) == pytest.approx(10.051)
    assert loop.noticed(10.06, 10.0595) == pytest.approx(10.0595)  # too early
    other = SelectorLoop(None, [0.0] * 3, [0.0] * 3)
    other.asked, other.returned = 10.0, 10.051
    assert other.noticed(10.0501) == 10.051
    other.asked = 10.051
    assert other.noticed(10.0501) == 10.0501


def test_cpu_time_is_that_of_this_thread() -> None:
    loop = CompiledLoop(None, [0.0] * 3, [0.0] * 3)
    loop.ends(0.0)
    time.sleep(0.01)
    arrived, ready = loop.arrived(time.perf_counter())
    assert loop.ended + 0.009 < arrived <= ready


def test_a_request_runs_while_its_loop_goes_to_the_next_callback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, request = Loop(None, [0.0] * 3, [0.0] * 3), Request()
    for began, ended in ((10.0, 10.01), (10.01003, 10.02), (10.03, 10.04)):
        loop.begins(print, began, began, began)
        loop.request = request
        clock(monkeypatch, ended, cpu=0.0)
        loop.ends(0.0)
    loop.begins(print, 10.05, 10.05, 10.05)
    # Before the second callback the loop works; before the third one it waits for
    # events.
    assert request.runs.overlap(10.0, 10.02) == pytest.approx(0.02)
    assert request.runs.overlap(10.02, 10.03) == pytest.approx(probed.BETWEEN)


class Odd:
    """A callback that fails when it is asked for an attribute."""

    def __getattr__(self, name: str) -> object:
        raise KeyError(name)

    def __call__(self) -> None:
        pass


def test_a_callback_may_refuse_to_show_its_attributes() -> None:
    assert not is_step(Odd()) and not is_step(Odd().__call__)

    async def main() -> bool:
        task = asyncio.current_task()
        return is_step(getattr(task, "get_name")) and not is_step(print)

    assert asyncio.run(main())


PREPARED = """
import asyncio, socket, sys, threading, time
from assay.probe.imports import Imports
from assay.probe.loops import Loops
from assay.probe.places import Project
from assay.probe.totals import Totals

totals = Totals(Project([sys.argv[2]]))
imports = Imports(totals)
loops = Loops(totals)
loops.observe(imports)
imports.start()

def run(coroutine):
    if sys.argv[1] == "uvloop":
        import uvloop
        uvloop.run(coroutine)
    else:
        asyncio.run(coroutine)

def seconds(kind):
    return {row[0]: row[5] for row in totals.rows()}.get(kind, 0.0)
"""

PROBED = PREPARED + """
class Odd(dict):
    __getattr__ = dict.__getitem__
    def __call__(self, *args):
        done.append(args)

done = []

async def main():
    loop = asyncio.get_running_loop()
    loop.call_soon(Odd(), 1)
    loop.call_later(delay=0.01, callback=Odd())
    loop.call_at(when=loop.time() - 3, callback=Odd())
    loop.call_later(-3, Odd(), 2)
    canceled = loop.call_later(0.01, Odd(), 3)
    canceled.cancel()
    loop.call_soon_threadsafe(Odd(), 4)

    def again(left):
        if left:
            loop.call_soon(again, left - 1)

    again(50)
    waker = loop.create_future()
    loop.call_soon(waker.set_result, None)
    await waker
    time.sleep(0.004)  # one callback of 4 ms, which others wait for
    await asyncio.sleep(0.05)

run(main())
print(sorted(done), totals.problems, seconds("loop turn"))
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_callbacks_run_as_without_the_probe_and_wait_once(
    loop: str, tmp_path: Path
) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    done = subprocess.run(
        [sys.executable, "-c", PROBED, loop, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("[(), (), (1,), (2,), (4,)] [] ")
    # About four callbacks wait 4 ms. A timer whose time has passed waits from the
    # moment it was made, and waits of nested callbacks do not add up.
    assert float(done.stdout.split()[-1]) < 0.5


def after_an_answer(monkeypatch: pytest.MonkeyPatch) -> tuple[Loop, Request]:
    """Return a loop whose last callback sent an answer, and went on for 3 ms.

    The callback ran from 10.000 to 10.004, and its CPU time from 1 to 5 ms.
    """
    loop, request = Loop(None, [0.0] * 3, [0.0] * 3), Request()
    loop.begins(print, 10.0, 10.0, 10.0)
    loop.request = request
    request.answered, request.answered_cpu = 10.001, 0.002
    clock(monkeypatch, 10.004, cpu=0.005)
    loop.ends(0.001)
    return loop, request


def test_only_cpu_time_after_the_answer_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, request = after_an_answer(monkeypatch)
    assert loop.after == pytest.approx([1, 0.003, 0])
    loop.begins(print, 10.01, 10.01, 10.01)
    loop.request = request
    request.ended = 10.015  # in this callback
    clock(monkeypatch, 10.02, cpu=0.009)
    loop.ends(0.007)  # all of it is after the answer
    assert loop.after == pytest.approx([2, 0.005, 0])
    # A task that the request started goes on for ever, and works for later requests.
    loop.begins(print, 10.03, 10.03, 10.03)
    loop.request = request
    clock(monkeypatch, 10.04, cpu=0.019)
    loop.ends(0.009)
    assert loop.after == pytest.approx([2, 0.005, 0])


def test_a_framework_may_send_the_answer_later(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, request = Loop(None, [0.0] * 3, [0.0] * 3), Request()
    loop.begins(print, 10.0, 10.0, 10.0)
    loop.request = request
    request.answered = request.ended = 10.001  # but its CPU time is not known
    clock(monkeypatch, 10.004, cpu=0.005)
    loop.ends(0.001)
    assert loop.after == [0, 0, 0]


@pytest.mark.parametrize(
    ("scheduled", "counts"),
    [
        (10.003, True),
        (10.0005, False),  # before the answer
        (10.0045, False),  # after the callback, by an event
    ],
)
def test_what_an_answered_request_has_scheduled_is_after_its_answer(
    monkeypatch: pytest.MonkeyPatch, scheduled: float, counts: bool
) -> None:
    loop, _ = after_an_answer(monkeypatch)
    loop.follow(scheduled, cpu=0.0055)
    loop.begins(print, 10.003, 10.003, 10.005)
    clock(monkeypatch, 10.006, cpu=0.006)
    loop.ends(0.0055)
    assert loop.after == pytest.approx([2, 0.004, 0] if counts else [1, 0.003, 0])
    loop.begins(print, 10.1, 10.1, 10.1)  # an event
    clock(monkeypatch, 10.2, cpu=0.1)
    loop.ends(0.01)
    assert loop.after == pytest.approx([2, 0.004, 0] if counts else [1, 0.003, 0])


def test_another_request_is_not_after_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, _ = after_an_answer(monkeypatch)
    loop.follow(10.003, cpu=0.0055)
    loop.begins(print, 10.003, 10.003, 10.005)
    loop.request = Request()
    clock(monkeypatch, 10.1, cpu=0.1)
    loop.ends(0.0055)
    # Only the loop's own work between the two callbacks counts.
    assert loop.after == pytest.approx([1, 0.0035, 0])


def test_a_compiled_loop_sends_an_answer_after_its_batch() -> None:
    loop, request = CompiledLoop(None, [0.0] * 3, [0.0] * 3), Request()
    loop.begins_batch(1, 10.0)
    request.answered, request.answered_cpu = 10.001, 0.001
    assert not loop.is_after(request)
    loop.begins_batch(2, 10.002)
    assert loop.is_after(request)


IDLE = PREPARED + """
async def main():
    loop = asyncio.get_running_loop()
    here, there = socket.socketpair()
    here.setblocking(False)

    def answer():
        time.sleep(0.2)
        there.send(b"x")

    threading.Thread(target=answer).start()
    await loop.sock_recv(here, 1)
    done = loop.create_future()

    def wake():
        time.sleep(0.2)
        loop.call_soon_threadsafe(done.set_result, None)

    threading.Thread(target=wake).start()
    await done

began = time.perf_counter()
run(main())
idle = time.perf_counter() - began
print(totals.problems, seconds("loop turn") / idle)
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_idle_loop_keeps_no_callback_waiting(loop: str, tmp_path: Path) -> None:
    """A socket is registered in the last batch before the loop becomes idle."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    done = subprocess.run(
        [sys.executable, "-c", IDLE, loop, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.stderr == "" and done.stdout.startswith("[] ")
    assert float(done.stdout.split()[-1]) < 0.25
