"""A spin calibration: how steadily a core does the same piece of work."""

import json
import math
import os
import statistics
import sys
import time
from dataclasses import dataclass

from assay.system import processes

PIECE_SECONDS = 0.01  # seconds of work


@dataclass(frozen=True)
class Spin:
    """A spin calibration: the same piece of work again and again on one core.

    Attributes:
        pieces: Seconds that each piece took.
        run_delay: Seconds that the process was runnable but not running.
        seconds: Seconds that the whole calibration took.
    """

    pieces: tuple[float, ...]
    run_delay: float
    seconds: float

    @property
    def spread(self) -> float:
        """Robust standard deviation of the pieces, as a share of their median."""
        median = statistics.median(self.pieces)
        deviation = statistics.median(abs(piece - median) for piece in self.pieces)
        return 1.4826 * deviation / median


def spin(seconds: float) -> Spin:
    """Work on this core for some seconds, in pieces of about `PIECE_SECONDS`.

    There are at least three pieces.
    """
    turns = _turns_for(PIECE_SECONDS)
    pid = os.getpid()
    pieces: list[float] = []
    began, waited = time.perf_counter(), processes.run_delay(pid)
    while time.perf_counter() - began < seconds or len(pieces) < 3:
        start = time.perf_counter()
        for _ in range(turns):
            pass
        pieces.append(time.perf_counter() - start)
    spent = time.perf_counter() - began
    return Spin(tuple(pieces), processes.run_delay(pid) - waited, spent)


def print_spin() -> None:
    """Spin for `sys.argv[1]` seconds and print the result as JSON.

    This runs in a child process.
    """
    result = spin(float(sys.argv[1]))
    print(json.dumps([result.pieces, result.run_delay, result.seconds]))


def _turns_for(seconds: float) -> int:
    """Return how many turns of an empty loop take the given time.

    The number is estimated from the fastest of five trials.
    """
    turns, quickest = 100_000, math.inf
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(turns):
            pass
        quickest = min(quickest, time.perf_counter() - start)
    return max(1, int(turns * seconds / quickest))
