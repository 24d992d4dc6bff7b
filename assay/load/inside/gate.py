"""The gate in Locust's own loop, at which every user waits before each task.

`TaskSet.execute_next_task` is wrapped so that a user waits for an arrival.
`TaskSet.wait` is wrapped so that it returns at once, unless think time is wanted. The
task is chosen for the arrival, not for the user who happens to be free. So the same
seed gives the same work, although the server's speed decides the order of users.
"""

from collections.abc import Callable, Sequence
from typing import Any

import gevent
from geventhttpclient.useragent import ConnectionError as NoConnectionError
from locust import SequentialTaskSet, TaskSet
from locust.exception import CatchResponseError
from locust.user.task import LOCUST_STATE_RUNNING, DefaultTaskSet
from locust.user.users import PytestUser
from requests.exceptions import RequestException

from assay.load.protocol import REQUEST

# Exceptions that a test function raises after a failed request. The request has been
# counted already.
REQUEST_ERRORS = (RequestException, CatchResponseError, NoConnectionError)


def install() -> None:
    """Make every TaskSet wait for its user's seat before it runs a task."""
    execute, think = TaskSet.execute_next_task, TaskSet.wait

    def execute_next_task(self: Any) -> None:
        self.user.assay_seat.step(self, execute)

    def wait(self: Any) -> None:
        seat = self.user.assay_seat
        if seat.in_task or seat.kind is not REQUEST:
            think(self)  # a pause within a task is part of its work
            return
        if not seat.stepped:
            # The task set raised an exception before the gate, and Locust tries again.
            # Without a pause, this loop would never let other greenlets run.
            gevent.sleep(0.01)
        elif seat.dispatcher.think_time:
            think(self)
        seat.stepped = False

    def sleep(self: Any, seconds: float) -> None:
        seat = self.user.assay_seat
        if seat.in_task or seat.kind is not REQUEST:
            gevent.sleep(seconds)
        else:  # the end of the load ends the think time
            seat.dispatcher.over.wait(seconds)

    TaskSet._sleep = sleep  # type: ignore[method-assign]
    TaskSet.execute_next_task = execute_next_task  # type: ignore[method-assign]
    TaskSet.wait = wait  # type: ignore[method-assign]
    PytestUser.run = _run_functions  # type: ignore[method-assign,misc]
    for kind, tasks_of in (
        (TaskSet, lambda task_set: task_set.tasks),
        (DefaultTaskSet, lambda task_set: task_set.user.tasks),
    ):
        kind.get_next_task = _deferred(  # type: ignore[method-assign]
            kind.get_next_task, tasks_of
        )
    SequentialTaskSet.get_next_task = _counted(  # type: ignore[method-assign]
        SequentialTaskSet.get_next_task
    )


def choose_task(task_set: Any, choose: Callable[[Sequence[Any]], Any]) -> Any:
    """Replace the task that Locust drew with the task of the arrival.

    A task that was scheduled by name, or by a TaskSet with its own order, is kept.

    Args:
        task_set: The set whose task comes next.
        choose: Returns one of several tasks.

    Returns:
        The task that comes next.
    """
    queue = task_set._task_queue
    # Only a drawn task sets the mark: a task that was scheduled by name has none.
    if task_set.__dict__.get("assay_undecided"):
        task_set.assay_undecided = False
        queue[0] = choose(task_set.assay_tasks)
    return queue[0]


def sequence_ended(task_set: Any) -> bool:
    """Return whether a sequence has run its last task and would begin again."""
    dealt = task_set.__dict__.get("assay_dealt", 0)
    return not task_set._task_queue and dealt % len(task_set.tasks) == 0


def _deferred(
    original: Callable[[Any], Any], tasks_of: Callable[[Any], Sequence[Any]]
) -> Callable[[Any], Any]:
    """Wrap one of Locust's random choices: the gate makes the choice instead."""

    def get_next_task(self: Any) -> Any:
        tasks = tasks_of(self)
        if not tasks:
            return original(self)  # it raises Locust's error about missing tasks
        attributes = self.__dict__
        if attributes.get("assay_tasks") is not tasks:
            attributes["assay_tasks"] = tasks
        attributes["assay_undecided"] = True
        return tasks[0]

    return get_next_task


def _counted(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Wrap the `get_next_task` of a sequence to count the tasks that it returns."""

    def get_next_task(self: Any) -> Any:
        task = original(self)
        self.__dict__["assay_dealt"] = self.__dict__.get("assay_dealt", 0) + 1
        return task

    return get_next_task


def _run_functions(self: Any) -> None:
    """Run the test functions of a locustfile in pytest's style, one per arrival."""
    self._state = LOCUST_STATE_RUNNING
    seat = self.assay_seat
    self.fixtures = [next(f.fixturedef.func(self)) for f in self.functions]
    while True:
        for function, fixture in zip(self.functions, self.fixtures, strict=True):
            seat.wait_for_arrival()
            seat.name, seat.in_task = function.name, True
            recorder = seat.dispatcher.recorder
            try:
                function.obj(fixture)
            except REQUEST_ERRORS as error:
                if isinstance(error, ValueError):  # an invalid URL
                    seat.fail(error)
                    raise
            except Exception as error:
                seat.fail(error)
                raise
            finally:
                seat.in_task = False
                if seat.busy and seat.dispatcher.recorder is recorder:
                    seat.finish()
