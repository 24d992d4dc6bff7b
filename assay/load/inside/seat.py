"""One user's seat in its pool: its arrival, and the outcome of that arrival."""

import math
import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from gevent import GreenletExit, get_hub
from gevent.hub import Waiter
from locust import SequentialTaskSet, TaskSet
from locust.exception import (
    InterruptTaskSet,
    RescheduleTask,
    RescheduleTaskImmediately,
    StopTest,
    StopUser,
)

from assay.load.inside import gate
from assay.load.protocol import REQUEST, START, STOP, request_label
from assay.load.recorder import FAILED, FINE, NO_ERROR, Answer

if TYPE_CHECKING:
    from assay.load.inside.dispatcher import Dispatcher
    from assay.load.inside.pool import Pool
    from assay.load.inside.roles import Role

STOPPING = (StopUser, StopTest, GreenletExit)  # the user stops
LEAVING = (InterruptTaskSet, *STOPPING)  # the user leaves its present set of tasks
# A nested set has ended, but the set around it goes on.
RETURNING = (RescheduleTask, RescheduleTaskImmediately)


class Seat:
    """The state of one user in its pool.

    An arrival is one task. With a `SequentialTaskSet` it is a journey: the whole
    sequence with all sets nested in it, whose steps follow each other at once.

    Attributes:
        number: Number of the user in the pool.
        role: The user class.
        kind: Whether the user's requests now belong to on_start, the load, or on_stop:
            `START`, `REQUEST` or `STOP`.
        ready: Whether the user has completed its on_start.
        scheduled: When the arrival was due, until its first request is recorded; then
            None. Always None in a closed loop.
        waited: Seconds from when the arrival was due until a user was free for it.
        arrived_at: When the arrival was due; in a closed loop, when its task was
            assigned.
        freed: When the user last became free: at its last answer, or when its on_start
            or a task without requests was completed.
        busy: Whether the user works on an arrival.
        enlisted: Whether the user takes part in a closed loop.
        leaving: Whether the user stops once it has done its task.
        in_task: Whether the code of one of the locustfile's tasks is running.
        error: The error that ended the user, if one did.
        stepped: Whether `step` was called since the last think time.
        tasks: The tasks that the user can run.
        held: Requests after the end of the load. They are recorded when their task
            ends; if it does not end, they are not recorded.
    """

    def __init__(self, pool: "Pool", number: int, role: "Role") -> None:
        """Begin without an arrival."""
        self.pool = pool
        self.dispatcher: Dispatcher = pool.dispatcher
        self.number, self.role = number, role
        self.kind = START
        self.ready = self.busy = self.enlisted = self.leaving = False
        self.in_task = self.stepped = False
        self.scheduled: float | None = None
        self.waited = self.freed = 0.0
        self.arrived_at: float | None = None
        self.error: BaseException | None = None
        self.choose: Callable[[Sequence[Any]], Any] = itemgetter(0)
        self.tasks: Sequence[Any] = ()
        self._waiter: Waiter | None = None
        self._begin()

    def _begin(self) -> None:
        """Forget the previous arrival."""
        self.name = ""
        self.journey: Any = None
        self.chosen: list[Any] = []  # the tasks of this arrival, while they are learned
        self.requests = 0
        self.worst = self.step_worst = FINE
        self.raised = False
        self.held: list[tuple[str, str, float, float, Answer]] = []
        self.due: float | None = None
        self.first = self.begun = 0.0

    def step(self, task_set: Any, execute: Callable[[Any], None]) -> None:
        """Run the next task of a set, once there is an arrival for it.

        Args:
            task_set: The set that the task belongs to.
            execute: Runs the next task of a TaskSet.
        """
        self.stepped = True
        if not self.busy:
            self.wait_for_arrival(task_set.__dict__.get("assay_tasks", ()))
        if self.journey is None and isinstance(task_set, SequentialTaskSet):
            self.journey, self.name = task_set, type(task_set).__name__
        task = gate.choose_task(task_set, self.choose)
        if self.dispatcher.learns:
            self.chosen.append(task)
        nested = isinstance(task, type) and issubclass(task, TaskSet)
        if not nested and not self.name:
            self.name = getattr(task, "__name__", type(task).__name__)
        was_in_task, self.in_task = self.in_task, not nested
        self.step_worst, left = FINE, False
        recorder = self.dispatcher.recorder
        try:
            execute(task_set)
        except LEAVING as error:
            left = True
            if isinstance(error, STOPPING):
                self.kind = STOP
            raise
        except RETURNING:
            raise
        except Exception as error:
            self.fail(error, type(task_set).__name__)
            raise
        finally:
            self.in_task = was_in_task
            ended = self.journey is None or (
                self.journey is task_set and (left or gate.sequence_ended(task_set))
            )
            if ended and self.busy and self.dispatcher.recorder is recorder:
                self.finish()

    def wait_for_arrival(self, tasks: Sequence[Any] = ()) -> None:
        """Wait until there is an arrival for this user.

        Args:
            tasks: The tasks that the user can run.

        Raises:
            StopUser: The user must stop.
        """
        dispatcher, self.tasks = self.dispatcher, tasks
        if not self.ready:
            self.ready, self.kind, self.freed = True, REQUEST, time.perf_counter()
            self.pool.started(self)
        if not self.leaving and not dispatcher.proceed(self):
            dispatcher.mark_idle(self)
            self._waiter = Waiter()
            self._waiter.get()
            self._waiter = None
        if self.leaving:
            self.kind = STOP
            raise StopUser()
        self._begin()
        self.begun, self.due = time.perf_counter(), self.scheduled
        if self.due is not None:
            dispatcher.recorder.lags.append(self.begun - self.due - self.waited)

    def wake(self) -> None:
        """End the user's wait for an arrival."""
        if self._waiter is not None:
            get_hub().loop.run_callback(self._waiter.switch, None)

    def record(
        self,
        method: str,
        name: str,
        start: float,
        end: float,
        answer: Answer = NO_ERROR,
    ) -> None:
        """Record a request of this user, with times in seconds of `time.perf_counter`.

        Only the first request of an arrival has a scheduled time; each later request is
        due when it is sent. Requests that begin after the end of the load count only if
        their task ends.
        """
        after_end = start > self.dispatcher.over_at
        if after_end and self.kind is REQUEST and self.requests:
            self.requests += 1
            self.freed = end
            self.held.append((method, name, start, end, answer))
            return
        self._record(method, name, start, end, answer)

    def _record(
        self, method: str, name: str, start: float, end: float, answer: Answer
    ) -> None:
        recorder, scheduled, waited = self.dispatcher.recorder, self.scheduled, 0.0
        if scheduled is None or self.kind is not REQUEST:
            scheduled = start
        else:
            self.scheduled, waited = None, self.waited
            recorder.generator_delays.append(start - scheduled - waited)
        if not self.requests:
            self.first = start
        self.requests += 1
        self.freed = end
        key = self.kind, method, name
        if self.dispatcher.learns and self.kind is REQUEST and self.busy:
            for task in self.chosen:
                self.dispatcher.learn(task, request_label(key))
        outcome = recorder.add(key, scheduled, waited, start, end, self.number, answer)
        if outcome:
            self.worst = max(self.worst, outcome)
            self.step_worst = max(self.step_worst, outcome)

    def fail(self, error: BaseException, name: str = "") -> None:
        """Record the exception of a task, unless a request of this step has failed."""
        if self.step_worst == FINE:
            self.raised, self.worst = True, max(self.worst, FAILED)
            self.dispatcher.recorder.add_raised(self.name or name, error)

    def sent(self, stamp: float) -> float:
        """Return when the request that this user waits for was sent.

        The time is never before the arrival's beginning or the user's last answer. It
        is NaN if the user has not begun its arrival.

        Args:
            stamp: When the user's socket last began to send; 0 if that is unknown.
        """
        if self.arrived_at is None or self.begun < self.arrived_at:
            return math.nan
        return max(stamp, self.begun, self.freed)

    def finish(self) -> None:
        """End the arrival, and record its task as a whole if that is needed."""
        recorder, name = self.dispatcher.recorder, self.name
        held, self.held = self.held, []
        for sample in held:
            self.requests -= 1  # counted when it was held
            self._record(*sample)
        if name:
            recorder.tasks[name] += 1
        if self.requests > 1 or self.raised or self.journey is not None:
            start = self.first if self.requests else self.begun
            due, waited = start, 0.0
            if self.due is not None:
                due, waited = self.due, self.waited
            end = self.freed if self.requests else time.perf_counter()
            recorder.add_task(
                name or type(self.journey).__name__,
                due,
                waited,
                start,
                end,
                self.number,
                self.worst,
            )
        if not self.requests:
            self.freed = time.perf_counter()
        self.scheduled, self.journey = None, None
        self.dispatcher.mark_finished(self)
