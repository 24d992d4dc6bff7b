"""Users who come and go in a closed loop: at a spawn rate, or by a LoadTestShape."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import gevent
from locust.shape import LoadTestShape
from locust.user.users import User

from assay.load.inside.pool import Pool
from assay.load.inside.roles import Role
from assay.load.inside.runner import SteeredRunner

TICK = 1.0  # seconds between two questions to a shape, as under Locust
LOOK = 0.02  # seconds: how long nobody looks whether to stop


class Ramp:
    """Makes and stops the users of a pool while a closed loop runs.

    It goes in Locust's steps: of a rate of 5 a second, five at once and then a second
    without. Whoever has stopped by itself is missed, and made again, in the next step
    of a ramp, and otherwise never.

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
        # Of whom there are to be: the class of each, in the order in which they came.
        self._steps: list[Role] = []
        self._classes: frozenset[str] = frozenset()
        self._dealt: Counter[Role] = Counter()  # since the classes changed
        self._moving: Any = None

    def to(
        self, users: int, rate: float, classes: Sequence[type[User]] | None = None
    ) -> None:
        """Make or stop users until there are so many.

        Args:
            users: How many there are to be.
            rate: How many are made or stopped a second.
            classes: What they can be; all of them if None.
        """
        if isinstance(self._runner, SteeredRunner):
            self._runner.spawning(users)
        step = max(1, math.floor(rate))
        while not self._stopped():
            began = time.perf_counter()
            for _ in range(min(step, users - len(self._steps))):
                self._steps.append(self._next(classes))
            for _ in range(min(step, len(self._steps) - users)):
                self._steps.pop()
            self._fill()
            if len(self._steps) == users:
                break
            while time.perf_counter() - began < step / rate and not self._stopped():
                gevent.sleep(LOOK)
        gevent.sleep(0)
        if isinstance(self._runner, SteeredRunner) and not self._stopped():
            self._runner.spawned()

    def follow(self, shape: LoadTestShape) -> None:
        """Do what a shape says, asked once a second, until it says that all is over.

        A new number of users ends the ramp to the one before.
        """
        before: object = None
        shape.runner = self._runner
        shape.reset_time()
        while not self._stopped():
            began = time.perf_counter()
            said = shape.tick()
            if said is None:
                self.over = True
                break
            if said != before:
                users, rate, *classes = said
                self._end()
                more = classes[0] if classes else None
                self._moving = gevent.spawn(self.to, int(users), float(rate), more)
                before = said
            while time.perf_counter() - began < TICK and not self._stopped():
                gevent.sleep(LOOK)
        self._end()

    def _end(self) -> None:
        if self._moving is not None:
            self._moving.kill()

    def _next(self, classes: Sequence[type[User]] | None) -> Role:
        """Return the class of the next user: a fixed number of them first.

        Without classes it is one of those that were named before.
        """
        roles = self._pool.roles.values()
        if classes is not None:
            names = frozenset(cls.__name__ for cls in classes)
            if names != self._classes:
                self._classes, self._dealt = names, Counter()
        chosen = [r for r in roles if r.cls.__name__ in self._classes] or list(roles)
        present = Counter(self._steps)
        for role in chosen:
            if present[role] < role.cls.fixed_count:
                return role
        weighed = [role for role in chosen if not role.cls.fixed_count] or chosen
        # The greatest quotient comes next (D'Hondt), so that they alternate.
        role = max(weighed, key=lambda r: r.cls.weight / (self._dealt[r] + 1))
        self._dealt[role] += 1
        return role

    def _fill(self) -> None:
        """Make those who are missing, and stop those who are too many."""
        wanted = Counter(self._steps)
        for role in self._pool.roles.values():
            change = wanted[role] - (role.alive - role.leaving)
            for _ in range(change):
                self._pool.add(role, enlisted=True)
            for _ in range(-change):
                self._pool.dismiss(role)
