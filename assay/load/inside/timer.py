"""Wait until a given time, exact to microseconds instead of milliseconds.

`gevent.sleep` wakes up to 1.1 ms late, because libev rounds its timers to
epoll's milliseconds. A timerfd is a descriptor that the kernel makes readable at
the exact time, and the event loop notices this like any other I/O.
"""

import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Iterator

import gevent
from gevent.hub import get_hub

from assay.load.recorder import Recorder

_CLOCK_MONOTONIC = 1  # the clock of time.perf_counter on Linux
_TFD_NONBLOCK_CLOEXEC = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_TFD_TIMER_ABSTIME = 1
HEARTBEAT = 0.005  # seconds; a shorter beat would cost more than 1 % of the core
_NEAR = 20e-6  # seconds; the system calls for a shorter wait take longer than the wait


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _Itimerspec(ctypes.Structure):
    _fields_ = [("interval", _Timespec), ("value", _Timespec)]


class Timer:
    """Waits until given times of `time.perf_counter`."""

    def __init__(self) -> None:
        """Create the timerfd, if the system has timerfds."""
        self._descriptor = -1
        if sys.platform == "linux":
            # os.timerfd_create exists from Python 3.13 on; this works on 3.12 too.
            libc = ctypes.CDLL(None)
            self._descriptor = libc.timerfd_create(
                _CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC
            )
        if self._descriptor >= 0:
            self._watcher = get_hub().loop.io(self._descriptor, 1)
            # These are looked up once: any work for every arrival would make it late.
            self._set = libc.timerfd_settime
            self._due = _Itimerspec()
            self._value, self._pointer = self._due.value, ctypes.byref(self._due)

    def wait_until(self, due: float) -> None:
        """Let other greenlets run until a time is due."""
        wait = due - time.perf_counter()
        if wait <= _NEAR:
            return
        if self._descriptor < 0:
            gevent.sleep(wait)
            return
        seconds = int(due)
        value = self._value
        value.seconds, value.nanoseconds = seconds, int((due - seconds) * 1e9)
        self._set(self._descriptor, _TFD_TIMER_ABSTIME, self._pointer, None)
        get_hub().wait(self._watcher)
        # Reading resets the descriptor. It cannot be empty after a wake-up, but a
        # spurious wake-up must not raise.
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 8)


class Heartbeat:
    """Measures how late this process gets to run, which reveals a stall."""

    def __init__(self) -> None:
        """Create a separate timer for the heartbeat."""
        self._timer = Timer()

    @contextlib.contextmanager
    def beating(self, recorder: Recorder) -> Iterator[None]:
        """Beat within a with statement; the longest stall goes to the recorder."""
        greenlet = gevent.spawn(self._beat, recorder)
        try:
            yield
        finally:
            greenlet.kill(block=False)

    def _beat(self, recorder: Recorder) -> None:
        due = time.perf_counter()
        while True:
            due = max(due + HEARTBEAT, time.perf_counter())
            self._timer.wait_until(due)
            recorder.stall = max(recorder.stall, time.perf_counter() - due)
