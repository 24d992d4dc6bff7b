"""The users of one variant, each parked until an arrival is handed to it.

Ordinary Locust users run unchanged: `TaskSet.execute_next_task` is wrapped so
that a user waits at a gate before each task, and `TaskSet.wait` returns at once.
Who passes the gate, and when, is decided by a slice, not by think time.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event
from gevent.hub import Waiter
from gevent.pool import Group
from locust import TaskSet
from locust.env import Environment
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)
from locust.user.users import User

from assay.load.recorder import Recorder
from assay.load.stamps import Stamps

# How Locust's own flow of control looks from inside a task: not failures.
CONTROL_FLOW = (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
    gevent.GreenletExit,
)


class Seat:
    """One user's place in its pool.

    Attributes:
        number: Its number in the pool.
        scheduled: When the arrival that it works on was due; None once its first
            request has been recorded, and in the closed loop.
        late: Whether that arrival had to wait for a free user, which is the
            target's doing and no lag of the generator.
        busy: Whether it works on an arrival.
        passed: Whether it has come to its gate since it last waited.
    """

    def __init__(self, pool: "Pool", number: int) -> None:
        """Take a place; it holds no arrival yet."""
        self.pool = pool
        self.number = number
        self.scheduled: float | None = None
        self.arrival: float | None = None
        self.late = False
        self.busy = False
        self.passed = False
        self.waiter: Waiter | None = None

    def work(self, task: Callable[[], None], name: str) -> None:
        """Wait for an arrival, then run one task for it."""
        pool = self.pool
        self.passed = True
        if not pool.proceed(self):
            pool.idle.append(self)
            if len(pool.idle) == pool.size:
                pool.all_idle.set()
            self.waiter = Waiter()
            self.waiter.get()
        started = time.perf_counter()
        recorder = pool.recorder
        try:
            task()
        except CONTROL_FLOW:
            raise
        except Exception as error:
            # A task that raises before its first request would leave no trace.
            due = self.scheduled if self.scheduled is not None else started
            recorder.add(
                name,
                due,
                started,
                time.perf_counter(),
                self.number,
                f"the task raised {type(error).__name__}: {error}",
            )
            raise
        finally:
            if pool.recorder is recorder:
                pool.finished(self)


class Pool:
    """The users of one variant."""

    def __init__(
        self,
        environment: Environment,
        user_classes: list[type[User]],
        host: str,
        size: int,
    ) -> None:
        """Prepare `size` users of the given classes; none runs yet."""
        self.environment = environment
        self.size = size
        self.idle: deque[Seat] = deque()
        self.all_idle = Event()
        self.broken = ""
        self.recorder = Recorder()
        # State of the slice that runs: arrivals nobody has taken yet, the end of
        # a closed loop, how many seats work, how many tasks ended.
        self.backlog: deque[float] = deque()
        self.closed_until = 0.0
        self.done = 0
        self.begun = 0
        self.busy: set[Seat] = set()
        self.quiet = Event()
        self._classes = [
            type(cls.__name__, (cls,), {"host": host, "__module__": cls.__module__})
            for cls in _share(user_classes, size)
        ]
        self._group = Group()
        self._closing = False

    def open(self, timeout: float) -> None:
        """Start every user and wait until each has passed its `on_start`.

        Raises:
            RuntimeError: One stopped on the way.
            TimeoutError: Some did not get there.
        """
        for number in range(self.size):
            self._spawn(number)
        ready = self.all_idle.wait(timeout)
        if self.broken:
            raise RuntimeError(f"a user stopped in its on_start: {self.broken}")
        if not ready:
            raise TimeoutError(
                f"{self.size - len(self.idle)} of {self.size} users did not finish "
                f"their on_start within {timeout:g} s"
            )

    def close(self) -> None:
        """Stop every user; their `on_stop` runs."""
        self._closing = True
        self._group.kill(timeout=2.0)

    def begin(self, recorder: Recorder) -> None:
        """Begin a slice: what happens from now on goes to `recorder`."""
        self.recorder = recorder
        self.done = self.begun = 0
        self.closed_until = 0.0
        self.backlog.clear()

    def settle(self, timeout: float) -> None:
        """Wait until nobody works and nothing waits, but not for ever."""
        if self.busy or self.backlog:
            self.quiet.clear()
            self.quiet.wait(timeout)

    def hand(self, scheduled: float | None) -> bool:
        """Hand an arrival to the user that has been idle longest.

        Returns:
            False if all are busy.
        """
        if not self.idle:
            return False
        seat = self.idle.popleft()
        self._occupy(seat, scheduled)
        if seat.waiter is not None:
            gevent.get_hub().loop.run_callback(seat.waiter.switch, None)
        return True

    def proceed(self, seat: Seat) -> bool:
        """Say whether a user that is free goes on at once, and with what."""
        if self.backlog:
            self._occupy(seat, self.backlog.popleft())
            seat.late = True
            return True
        if time.perf_counter() < self.closed_until:
            self._occupy(seat, None)
            return True
        return False

    def finished(self, seat: Seat) -> None:
        """Note that a user has ended its task."""
        if seat.busy:
            seat.busy = False
            self.busy.discard(seat)
            self.done += 1
        if not self.busy and not self.backlog:
            self.quiet.set()

    def abandon(self) -> list[float]:
        """End the users that still work, and put new ones in their places.

        Returns:
            When the arrivals were due that they, or nobody, worked on.
        """
        due = [seat.arrival for seat in self.busy if seat.arrival is not None]
        due.extend(self.backlog)
        self.backlog.clear()
        stuck, self.busy = self.busy, set()
        self.recorder = Recorder()  # whatever they still report is not ours
        for greenlet in list(self._group.greenlets):
            if greenlet.assay_seat in stuck:
                greenlet.kill(block=False)
        return due

    def _occupy(self, seat: Seat, scheduled: float | None) -> None:
        seat.scheduled = seat.arrival = scheduled
        if scheduled is None:
            seat.arrival = time.perf_counter()
        seat.late = False
        seat.busy = True
        self.busy.add(seat)
        self.begun += 1

    def _spawn(self, number: int) -> None:
        user: Any = self._classes[number](self.environment)
        user.assay_seat = Seat(self, number)
        greenlet = user.start(self._group)
        greenlet.assay_seat = user.assay_seat
        greenlet.assay_stamps = Stamps()
        greenlet.link(self._ended)

    def _ended(self, greenlet: Any) -> None:
        """Replace a user that stopped by itself, or was stuck and was ended."""
        seat: Seat = greenlet.assay_seat
        if seat in self.idle:
            self.idle.remove(seat)
        if self._closing:
            return
        if seat.passed or seat.waiter is not None:
            self._spawn(seat.number)
        else:  # it never got to its gate: another one would not either
            self.broken = repr(greenlet.exception or "StopUser")
            self.all_idle.set()


def install_gate() -> None:
    """Make every TaskSet wait for its user's seat before it runs a task."""
    execute = TaskSet.execute_next_task

    def execute_next_task(self: Any) -> None:
        task = self._task_queue[0]
        if isinstance(task, type) and issubclass(task, TaskSet):
            execute(self)  # its own tasks pass the gate
        else:
            self.user.assay_seat.work(lambda: execute(self), task.__name__)

    def wait(self: Any) -> None:
        seat = self.user.assay_seat
        if not seat.passed:
            # Something raised before the gate, and Locust tries again: without a
            # pause that loop would never let anybody else run.
            gevent.sleep(0.01)
        seat.passed = False

    TaskSet.execute_next_task = execute_next_task  # type: ignore[method-assign]
    TaskSet.wait = wait  # type: ignore[method-assign]


def _share(user_classes: list[type[User]], size: int) -> list[type[User]]:
    """Deal `size` places to the classes by weight, at least one to each.

    The largest quotient takes the next place (D'Hondt), and classes alternate, so
    that any run of neighbours in the pool has about the same mixture.
    """
    dealt = {cls: 0 for cls in user_classes}
    places = []
    for _ in range(max(size, len(user_classes))):
        missing = [cls for cls in user_classes if dealt[cls] == 0]
        chosen = max(
            missing or user_classes, key=lambda cls: cls.weight / (dealt[cls] + 1)
        )
        dealt[chosen] += 1
        places.append(chosen)
    return places[:size]
