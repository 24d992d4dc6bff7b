"""Hands each arrival to one user of a pool, at once or as soon as a user is free.

Ordinary Locust users run unchanged: they wait at a gate before each task
(`assay.load.inside.gate`). The slice or load test decides which user passes the gate
and when. The locustfile's think time has no effect, unless a closed loop asks for it.
An arrival goes to the user who has been idle for the shortest time. So users finish the
sequence of tasks that they began, and as few users as possible are in use.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gevent.event import Event
from locust.user.users import User

from assay.load.inside.choices import Deck, Dice
from assay.load.inside.roles import Choice, Role, mixture
from assay.load.inside.seat import Seat
from assay.load.recorder import Recorder

MAX_BACKLOG = 100_000
SPARE_USERS = 1  # idle users that a load test keeps ready: making a user takes time


def _tasks_of(cls: type[User]) -> Sequence[Any]:
    tasks: Sequence[Any] = getattr(cls, "tasks", ())
    return tasks


class Dispatcher:
    """Hands the arrivals of one variant to its users.

    Attributes:
        recorder: Records the samples.
        done: Arrivals that have ended.
        begun: Arrivals that a user has taken.
        waiting: Arrivals that wait for a user.
        max_arrivals: Arrivals that may begin in a closed loop; 0 for no limit.
        growing: Whether users are created on demand, as arrivals need them.
        think_time: Whether users wait as their classes say.
        learns: Whether to note which tasks send which requests.
        request: The only request that is sent, if a task is known to send it.
        busy: The users that work on an arrival.
        over: Set at the end of the load; ends all think times.
        closed_until: The time until which users of a closed loop begin tasks.
        dealt_until: The time until which these users may finish a deck of tasks (see
            `Deck`) that was begun.
        over_at: When a closed loop was over, in seconds of `time.perf_counter`. Later
            requests count only if their task ends.
    """

    def __init__(
        self,
        roles: Mapping[type[User], Role],
        user_slots: Sequence[type[User]],
        add_user: Callable[[Role], None],
    ) -> None:
        """Prepare the dispatcher; there are no arrivals yet.

        Args:
            roles: The user classes.
            user_slots: One entry per user that the pool may have: the class of that
                user.
            add_user: Makes a user of a class.
        """
        self.recorder = Recorder()
        self.growing = self.think_time = self.learns = False
        self.request = ""
        self._senders: dict[str, set[Any]] = {}  # for each request, tasks that send it
        self.done = self.begun = self.waiting = self.max_arrivals = 0
        self.closed_until = self.dealt_until = 0.0
        self.over_at = math.inf
        self.over = Event()
        self.busy: set[Seat] = set()
        self._roles, self._user_slots, self._add_user = roles, user_slots, add_user
        self._quiet = Event()
        self._dice, self._deck, self._role_dice = Dice(0), Deck(0), Dice(0)

    @property
    def lacked_user(self) -> int:
        """Number of arrivals that found no idle user though more users were allowed."""
        return sum(role.lacked_user for role in self._roles.values())

    @property
    def peak(self) -> int:
        """Most arrivals in flight or waiting at once, summed over the user classes."""
        return sum(role.peak for role in self._roles.values())

    def begin(self, recorder: Recorder, seed: int) -> None:
        """Begin a slice or a load test.

        Args:
            recorder: Records the samples from now on.
            seed: Seed of the random choice of tasks.
        """
        self.recorder = recorder
        self._dice, self._deck = Dice(seed), Deck(seed)
        self._role_dice = Dice(seed + 1)
        self.over.clear()
        self.growing = self.think_time = self.learns = False
        self.request = ""
        self.done = self.begun = self.waiting = self.max_arrivals = 0
        self.closed_until = self.dealt_until = 0.0
        self.over_at = math.inf
        for role in self._roles.values():
            role.backlog.clear()
            role.lacked_user, role.peak = 0, role.working

    def settle(self, timeout: float) -> None:
        """Wait until no user works and no arrival waits, or until a timeout.

        Think times end before the wait begins. The closed loop ends after the wait.
        """
        self.over.set()
        deadline = time.perf_counter() + timeout
        # Between two tasks of a deck a user is idle for an instant, so look again.
        while self.busy or self.waiting:
            self._quiet.clear()
            if not self._quiet.wait(max(0.0, deadline - time.perf_counter())):
                break
        self.end_closed_loop()

    def end_closed_loop(self) -> None:
        """Let no user of a closed loop begin another task."""
        self.closed_until = self.dealt_until = 0.0

    def enlist(self, users: int, seed: int = 0) -> list[Seat]:
        """Take idle users for a closed loop, in the mixture of their classes.

        If too few users of a class are idle, fewer are taken.
        """
        chosen = []
        classes = mixture(self._user_slots, users, seed)
        if self.learns and users < len(self._roles):
            # By weight, one user would hardly ever be of a rare class.
            every = list(self._roles)
            classes = [every[(seed + n) % len(every)] for n in range(users)]
        for cls, count in Counter(classes).items():
            idle = self._roles[cls].idle
            chosen += [idle.pop() for _ in range(min(count, len(idle)))]
        return chosen

    def assign(self, seat: Seat, scheduled: float | None = None) -> None:
        """Assign a task to a user who was idle, and wake the user.

        Args:
            seat: The user's seat, which is no longer among the idle seats.
            scheduled: When the arrival was due; None in a closed loop.
        """
        seat.enlisted = scheduled is None
        # throw() fixes the choice now; deal() chooses when the user starts.
        choose = self._deck.deal if scheduled is None else self._dice.throw()
        self._occupy(seat, scheduled, choose)
        seat.wake()

    def arrive(self, scheduled: float) -> bool:
        """Hand an arrival to the user that has been idle for the shortest time.

        Returns:
            False if the arrival was dropped, since too many others wait already.
        """
        # The class and the task are drawn now, not when a user is free: the work that a
        # server gets must not depend on its speed.
        role, choose = self._draw_role(), self._dice.throw()
        if role.idle:
            seat = role.idle.pop()
            self._occupy(seat, scheduled, choose)
            seat.wake()
            role.peak = max(role.peak, role.working)
            if self.growing and len(role.idle) + role.starting < SPARE_USERS:
                if role.alive < role.max_users:
                    self._add_user(role)
            return True
        if role.alive < role.max_users:
            role.lacked_user += 1
            if self.growing and role.starting <= len(role.backlog):
                self._add_user(role)
        if self.waiting >= MAX_BACKLOG:
            return False
        role.backlog.append((scheduled, choose))
        self.waiting += 1
        role.peak = max(role.peak, role.working + len(role.backlog))
        return True

    def proceed(self, seat: Seat) -> bool:
        """Give a free user its next arrival or task; return whether there was one."""
        role = seat.role
        if role.backlog:
            scheduled, choose = role.backlog.popleft()
            self.waiting -= 1
            self._occupy(seat, scheduled, choose)
            return True
        if not seat.enlisted:
            return False
        if self.max_arrivals and self.begun >= self.max_arrivals:
            return False
        now = time.perf_counter()
        if now < self.closed_until or (
            now < self.dealt_until and self._deck.begun(seat.tasks)
        ):
            self._occupy(seat, None, self._deck.deal)
            return True
        return False

    def mark_idle(self, seat: Seat) -> None:
        """Note that a user waits for its next arrival."""
        seat.role.idle.append(seat)

    def mark_finished(self, seat: Seat) -> None:
        """Note that a user has ended its arrival, if it had one."""
        if seat.busy:
            seat.busy = False
            self.busy.discard(seat)
            self.done += 1
        if not self.busy and not self.waiting:
            self._quiet.set()

    def abandon(self) -> tuple[list[float], set[Seat], set[Seat]]:
        """Give up all arrivals that have not ended.

        If a user still gets answers after the end of the load (`Seat.held`), its task
        is assumed to be endless, and its arrival counts as done.

        Returns:
            The times at which the arrivals that waited for a user were due, the users
            whose arrivals are unserved, and all users that still work.
        """
        endless = {seat for seat in self.busy if seat.held}
        self.done += len(endless)
        unserved = self.busy - endless
        due = list[float]()
        for role in self._roles.values():
            due.extend(scheduled for scheduled, _ in role.backlog)
            role.backlog.clear()
        self.waiting = 0
        stuck, self.busy = self.busy, set()
        for seat in stuck:
            seat.busy = False
        self.recorder = Recorder()  # later reports of these users do not count
        return due, unserved, stuck

    def learn(self, task: Any, request: str) -> None:
        """Note that a task has sent a request."""
        self._senders.setdefault(request, set()).add(task)

    def _choose(self, choose: Choice) -> Choice:
        """Return a choice among only the tasks that send the wanted request."""
        senders = self._senders.get(self.request, set())

        def among(tasks: Sequence[Any]) -> Any:
            return choose([task for task in tasks if task in senders] or tasks)

        return among

    def _draw_role(self) -> Role:
        """Draw the user class of an arrival, weighted by the classes' user slots."""
        if len(self._roles) == 1:
            return next(iter(self._roles.values()))
        if self.request:
            senders = self._senders.get(self.request, set())
            slots = [cls for cls in self._user_slots if senders & set(_tasks_of(cls))]
            if slots:
                return self._roles[self._role_dice.throw()(slots)]
        return self._roles[self._role_dice.throw()(self._user_slots)]

    def _occupy(self, seat: Seat, scheduled: float | None, choose: Choice) -> None:
        seat.scheduled = seat.arrived_at = scheduled
        if scheduled is None:
            seat.arrived_at, seat.waited = time.perf_counter(), 0.0
        else:
            seat.waited = max(0.0, seat.freed - scheduled)
        seat.choose = self._choose(choose) if self.request else choose
        seat.busy = True
        self.busy.add(seat)
        self.begun += 1
