"""What the probe counts, and how it hands that on."""

from __future__ import annotations

import _thread
import json
import os
import time
from collections.abc import Iterable, Sequence
from typing import Any, Callable, Optional

from .places import Place, Project

# Kept before anybody replaces them, as gevent does.
perf_counter = time.perf_counter
thread_time = time.thread_time
get_ident = _thread.get_ident
_sleep = time.sleep
_start_thread = _thread.start_new_thread

POLL = 0.05  # seconds between two looks at the file that asks
MOST = 20_000  # different things that are counted; what is beyond has no place

Key = tuple[str, str, Optional[Place], Optional[Place]]


class Totals:
    """Counts and seconds by kind, resource, place and holder.

    Every thread counts for itself, so that no count is lost and none waits.

    Args:
        project: Tells whose code is whose.
    """

    def __init__(self, project: Project) -> None:
        """Begin with nothing."""
        self.project = project
        self.problems: list[str] = []
        self.own_threads: set[int] = set()
        self._threads: list[dict[Key, list[float]]] = []
        self._mine = _thread._local()

    def add(
        self,
        kind: str,
        resource: str = "",
        place: Optional[Place] = None,
        holders: Sequence[Optional[Place]] = (),
        seconds: float = 0.0,
        count: float = 1.0,
    ) -> None:
        """Count something that happened.

        Args:
            kind: Of what.
            resource: What was waited for or called, in a few words.
            place: The user's line that did it.
            holders: Who held the resource: each is answerable for an equal part.
            seconds: How long it took.
            count: How often it happened.
        """
        mine = self._of_this_thread()
        share = 1.0 / (len(holders) or 1)
        for holder in holders or (None,):
            key = (kind, resource, place, holder)
            entry = mine.get(key)
            if entry is None:
                if len(mine) >= MOST:
                    key = (kind, "", None, None)
                entry = mine.setdefault(key, [0.0, 0.0, 0.0])
            entry[0] += count * share
            entry[1] += seconds * share
            if seconds > entry[2]:
                entry[2] = seconds

    def _of_this_thread(self) -> dict[Key, list[float]]:
        mine: Optional[dict[Key, list[float]]] = getattr(self._mine, "counts", None)
        if mine is None:
            mine = self._mine.counts = {}
            self._threads.append(mine)
        return mine

    def rows(self) -> list[list[Any]]:
        """Return all that was counted: kind, resource, place, holder, numbers."""
        merged: dict[Key, list[float]] = {}
        for counts in list(self._threads):
            for key, (count, seconds, longest) in list(counts.items()):
                into = merged.setdefault(key, [0.0, 0.0, 0.0])
                into[0] += count
                into[1] += seconds
                into[2] = max(into[2], longest)
        return [[*key, *numbers] for key, numbers in merged.items()]

    def forget(self) -> None:
        """Begin anew, as a forked process does."""
        self._threads = []
        self._mine = _thread._local()
        self.own_threads = set()

    def problem(self, text: str) -> None:
        """Note what the probe could not do."""
        if text not in self.problems and len(self.problems) < 100:
            self.problems.append(text)


class Answers:
    """Writes the totals whenever Assay asks for them.

    A thread of its own looks for a file; the target is never signalled.

    Args:
        totals: What is written.
        folder: Where the question and the answers lie.
        ask: Name of the file that holds the number of the question.
    """

    def __init__(self, totals: Totals, folder: str, ask: str) -> None:
        """Prepare; nothing is written yet."""
        self._totals = totals
        self._folder = folder
        self._ask = os.path.join(folder, ask)
        self._answered = ""
        self.extras: list[Callable[[], Iterable[Sequence[Any]]]] = []

    def start(self) -> None:
        """Answer from now on, in this process."""
        _start_thread(self._serve, ())

    def _serve(self) -> None:
        self._totals.own_threads.add(get_ident())
        while True:
            try:
                self._look()
            except OSError as error:
                self._totals.problem(f"totals could not be written: {error}")
            _sleep(POLL)

    def _look(self) -> None:
        try:
            descriptor = os.open(self._ask, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            number = os.read(descriptor, 64).decode("ascii", "replace").strip()
        finally:
            os.close(descriptor)
        if number.isdigit() and number != self._answered:
            self.write(number)
            self._answered = number

    def write(self, number: str) -> None:
        """Write the totals as the answer to a question."""
        rows: list[Sequence[Any]] = list(self._totals.rows())
        for extra in self.extras:
            rows.extend(extra())
        text = json.dumps(
            {
                "pid": os.getpid(),
                "time": time.monotonic(),
                "cpu": time.process_time(),
                "problems": self._totals.problems,
                "rows": rows,
            }
        )
        path = os.path.join(self._folder, f"{os.getpid()}.{number}.json")
        with open(path + ".part", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".part", path)
