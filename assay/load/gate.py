"""Where every user waits before each task: Locust's own loop, with a gate in it.

`TaskSet.execute_next_task` is wrapped so that a user waits for an arrival, and
`TaskSet.wait` so that it returns at once, unless users are to think. Which task is
done is chosen for the arrival, not for the user that happens to be free: the same
seed gives the same work, whatever the server's speed does to the order of users.
"""

from collections.abc import Callable, Sequence
from typing import Any

import gevent
from locust import TaskSet
from locust.user.task import DefaultTaskSet


def install() -> None:
    """Make every TaskSet wait for its user's seat before it runs a task."""
    execute, think = TaskSet.execute_next_task, TaskSet.wait

    def execute_next_task(self: Any) -> None:
        task = self._task_queue[0]
        if isinstance(task, type) and issubclass(task, TaskSet):
            execute(self)  # its own tasks pass the gate
        else:
            self.user.assay_seat.work(self, execute)

    def wait(self: Any) -> None:
        seat = self.user.assay_seat
        if seat.busy:  # a pause that a task makes itself is part of its work
            think(self)
            return
        if not seat.passed:
            # Something raised before the gate, and Locust tries again: without a
            # pause that loop would never let anybody else run.
            gevent.sleep(0.01)
        elif seat.pool.think_time:
            think(self)
        seat.passed = False

    def sleep(self: Any, seconds: float) -> None:
        seat = self.user.assay_seat
        if seat.busy:
            gevent.sleep(seconds)
        else:  # whoever thinks when the time is up does not miss what comes next
            seat.pool.over.wait(seconds)

    TaskSet._sleep = sleep  # type: ignore[method-assign]
    TaskSet.execute_next_task = execute_next_task  # type: ignore[method-assign]
    TaskSet.wait = wait  # type: ignore[method-assign]
    for kind, tasks_of in (
        (TaskSet, lambda task_set: task_set.tasks),
        (DefaultTaskSet, lambda task_set: task_set.user.tasks),
    ):
        kind.get_next_task = _late(  # type: ignore[method-assign]
            kind.get_next_task, tasks_of
        )


def drawn(task_set: Any, choose: Callable[[Sequence[Any]], Any]) -> Any:
    """Put the task of an arrival in place of the one that Locust's dice chose.

    A task that was scheduled by name, or by a TaskSet with an order of its own, stays.

    Args:
        task_set: Whose turn it is.
        choose: Returns one of several tasks.

    Returns:
        The task that comes next.
    """
    queue = task_set._task_queue
    # The mark is set by the choice itself, so what was scheduled by name has none.
    if task_set.__dict__.get("assay_open"):
        task_set.assay_open = False
        queue[0] = choose(task_set.assay_tasks)
    return queue[0]


def _late(
    original: Callable[[Any], Any], tasks_of: Callable[[Any], Sequence[Any]]
) -> Callable[[Any], Any]:
    """Leave a choice by dice to the gate.

    Nested TaskSets do not wait there, so where there are any the choice is made now.
    """

    def get_next_task(self: Any) -> Any:
        tasks = tasks_of(self)
        known = self.__dict__
        if known.get("assay_tasks") is not tasks:
            known["assay_tasks"] = tasks
            nested = any(isinstance(task, type) for task in tasks)
            known["assay_plain"] = bool(tasks) and not nested
        if not known["assay_plain"]:
            return original(self)
        known["assay_open"] = True
        return tasks[0]

    return get_next_task
