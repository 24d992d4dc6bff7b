"""The users of one variant: made when they are needed, in the mixture of classes."""

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

from assay.load.inside.dispatcher import Dispatcher
from assay.load.inside.roles import Role, deal_user_slots, mixture, with_host
from assay.load.inside.seat import Seat
from assay.load.inside.stamps import Stamps
from assay.load.protocol import STOP
from assay.load.recorder import Recorder

SPACING = 0.001  # seconds between connections: a listen backlog must not overflow


class StartError(RuntimeError):
    """Users did not get ready; the message says why, so no traceback is needed."""


class Pool:
    """The users of one variant.

    Attributes:
        roles: The user classes.
        user_slots: One entry per user that the pool may have: the class of that user.
        seats: One seat for each user.
        dispatcher: Hands the users their arrivals.
        failures: The reasons why users did not complete their on_start.
    """

    def __init__(
        self,
        environment: Environment,
        user_classes: Sequence[type[User]],
        host: str,
        max_users: int,
        group: Group | None = None,
    ) -> None:
        """Prepare the pool; no user is made yet.

        Args:
            environment: Locust's environment.
            user_classes: The classes of users.
            host: The host that users load; empty for the host of their class.
            max_users: The largest number of users.
            group: The group in which Locust looks for the users' greenlets; None for a
                new group.
        """
        self.environment = environment
        self.failures: list[str] = []
        classes = [with_host(cls, host) for cls in user_classes]
        self.user_slots = deal_user_slots(classes, max_users)
        counts = Counter(self.user_slots)
        self.roles = {cls: Role(cls, counts[cls]) for cls in counts}
        self.dispatcher = Dispatcher(self.roles, self.user_slots, self.add)
        self._group = group if group is not None else Group()
        self.seats: set[Seat] = set()
        self._free_numbers: list[int] = []  # of users who have ended
        self._changed = Event()  # set when a user has completed its on_start, or ended
        self._closing = False

    @property
    def alive(self) -> int:
        """The number of users."""
        return sum(role.alive for role in self.roles.values())

    @property
    def users(self) -> int:
        """The number of users that have completed their on_start."""
        return sum(role.alive - role.starting for role in self.roles.values())

    def make(self, users: int) -> None:
        """Make users until there are `users`, in the mixture of their classes.

        A class that lacked users in the last slice gets more: one more than its `peak`
        of arrivals, if allowed. The new users begin their on_start; `wait` waits until
        they have completed it.
        """
        for cls, count in Counter(deal_user_slots(list(self.roles), users)).items():
            role = self.roles[cls]
            needed = max(count, role.peak + 1 if role.lacked_user else 0)
            # Users who fail in the meantime are not replaced.
            for _ in range(min(needed, role.max_users) - role.alive):
                self.add(role)
                gevent.sleep(SPACING)

    def make_missing(self, users: int, seed: int = 0) -> bool:
        """Make the users that a closed loop with this seed lacks.

        Returns:
            Whether any user was missing.
        """
        lacking = False
        for cls, count in Counter(mixture(self.user_slots, users, seed)).items():
            for _ in range(count - self.roles[cls].alive):
                self.add(self.roles[cls])
                lacking = True
        return lacking

    def add(self, role: Role, enlisted: bool = False) -> None:
        """Make one user; an enlisted user takes part in a closed loop at once."""
        number = self._free_numbers.pop() if self._free_numbers else len(self.seats)
        role.alive += 1
        role.starting += 1
        seat = Seat(self, number, role)
        seat.enlisted = enlisted
        self.seats.add(seat)
        greenlet = self._group.spawn(_run_user, seat, self.environment, self._group)
        greenlet.assay_seat, greenlet.assay_stamps = seat, Stamps()
        greenlet.link(self._user_ended)

    def dismiss(self, role: Role) -> None:
        """Stop one user of a class: an idle user, or else a busy one after its task."""
        candidates = [s for s in self.seats if s.role is role and not s.leaving]
        if not candidates:
            return
        seat = min(candidates, key=lambda candidate: (candidate.busy, candidate.number))
        seat.leaving = True
        role.leaving += 1
        if seat in role.idle:
            role.idle.remove(seat)
            seat.wake()

    def wait(self, timeout: float, strict: bool = True) -> None:
        """Wait until all users that were made have completed their on_start.

        Args:
            timeout: Seconds within which at least one more user must complete its
                on_start.
            strict: Whether a user who does not complete its on_start is an error. If
                not, the pool has fewer users.

        Raises:
            StartError: A user stopped in its on_start, and `strict` is true or no user
                is left. Or a limit of this machine was hit.
            TimeoutError: No further user completed its on_start for `timeout` seconds,
                although none had stopped.
        """
        deadline = time.perf_counter() + timeout
        while any(role.starting for role in self.roles.values()):
            self._changed.clear()
            if self.failures and time.perf_counter() > deadline:
                break
            if limit := self.dispatcher.recorder.limit:
                raise StartError(limit)
            # After a failure a timeout is not an error: the wait ends at the deadline.
            if not self._changed.wait(timeout) and not self.failures:
                raise TimeoutError(
                    f"{self.alive - self.users} of {self.alive} users did not finish "
                    f"their on_start within {timeout:g} s"
                )
        if self.failures and (strict or not self.users):
            raise StartError(self._on_start_error())

    def no_user_error(self) -> str:
        """Return why no user completed its on_start; empty if none failed."""
        if not self.failures:
            return ""
        return f"no user completed its on_start: {self.failures[0]}"

    def notes(self) -> list[str]:
        """Return sentences about the users, for a reader of the results."""
        users = self.users
        if not (self.failures and users):
            return []
        # In stages, missing users are made again whenever the number of users changes.
        # So one user can fail more than once.
        plural = "s" if len(self.failures) > 1 else ""
        return [
            f"{len(self.failures)} run{plural} of on_start failed "
            f"({self.failures[0]}), so {users} users did the work. If no more users "
            f"can log in, set --users {users}."
        ]

    def begin(self, recorder: Recorder, seed: int) -> None:
        """Begin a slice or a load test; see `Dispatcher.begin`."""
        self.dispatcher.begin(recorder, seed)
        for seat in self.seats:
            seat.enlisted = False

    def abandon(self) -> list[tuple[float, float]]:
        """End the users that still work.

        Returns:
            For each unserved arrival, when it was due and when its last request was
            sent. The latter is NaN for an arrival that waited for a user.
        """
        waiting, unserved, stuck = self.dispatcher.abandon()
        lost = [(due, math.nan) for due in waiting]
        for greenlet in list(self._group.greenlets):
            seat: Seat = greenlet.assay_seat
            if seat in unserved and seat.arrived_at is not None:
                lost.append((seat.arrived_at, seat.sent(greenlet.assay_stamps.sent)))
            if seat in stuck:
                greenlet.kill(block=False)
        return lost

    def close(self, timeout: float = 2.0) -> None:
        """Stop every user; their `on_stop` may take up to `timeout` seconds."""
        self._closing = True
        for seat in self.seats:
            seat.kind = STOP
        greenlets = [
            greenlet
            for greenlet in list(self._group.greenlets)
            if greenlet.assay_seat.pool is self
        ]
        with contextlib.suppress(gevent.Timeout):
            gevent.killall(greenlets, timeout=timeout)

    def started(self, seat: Seat) -> None:
        """Note that a user has completed its on_start."""
        seat.role.starting -= 1
        self._changed.set()

    def _on_start_error(self) -> str:
        """Return the error of a failed on_start, with advice."""
        ready = self.users
        text = f"a user stopped in its on_start: {self.failures[0]}"
        if ready:
            text += (
                f"\n  {ready} users had completed theirs; if no more users can log in, "
                f"set --users {ready}, or load.connections = "
                f"{ready} and load.users = {min(ready, 4)}"
            )
        return text

    def _user_ended(self, greenlet: Any) -> None:
        """Remove a user who has stopped, or who never completed its on_start."""
        seat: Seat = greenlet.assay_seat
        role = seat.role
        self.seats.discard(seat)
        self._free_numbers.append(seat.number)
        role.alive -= 1
        role.leaving -= seat.leaving
        if seat in role.idle:
            role.idle.remove(seat)
        if not seat.ready:
            role.starting -= 1
        if self._closing:
            return
        if not seat.ready:
            self.failures.append(repr(seat.error or "StopUser"))
            role.max_users = role.alive  # another user would fail, too
        elif self.dispatcher.growing and role.backlog and role.alive < role.max_users:
            self.add(role)
        self.dispatcher.mark_finished(seat)  # the user may have ended within its task
        self._changed.set()


def _run_user(seat: Seat, environment: Environment, group: Group) -> None:
    """Make a user and run it until it ends.

    Each user is made in its own greenlet: making it can take long, for example if its
    constructor sends a request, and must not delay other users.
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
    except Exception as error:  # Locust has logged it
        seat.error = error
