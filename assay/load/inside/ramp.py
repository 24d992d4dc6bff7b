"""Users who come and go in a closed loop: at a spawn rate, or by a LoadTestShape."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import gevent
from locust.shape import LoadTestShape
from locust.user.users import User

from assay.load.inside.pool import SPACING, Pool
from assay.load.inside.roles import Role
from assay.load.inside.runner import SteeredRunner

SHAPE_INTERVAL = 1.0  # seconds between two calls of a shape's tick, as under Locust
POLL_INTERVAL = 0.02  # seconds between two checks whether to stop
# Most users that start or stop at once in stages: a listen backlog must not overflow.
MOST_AT_ONCE = math.ceil(POLL_INTERVAL / SPACING)


class Ramp:
    """Makes and stops the users of a pool while a closed loop runs.

    Users start in steps, as in Locust: at a rate of 5 per second, five users start at
    once, then none for a second. A user who has stopped by itself is replaced only in
    the next step of a ramp.
    """

    def __init__(self, pool: Pool, runner: Any, stopped: Callable[[], bool]) -> None:
        """Prepare the ramp; no user is made yet.

        Args:
            pool: The pool of users.
            runner: The runner that the locustfile's listeners see.
            stopped: Returns whether the test must end.
        """
        self._pool, self._runner, self._stopped = pool, runner, stopped
        # One entry per user that there should be, oldest first: the user's class.
        self._target: list[Role] = []
        self._wanted: Counter[Role] = Counter()  # how often each class is in `_target`
        self._classes: frozenset[str] = frozenset()
        # How often each class was drawn by its weight since the classes changed.
        self._drawn: Counter[Role] = Counter()
        self._ramping: Any = None

    def ramp_to(
        self, users: int, rate: float, classes: Sequence[type[User]] | None = None
    ) -> None:
        """Make or stop users until there are `users`.

        Args:
            users: How many users there should be.
            rate: How many are made or stopped per second.
            classes: The classes of new users. If None, those of the previous call; all
                classes if no call has named any.
        """
        if isinstance(self._runner, SteeredRunner):
            self._runner.spawning(users)
        step = max(1, math.floor(rate))
        while not self._stopped():
            began = time.perf_counter()
            self._step_to(users, step, classes)
            if len(self._target) == users:
                break
            while time.perf_counter() - began < step / rate and not self._stopped():
                gevent.sleep(POLL_INTERVAL)
        gevent.sleep(0)
        if isinstance(self._runner, SteeredRunner) and not self._stopped():
            self._runner.spawned()

    def follow(self, shape: LoadTestShape) -> None:
        """Follow a shape until it ends the test; its `tick` is called once a second.

        If `tick` returns another stage than before, a new ramp replaces the current
        one.
        """
        before: object = None
        shape.runner = self._runner
        shape.reset_time()
        due = time.perf_counter()
        while not self._stopped():
            stage = shape.tick()
            if stage is None:
                break
            if stage != before:
                users, rate, *rest = stage
                self._end_ramp()
                classes = rest[0] if rest else None
                self._ramping = gevent.spawn(
                    self.ramp_to, int(users), float(rate), classes
                )
                before = stage
            # The next call is due one interval after this one was due, so that delays
            # do not add up.
            due = max(due + SHAPE_INTERVAL, time.perf_counter())
            while time.perf_counter() < due and not self._stopped():
                gevent.sleep(POLL_INTERVAL)
        self._end_ramp()

    def follow_numbers(self, users_now: Callable[[], int]) -> None:
        """Make or stop users until the test ends, whenever their number changes.

        If the number changes by many, users start or stop a few at a time.

        Args:
            users_now: Returns how many users there should be now.
        """
        steered = isinstance(self._runner, SteeredRunner)
        aim, reached = 0, True
        while not self._stopped():
            users = users_now()
            if users != aim:
                aim, reached = users, False
                if steered:
                    self._runner.spawning(users)
            if not reached:
                self._step_to(users, MOST_AT_ONCE)
                reached = users == self.wanted
                if steered and reached:
                    self._runner.spawned()
            gevent.sleep(POLL_INTERVAL)

    @property
    def wanted(self) -> int:
        """How many users there should be now."""
        return len(self._target)

    def _step_to(
        self, users: int, step: int, classes: Sequence[type[User]] | None = None
    ) -> None:
        """Make or stop at most `step` users, towards a number of users."""
        for _ in range(min(step, users - len(self._target))):
            role = self._next_role(classes)
            self._target.append(role)
            self._wanted[role] += 1
        for _ in range(min(step, len(self._target) - users)):
            self._wanted[self._target.pop()] -= 1
        self._make_or_stop()

    def _end_ramp(self) -> None:
        if self._ramping is not None:
            self._ramping.kill()

    def _next_role(self, classes: Sequence[type[User]] | None) -> Role:
        """Return the class of the next user; fixed counts are filled first.

        If `classes` is None, the classes of the previous call remain in force.
        """
        roles = self._pool.roles.values()
        if classes is not None:
            names = frozenset(cls.__name__ for cls in classes)
            if names != self._classes:
                self._classes, self._drawn = names, Counter()
        chosen = [r for r in roles if r.cls.__name__ in self._classes] or list(roles)
        for role in chosen:
            if self._wanted[role] < role.cls.fixed_count:
                return role
        weighted = [role for role in chosen if not role.cls.fixed_count] or chosen
        # The largest quotient comes next (D'Hondt), so that classes alternate.
        role = max(weighted, key=lambda r: r.cls.weight / (self._drawn[r] + 1))
        self._drawn[role] += 1
        return role

    def _make_or_stop(self) -> None:
        """Make the users that are missing, and stop surplus users."""
        for role in self._pool.roles.values():
            change = self._wanted[role] - (role.alive - role.leaving)
            for _ in range(change):
                self._pool.add(role, enlisted=True)
            for _ in range(-change):
                self._pool.dismiss(role)
