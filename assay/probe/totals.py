"""Count what happens in the target, and write the counts when Assay asks for them."""

from __future__ import annotations

import _thread
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, Callable, Dict, List, Optional

from .places import Place, Project

# The original functions. The target may replace them later, for example with gevent.
perf_counter = time.perf_counter
thread_time = time.thread_time
get_ident = _thread.get_ident
_sleep = time.sleep
_start_thread = _thread.start_new_thread
_native_id = _thread.get_native_id

POLL = 0.05  # seconds between two looks for a question
MOST = 20_000  # keys of one thread; further events are counted by kind alone

Key = tuple[str, str, Optional[Place], Optional[Place]]
Counts = Dict[Key, List[float]]  # count, seconds and longest


def has_greenlets() -> bool:
    """Say whether gevent or eventlet runs many requests in one thread."""
    return "gevent.hub" in sys.modules or "eventlet.hubs" in sys.modules


class Totals:
    """Counts and seconds by kind, resource, place and holder.

    Each thread has its own counts, so no count is lost and no thread waits for another.

    Args:
        project: Tells the user's code from that of libraries.
    """

    def __init__(self, project: Project) -> None:
        """Begin with empty counts."""
        self.project = project
        self.problems: list[str] = []
        self._probing: set[int] = set()  # threads of the probe, by native identifier
        # By native identifier, for each thread that runs an event loop: its wait for a
        # core when the loop began. Then the waits of all loops that have ended.
        self._looping: dict[int, float] = {}
        self._looped = 0.0
        self._lock = _thread.allocate_lock()
        # The identifier and the counts of each thread, by the id of the counts.
        self._threads: dict[int, tuple[int, Counts]] = {}
        self._ended: Counts = {}  # the counts of threads that have ended
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
        """Count an event.

        Args:
            kind: The kind of the event.
            resource: The resource that was waited for or called, in a few words.
            place: The user's line that waited or called.
            holders: The places that held the resource; each gets an equal share.
            seconds: How long the event took.
            count: How often the event happened.
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

    def _of_this_thread(self) -> Counts:
        mine: Optional[Counts] = getattr(self._mine, "counts", None)
        if mine is None:
            mine = self._mine.counts = {}
            self._threads[id(mine)] = get_ident(), mine
        return mine

    def entry(self, kind: str, resource: str = "") -> list[float]:
        """Return the list of count, seconds and longest of events without a place.

        The list belongs to the calling thread. Code that runs with every callback
        changes the list directly, which costs less than `add`.
        """
        return self._of_this_thread().setdefault(
            (kind, resource, None, None), [0.0, 0.0, 0.0]
        )

    def waited(self, seconds: float) -> None:
        """Note that this thread has spent some seconds in a wait that is counted."""
        self._mine.waited = self.waits() + seconds

    def waited_since(self, waits: float, cpu: float, took: float) -> float:
        """Note the wait of this thread in a counted span; return the span's CPU time.

        Waits within the span that were noted before are not noted again. With
        greenlets, nothing is noted and 0 is returned: they share the CPU time and the
        waits of one thread, so those of a single greenlet are unknown.

        Args:
            waits: The waits of this thread when the span began.
            cpu: The CPU time of this thread when the span began.
            took: Length of the span, in seconds.
        """
        if has_greenlets():
            return 0.0
        spent = thread_time() - cpu
        self.waited(max(0.0, took - spent - (self.waits() - waits)))
        return spent

    def waits(self) -> float:
        """Return the seconds that this thread has spent in waits that are counted."""
        waited: float = getattr(self._mine, "waited", 0.0)
        return waited

    def rows(self) -> list[list[Any]]:
        """Return all counts as rows.

        A row has kind, resource, place, holder, count, seconds and longest.
        """
        alive = sys._current_frames()
        for key, (thread, counts) in list(self._threads.items()):
            if thread not in alive:  # some servers start a thread for each request
                _merge(self._ended, self._threads.pop(key)[1])
        merged: Counts = {}
        _merge(merged, self._ended)
        for _, counts in list(self._threads.values()):
            _merge(merged, counts)
        return [[*key, *numbers] for key, numbers in merged.items()]

    def forget(self) -> None:
        """Drop all counts: a forked process begins anew."""
        self._threads = {}
        self._ended = {}
        self._mine = _thread._local()
        self._probing, self._looping, self._looped = set(), {}, 0.0
        self._lock = _thread.allocate_lock()

    def probes_here(self) -> None:
        """Note that the calling thread is the probe's, not the target's."""
        self._probing.add(_native_id())

    def loops_here(self) -> None:
        """Note that the calling thread begins to run an event loop."""
        thread = _native_id()
        self._looping[thread] = _times((thread,))[1]

    def is_loop(self) -> bool:
        """Say whether the calling thread runs an event loop."""
        return _native_id() in self._looping

    def loop_left(self) -> None:
        """Note that the calling thread no longer runs an event loop."""
        thread = _native_id()
        began = self._looping.pop(thread, None)
        if began is not None:
            waited = max(0.0, _times((thread,))[1] - began)
            with self._lock:
                self._looped += waited

    def of_probe(self) -> tuple[float, float]:
        """Return the CPU seconds of the probe's threads, and their waits for a core."""
        return _times(self._probing)

    def loop_wait(self) -> float:
        """Return the seconds for which threads that ran a loop waited for a core."""
        running = list(self._looping.items())
        return self._looped + sum(
            max(0.0, _times((thread,))[1] - began) for thread, began in running
        )

    def problem(self, text: str) -> None:
        """Note something that the probe could not do."""
        if text not in self.problems and len(self.problems) < 100:
            self.problems.append(text)


def _times(threads: Iterable[int]) -> tuple[float, float]:
    """Return the CPU seconds of some threads, and their waits for a core.

    Both are 0 if the kernel does not report them.
    """
    cpu = wait = 0.0
    for thread in list(threads):
        try:
            with open(f"/proc/self/task/{thread}/schedstat", "rb") as file:
                ran, waited = file.read().split()[:2]
        except (OSError, ValueError):
            continue
        cpu, wait = cpu + int(ran) / 1e9, wait + int(waited) / 1e9
    return cpu, wait


def _merge(into: Counts, counts: Counts) -> None:
    """Add `counts` to the counts in `into`."""
    for key, (count, seconds, longest) in list(counts.items()):
        entry = into.setdefault(key, [0.0, 0.0, 0.0])
        entry[0] += count
        entry[1] += seconds
        entry[2] = max(entry[2], longest)


class Answers:
    """Writes the totals whenever Assay asks for them.

    Assay asks by writing a file. A separate thread looks for it, so the target gets no
    signal.

    Args:
        totals: The totals to write.
        folder: The folder of the question and the answers.
        ask: Name of the file that holds the number of the question.
        with_files: Whether answers list the files that were imported.

    Attributes:
        asked: Whether Assay has asked at least once.
        extras: Functions that return further rows for each answer.
    """

    def __init__(
        self, totals: Totals, folder: str, ask: str, with_files: bool = False
    ) -> None:
        """Prepare to answer; `start` begins to look for questions."""
        self._totals = totals
        self._with_files = with_files
        self._folder = folder
        self._ask = os.path.join(folder, ask)
        self._answered = ""
        self._writing = 0.0  # CPU seconds that this thread has spent on answers
        self.asked = False
        self.extras: list[Callable[[], Iterable[Sequence[Any]]]] = []

    def start(self) -> None:
        """Answer from now on, in a thread of this process."""
        _start_thread(self._serve, ())

    def _serve(self) -> None:
        self._totals.probes_here()
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
            self.asked = True
            self.write(number)
            self._answered = number

    def write(self, number: str) -> None:
        """Write the totals as the answer to the question with this number."""
        began, (probe_cpu, probe_wait) = thread_time(), self._totals.of_probe()
        rows: list[Sequence[Any]] = list(self._totals.rows())
        for extra in self.extras:
            rows.extend(extra())
        text = json.dumps(
            {
                "pid": os.getpid(),
                "time": time.monotonic(),
                "cpu": time.process_time(),
                # Assay's clock does not run while answers are written.
                "probe": [max(0.0, probe_cpu - self._writing), probe_wait],
                "loop_wait": self._totals.loop_wait(),
                "problems": self._totals.problems,
                "rows": rows,
                "files": imported_files() if self._with_files else [],
            }
        )
        path = os.path.join(self._folder, f"{os.getpid()}.{number}.json")
        with open(path + ".part", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".part", path)
        self._writing += thread_time() - began


def imported_files() -> list[str]:
    """Return the files of all modules that this process has imported."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return sorted({os.path.abspath(file) for file in files if isinstance(file, str)})
