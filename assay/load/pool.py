"""The users of one variant, each parked until an arrival is handed to it.

Ordinary Locust users run unchanged: they wait at a gate before each task
(`assay.load.gate`). Who passes it, and when, is decided by a slice or by a load
test, not by think time.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import gevent
from gevent.event import Event
from gevent.hub import Waiter
from gevent.pool import Group
from locust.env import Environment
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)
from locust.user.users import User

from assay.load import gate
from assay.load.choices import Deck, Dice
from assay.load.recorder import FINE, Recorder
from assay.load.stamps import Stamps

BACKLOG_LIMIT = 10_000  # arrivals that may wait for a user; the next ones are dropped

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
        choose: Chooses the task of the arrival.
        tasks: What the user can do.
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
        self.choose: Callable[[Sequence[Any]], Any] = itemgetter(0)
        self.tasks: Sequence[Any] = ()
        self.requests = 0
        self.worst = FINE

    def work(self, task_set: Any, execute: Callable[[Any], None]) -> None:
        """Wait for an arrival, then run one task for it.

        Args:
            task_set: Whose task it is.
            execute: Runs the next task of a TaskSet.
        """
        pool = self.pool
        self.passed = True
        self.tasks = task_set.__dict__.get("assay_tasks", ())
        if not pool.proceed(self):
            pool.idle.append(self)
            if len(pool.idle) == pool.size:
                pool.all_idle.set()
            self.waiter = Waiter()
            self.waiter.get()
        name = gate.drawn(task_set, self.choose).__name__
        started = time.perf_counter()
        recorder = pool.recorder
        self.requests, self.worst, due = 0, FINE, self.scheduled
        try:
            execute(task_set)
        except CONTROL_FLOW:
            raise
        except Exception as error:
            # A task that raises before its first request would leave no trace.
            outcome = recorder.add(
                name,
                started if self.scheduled is None else self.scheduled,
                started,
                time.perf_counter(),
                self.number,
                f"the task raised {type(error).__name__}: {error}",
            )
            self.worst = max(self.worst, outcome)
            raise
        finally:
            if pool.recorder is recorder:
                if self.requests > 1:
                    begun = started if due is None else due
                    ended = time.perf_counter()
                    recorder.add_iteration(
                        name, begun, started, ended, self.number, self.worst
                    )
                pool.finished(self)

    def record(self, name: str, start: float, end: float, error: object = None) -> None:
        """Take a sample of this user; times in seconds of `time.perf_counter`.

        Only the first request of a task was scheduled; the next ones begin when the
        one before has ended.
        """
        recorder, scheduled = self.pool.recorder, self.scheduled
        if scheduled is None:
            scheduled = start
        else:
            self.scheduled = None
            if not self.late:
                recorder.lags.append(start - scheduled)
        self.requests += 1
        outcome = recorder.add(name, scheduled, start, end, self.number, error)
        self.worst = max(self.worst, outcome)


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
        # a closed loop, and of a deck begun before it, how many seats work, how
        # many tasks ended.
        self.backlog: deque[float] = deque()
        self.closed_until = self.dealt_until = 0.0
        self.done = 0
        self.begun = 0
        self.most = 0  # tasks that may begin; 0 for no such limit
        self.think_time = False  # whether users wait as their classes say
        self.over = Event()  # set when whoever thinks need think no more
        self.busy: set[Seat] = set()
        self.quiet = Event()
        self._classes = [
            type(cls.__name__, (cls,), _placed(cls, host))
            for cls in _share(user_classes, size)
        ]
        self.size = len(self._classes)  # fixed counts can be fewer
        self._dice, self._deck = Dice(0), Deck(0)
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
        self.recorder = Recorder()  # who is stopped at work has not done it
        self._group.kill(timeout=2.0)

    def begin(self, recorder: Recorder, seed: int) -> None:
        """Begin a slice: what happens from now on goes to `recorder`.

        Args:
            recorder: Takes the samples.
            seed: Decides which tasks are done.
        """
        self.recorder = recorder
        self._dice, self._deck = Dice(seed), Deck(seed)
        self.over.clear()
        self.think_time = False
        self.done = self.begun = self.most = 0
        self.closed_until = self.dealt_until = 0.0
        self.backlog.clear()

    def settle(self, timeout: float) -> None:
        """Wait until nobody works and nothing waits, but not for ever."""
        self.over.set()
        latest = time.perf_counter() + timeout
        # Who deals a deck to its end is free for a moment, and works again.
        while self.busy or self.backlog:
            self.quiet.clear()
            if not self.quiet.wait(max(0.0, latest - time.perf_counter())):
                break
        self.closed_until = self.dealt_until = 0.0

    def hand(self, scheduled: float | None) -> bool:
        """Hand an arrival to the user that has been idle longest.

        Returns:
            False if all are busy.
        """
        if not self.idle or (self.most and self.begun >= self.most):
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
        if self.most and self.begun >= self.most:
            return False
        now = time.perf_counter()
        if now < self.closed_until or (
            now < self.dealt_until and self._deck.begun(seat.tasks)
        ):
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
        # An arrival's task is drawn when it comes, not when a user is free at last.
        open_loop = scheduled is not None
        seat.choose = self._dice.throw() if open_loop else self._deck.deal
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


def _placed(cls: type[User], host: str) -> dict[str, str]:
    """Return what a user class gets: a host, unless it is to keep its own."""
    own = {"__module__": cls.__module__}
    return {**own, "host": host} if host else own


def _share(user_classes: list[type[User]], size: int) -> list[type[User]]:
    """Deal `size` places to the classes by weight, at least one to each.

    Those with a fixed count have as many as they say. Of the others the largest
    quotient takes the next place (D'Hondt), and classes alternate, so that any run of
    neighbours in the pool has about the same mixture.
    """
    fixed = [cls for cls in user_classes if cls.fixed_count > 0]
    places = [cls for cls in fixed for _ in range(cls.fixed_count)]
    weighed = [cls for cls in user_classes if cls.fixed_count <= 0]
    dealt = {cls: 0 for cls in weighed}
    for _ in range(max(size - len(places), len(weighed)) if weighed else 0):
        missing = [cls for cls in weighed if dealt[cls] == 0]
        chosen = max(missing or weighed, key=lambda cls: cls.weight / (dealt[cls] + 1))
        dealt[chosen] += 1
        places.append(chosen)
    return places[:size]
