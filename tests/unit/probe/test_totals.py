"""The counts of all threads are added up, even of threads that have ended."""

import threading
from pathlib import Path

from assay.probe.places import Project
from assay.probe.totals import Totals


def counted(totals: Totals) -> dict[str, float]:
    return {kind: count for kind, _, _, _, count, _, _ in totals.rows()}


def test_nothing_is_lost_of_threads_that_ended() -> None:
    totals = Totals(Project([str(Path(__file__).parent)]))
    for _ in range(50):
        thread = threading.Thread(target=lambda: totals.add("call", seconds=0.1))
        thread.start()
        thread.join()
    totals.add("call", seconds=0.3)
    (row,) = totals.rows()
    assert row[0] == "call" and row[4] == 51 and row[6] == 0.3
    assert abs(row[5] - 5.3) < 1e-9
    assert counted(totals) == counted(totals)
    # Only the threads that are alive are kept.
    assert len(totals._threads) <= threading.active_count() + 1


def test_an_entry_counts_for_its_thread() -> None:
    totals = Totals(Project([str(Path(__file__).parent)]))
    entry = totals.entry("turn")
    entry[0] += 3
    assert counted(totals) == {"turn": 3}


def test_waits_are_noted_once() -> None:
    totals = Totals(Project([str(Path(__file__).parent)]))
    before = totals.waits()
    totals.waited(0.2)  # within a span of 0.5 s, of which 0.1 s was CPU time
    import time

    cpu = time.thread_time() - 0.1
    spent = totals.waited_since(before, cpu, 0.5)
    assert 0.1 <= spent < 0.2
    assert 0.3 < totals.waits() - before <= 0.4
