"""The users of one variant: made as they are needed, and handed arrivals.

Ordinary Locust users run unchanged: they wait at a gate before each task
(`assay.load.inside.gate`). Who passes it, and when, is decided by a slice or by a load
test, not by think time. Of the users who are idle the one takes an arrival who has
been idle for the shortest time: what a user has begun goes on, and no more users
work than are needed.
"""

import contextlib
import logging
import math
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Group
from locust.env import Environment
from locust.user.users import User

from assay.load.inside.choices import Deck, Dice
from assay.load.inside.roles import Choice, Role, placed, share
from assay.load.inside.seat import Seat
from assay.load.inside.stamps import Stamps
from assay.load.protocol import STOP
from assay.load.recorder import Recorder

BACKLOG_LIMIT = 100_000
SPACING = 0.001  # seconds; a listen backlog must never overflow: come one by one
SPARE = 1  # idle users that a load test keeps ready, so that none is made too late


class Pool:
    """The users of one variant.

    Attributes:
        recorder: Takes the samples.
        done: Arrivals that came to their end.
        begun: Arrivals that a user has taken.
        most: Arrivals that may begin; 0 for no such limit.
        growing: Whether users are made while arrivals come.
        think_time: Whether users wait as their classes say.
        failures: Why users did not come through their on_start.
        stopped: How many users have stopped by themselves.
        over: Set when whoever thinks need think no more.
        over_at: When a closed loop was over, in seconds of `time.perf_counter`; what
            a task that does not end asks for after that counts for nothing.
    """

    def __init__(
        self,
        environment: Environment,
        user_classes: Sequence[type[User]],
        host: str,
        most: int,
        group: Group | None = None,
    ) -> None:
        """Prepare; no user is made yet.

        Args:
            environment: Locust's.
            user_classes: What users can be.
            host: Where they go; empty for what their classes say.
            most: How many users there may be.
            group: Takes their greenlets, where Locust looks for them.
        """
        self.environment, self.limit = environment, most
        self.recorder = Recorder()
        self.growing = self.think_time = False
        self.done = self.begun = self.most = self.stopped = 0
        self.closed_until = self.dealt_until = 0.0
        self.over_at = math.inf
        self.failures: list[str] = []
        self.over, self.quiet, self.changed = Event(), Event(), Event()
        self.busy: set[Seat] = set()
        classes = [type(c.__name__, (c,), placed(c, host)) for c in user_classes]
        self.places = share(classes, most)
        counts = Counter(self.places)
        self.roles = {cls: Role(cls, counts[cls]) for cls in counts}
        self.waiting = 0
        self._dice, self._lots, self._deck = Dice(0), Dice(0), Deck(0)
        self._group = group if group is not None else Group()
        self._seats: set[Seat] = set()
        self._numbers: list[int] = []  # of those who are gone
        self._closing = False

    @property
    def alive(self) -> int:
        """How many users there are."""
        return sum(role.alive for role in self.roles.values())

    @property
    def users(self) -> int:
        """How many users have come through their on_start."""
        return sum(role.alive - role.coming for role in self.roles.values())

    @property
    def short(self) -> int:
        """How many arrivals found no idle user though more were allowed."""
        return sum(role.short for role in self.roles.values())

    @property
    def peak(self) -> int:
        """Most arrivals of each class that were under way or waiting at once."""
        return sum(role.peak for role in self.roles.values())

    def make(self, users: int) -> None:
        """Make users until there are so many, in the mixture of their classes.

        Their on_start runs; `wait` waits for it.
        """
        for cls, wanted in Counter(share(list(self.roles), users)).items():
            role = self.roles[cls]
            target = min(max(wanted, role.peak + 1 if role.short else 0), role.most)
            for _ in range(target - role.alive):  # who fails meanwhile is not replaced
                self.add(role)
                gevent.sleep(SPACING)

    def add(self, role: Role, enlisted: bool = False) -> None:
        """Make one user; enlisted, it takes part in a closed loop at once."""
        number = self._numbers.pop() if self._numbers else len(self._seats)
        role.alive += 1
        role.coming += 1
        seat = Seat(self, number, role)
        seat.enlisted = enlisted
        self._seats.add(seat)
        greenlet = self._group.spawn(_live, seat, self.environment, self._group)
        greenlet.assay_seat, greenlet.assay_stamps = seat, Stamps()
        greenlet.link(self._ended)

    def wait(self, timeout: float, strict: bool = True) -> None:
        """Wait until all users that were made have come through their on_start.

        Args:
            timeout: Seconds in which at least one more must do so.
            strict: Whether one who does not is an error; otherwise there are fewer.

        Raises:
            RuntimeError: One stopped on the way.
            TimeoutError: Some did not get there.
        """
        latest = time.perf_counter() + timeout
        while any(role.coming for role in self.roles.values()):
            self.changed.clear()
            if self.failures and time.perf_counter() > latest:
                break
            if self.recorder.limit:
                raise RuntimeError(self.recorder.limit)
            # How many come through tells how many there can be.
            if not self.changed.wait(timeout) and not self.failures:
                raise TimeoutError(
                    f"{self.alive - self.users} of {self.alive} users did not finish "
                    f"their on_start within {timeout:g} s"
                )
        if self.failures and (strict or not self.users):
            raise RuntimeError(self.shortage())

    def shortage(self) -> str:
        """Say how many users came through their on_start, and what to do."""
        ready = self.users
        said = f"a user stopped in its on_start: {self.failures[0]}"
        if ready:
            said += (
                f"\n  {ready} users had come through theirs; if there are no more "
                f"users than that, say so: --users {ready}, or load.connections = "
                f"{ready} and load.users = {min(ready, 4)}"
            )
        return said

    def nobody(self) -> str:
        """Say why no user came through its on_start; nothing if that is not so."""
        if not self.failures:
            return ""
        return f"no user came through its on_start: {self.failures[0]}"

    def notes(self) -> list[str]:
        """Return what a reader must know of the users, in sentences."""
        users = self.users
        if not (self.failures and users):
            return []
        return [
            f"{len(self.failures)} users stopped in their on_start "
            f"({self.failures[0]}), and {users} did the work: if there are no more "
            f"users than that, say so: --users {users}."
        ]

    def close(self, timeout: float = 2.0) -> None:
        """Stop every user; their `on_stop` runs, for so many seconds at most."""
        self._closing = True
        for seat in self._seats:
            seat.kind = STOP
        own = [g for g in list(self._group.greenlets) if g.assay_seat.pool is self]
        with contextlib.suppress(gevent.Timeout):
            gevent.killall(own, timeout=timeout)

    def begin(self, recorder: Recorder, seed: int) -> None:
        """Begin a slice: what happens from now on goes to `recorder`.

        Args:
            recorder: Takes the samples.
            seed: Decides which tasks are done.
        """
        self.recorder = recorder
        self._dice, self._deck = Dice(seed), Deck(seed)
        self._lots = Dice(seed + 1)
        self.over.clear()
        self.growing = self.think_time = False
        self.done = self.begun = self.most = 0
        self.closed_until = self.dealt_until = 0.0
        self.over_at = math.inf
        self.waiting = 0
        for role in self.roles.values():
            role.backlog.clear()
            role.short, role.peak = 0, role.working
        for seat in self._seats:
            seat.enlisted = False

    def settle(self, timeout: float) -> None:
        """Wait until nobody works and nothing waits, but not for ever."""
        self.over.set()
        latest = time.perf_counter() + timeout
        # Who deals a deck to its end is free for a moment, and works again.
        while self.busy or self.waiting:
            self.quiet.clear()
            if not self.quiet.wait(max(0.0, latest - time.perf_counter())):
                break
        self.closed_until = self.dealt_until = 0.0

    def enlist(self, users: int, seed: int = 0) -> list[Seat]:
        """Return so many idle users for a closed loop, in the mixture of the classes.

        Where there are fewer than the mixture needs, others are left out. With more
        classes than users the seed draws which of them take part.
        """
        start = seed % len(self.places) if users < len(self.places) else 0
        window = (self.places[start:] + self.places)[:users]
        chosen = []
        for cls, wanted in Counter(window).items():
            idle = self.roles[cls].idle
            chosen += [idle.pop() for _ in range(min(wanted, len(idle)))]
        return chosen

    def lacking(self, users: int, seed: int = 0) -> bool:
        """Make the users that a closed loop with this seed lacks; say if there were."""
        start = seed % len(self.places) if users < len(self.places) else 0
        window = (self.places[start:] + self.places)[:users]
        lacks = False
        for cls, wanted in Counter(window).items():
            for _ in range(wanted - self.roles[cls].alive):
                self.add(self.roles[cls])
                lacks = True
        return lacks

    def work(self, seat: Seat, scheduled: float | None = None) -> None:
        """Let an idle user begin: with an arrival, or in a closed loop."""
        seat.enlisted = scheduled is None
        choose = self._deck.deal if scheduled is None else self._dice.throw()
        self._occupy(seat, scheduled, choose)
        self._wake(seat)

    def arrive(self, scheduled: float) -> bool:
        """Hand an arrival to the user that has been idle for the shortest time.

        Returns:
            False if it was dropped: too many wait already.
        """
        # What it is, is drawn when it comes, not when a user is free at last.
        role, choose = self._drawn_role(), self._dice.throw()
        if role.idle:
            seat = role.idle.pop()
            self._occupy(seat, scheduled, choose)
            self._wake(seat)
            role.peak = max(role.peak, role.working)
            if self.growing and len(role.idle) + role.coming < SPARE:
                if role.alive < role.most:
                    self.add(role)
            return True
        if role.alive < role.most:
            role.short += 1
            if self.growing and role.coming <= len(role.backlog):
                self.add(role)
        if self.waiting >= BACKLOG_LIMIT:
            return False
        role.backlog.append((scheduled, choose))
        self.waiting += 1
        role.peak = max(role.peak, role.working + len(role.backlog))
        return True

    def proceed(self, seat: Seat) -> bool:
        """Say whether a user that is free goes on at once, and with what."""
        role = seat.role
        if role.backlog:
            scheduled, choose = role.backlog.popleft()
            self.waiting -= 1
            self._occupy(seat, scheduled, choose)
            return True
        if not seat.enlisted or (self.most and self.begun >= self.most):
            return False
        now = time.perf_counter()
        if now < self.closed_until or (
            now < self.dealt_until and self._deck.begun(seat.tasks)
        ):
            self._occupy(seat, None, self._deck.deal)
            return True
        return False

    def is_ready(self, seat: Seat) -> None:
        """Note that a user has come through its on_start."""
        seat.role.coming -= 1
        self.changed.set()

    def rest(self, seat: Seat) -> None:
        """Note that a user waits for its next arrival."""
        seat.role.idle.append(seat)

    def finished(self, seat: Seat) -> None:
        """Note that a user has ended its arrival."""
        if seat.busy:
            seat.busy = False
            self.busy.discard(seat)
            self.done += 1
        if not self.busy and not self.waiting:
            self.quiet.set()

    def abandon(self) -> list[float]:
        """End the users that still work.

        Returns:
            When the arrivals were due that they, or nobody, worked on.
        """
        # Whoever still asks, and is answered, works on a task that does not end.
        endless = {seat for seat in self.busy if seat.held}
        self.done += len(endless)
        waiting = self.busy - endless
        due = [seat.arrival for seat in waiting if seat.arrival is not None]
        for role in self.roles.values():
            due.extend(scheduled for scheduled, _ in role.backlog)
            role.backlog.clear()
        self.waiting = 0
        stuck, self.busy = self.busy, set()
        self.recorder = Recorder()  # whatever they still report is not ours
        for greenlet in list(self._group.greenlets):
            if greenlet.assay_seat in stuck:
                greenlet.assay_seat.busy = False
                greenlet.kill(block=False)
        return due

    def dismiss(self, role: Role) -> None:
        """Stop one user of a class: an idle one, or one once it has done its task."""
        own = [s for s in self._seats if s.role is role and not s.leaving]
        if not own:
            return
        seat = min(own, key=lambda one: (one.busy, one.number))
        seat.leaving = True
        role.leaving += 1
        if seat in role.idle:
            role.idle.remove(seat)
            self._wake(seat)

    def _drawn_role(self) -> Role:
        """Draw the user class of an arrival, by how many users of it there may be."""
        if len(self.roles) == 1:
            return next(iter(self.roles.values()))
        return self.roles[self._lots.throw()(self.places)]

    def _occupy(self, seat: Seat, scheduled: float | None, choose: Choice) -> None:
        seat.scheduled = seat.arrival = scheduled
        if scheduled is None:
            seat.arrival, seat.waited = time.perf_counter(), 0.0
        else:
            seat.waited = max(0.0, seat.freed - scheduled)
        seat.choose = choose
        seat.busy = True
        self.busy.add(seat)
        self.begun += 1

    def _wake(self, seat: Seat) -> None:
        if seat.waiter is not None:
            gevent.get_hub().loop.run_callback(seat.waiter.switch, None)

    def _ended(self, greenlet: Any) -> None:
        """Take leave of a user: it stopped, or never came through its on_start."""
        seat: Seat = greenlet.assay_seat
        role = seat.role
        self._seats.discard(seat)
        self._numbers.append(seat.number)
        role.alive -= 1
        role.leaving -= seat.leaving
        if seat in role.idle:
            role.idle.remove(seat)
        if seat.ready:
            self.stopped += not seat.leaving
        else:
            role.coming -= 1
        if self._closing:
            return
        if not seat.ready:
            self.failures.append(repr(seat.error or "StopUser"))
            role.most = role.alive  # another one would not get there either
        elif self.growing and role.backlog and role.alive < role.most:
            self.add(role)
        self.finished(seat)  # if it ended without having come back
        self.changed.set()


def _live(seat: Seat, environment: Environment, group: Group) -> None:
    """Be a user, from its making to its end.

    Users are made in greenlets of their own: one that takes long to make, as by asking
    for something, keeps nobody waiting.
    """
    try:
        user: Any = seat.role.cls(environment)
    except Exception as error:
        logging.exception("a user could not be made")
        seat.error = error
        return
    user.assay_seat = seat
    user._greenlet, user._group = gevent.getcurrent(), group
    try:
        user.run()
    except Exception as error:  # which Locust has logged
        seat.error = error
