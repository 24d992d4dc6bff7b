"""Users who come and go in a closed loop: at a spawn rate, or by a LoadTestShape."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import gevent
from locust.shape import LoadTestShape
from locust.user.users import User

from assay.load.pool import Pool, Role, share
from assay.load.runner import SteeredRunner

TICK = 1.0  # seconds between two questions to a shape, as under Locust
LOOK = 0.05  # seconds: how long nobody looks whether to stop


class Ramp:
    """Makes and stops the users of a pool while a closed loop runs.

    Attributes:
        over: Whether a shape has said that the test is over.
    """

    def __init__(self, pool: Pool, runner: Any, stopped: Callable[[], bool]) -> None:
        """Take a pool.

        Args:
            pool: Whose users.
            runner: What listeners of the locustfile look at.
            stopped: Says whether the test is to end.
        """
        self.over = False
        self._pool, self._runner, self._stopped = pool, runner, stopped
        self._steered = isinstance(runner, SteeredRunner)

    def to(
        self, users: int, rate: float, classes: Sequence[type[User]] | None = None
    ) -> None:
        """Make or stop users until there are so many.

        Args:
            users: How many there are to be.
            rate: How many are made or stopped a second.
            classes: What those who are made can be; all of them if None.
        """
        if self._steered:
            self._runner.spawning(users)
        roles = self._roles(classes)
        due = time.perf_counter()
        while (change := self._next(users, roles)) is not None and not self._stopped():
            role, more = change
            if more:
                self._pool.add(role, enlisted=True)
            else:
                self._pool.dismiss(role)
            due += 1 / max(rate, 1e-3)
            while (left := due - time.perf_counter()) > 0 and not self._stopped():
                gevent.sleep(min(left, LOOK))
            gevent.sleep(0)
        if self._steered and not self._stopped():
            self._runner.spawned()

    def follow(self, shape: LoadTestShape) -> None:
        """Do what a shape says, once a second, until it says that all is over."""
        before: object = None
        shape.runner = self._runner
        shape.reset_time()
        while not self._stopped():
            began = time.perf_counter()
            said = shape.tick()
            if said is None:
                self.over = True
                return
            if said != before:
                users, rate, *classes = said
                self.to(int(users), float(rate), classes[0] if classes else None)
                before = said
            while time.perf_counter() - began < TICK and not self._stopped():
                gevent.sleep(LOOK)

    def _roles(self, classes: Sequence[type[User]] | None) -> list[Role]:
        if classes is None:
            return list(self._pool.roles.values())
        names = {cls.__name__ for cls in classes}
        return [r for r in self._pool.roles.values() if r.cls.__name__ in names]

    def _next(self, users: int, roles: Sequence[Role]) -> tuple[Role, bool] | None:
        """Return whose number changes next, and whether it grows; None if none does."""
        present = {
            role: role.alive - role.leaving for role in self._pool.roles.values()
        }
        total = sum(present.values())
        if total == users or not roles:
            return None
        wanted = Counter(share([role.cls for role in roles], users))
        if total < users:
            lacking = {r: wanted[r.cls] - present[r] for r in roles}
            return max(roles, key=lambda role: lacking[role]), True
        surplus = {r: present[r] - wanted[r.cls] for r in present if present[r]}
        return max(surplus, key=lambda role: surplus[role]), False
