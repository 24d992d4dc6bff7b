"""Reading what the probes of a target counted."""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assay.errors import MeasureError
from assay.observations import Amount, Event, Place
from assay.probe.environment import ASK
from assay.profilers import probe as probes
from assay.profilers.probe import Probe, Totals, between

HERE = ["load", "app.py", 7]
EVENT = Event(
    kind="lock", resource="Lock", place=Place(function="load", file="app.py", line=7)
)


def answer(pid: int, *rows: list[Any], cpu: float = 1.0) -> str:
    times = {"time": 0, "cpu": cpu, "probe": [cpu / 8, cpu / 4], "loop_wait": cpu / 2}
    return json.dumps({"pid": pid, "problems": [], "rows": list(rows), **times})


@contextmanager
def answering(folder: Path, texts: dict[int, str]) -> Iterator[None]:
    """Answer every question with these texts, by process."""
    over = threading.Event()

    def serve() -> None:
        answered = ""
        while not over.is_set():
            ask = folder / ASK
            number = ask.read_text() if ask.exists() else ""
            if number and number != answered:
                answered = number
                for pid, text in texts.items():
                    (folder / f"{pid}.{number}.json").write_text(text)
            time.sleep(0.005)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_totals_of_every_process_are_read(tmp_path: Path) -> None:
    texts = {
        os.getpid(): answer(os.getpid(), ["lock", "Lock", HERE, None, 2, 0.5, 0.3]),
        1: answer(1, ["lock", "Lock", HERE, None, 1, 0.25, 0.25]),
    }
    with answering(tmp_path, texts):
        totals = Probe(tmp_path).totals()
    assert {pid: one.amounts[EVENT].count for pid, one in totals.items()} == {
        os.getpid(): 2,
        1: 1,
    }
    # The CPU time of the probe's own threads, and their wait for a core.
    counted = between({1: totals[1]}, totals)
    assert (counted.cpu, counted.probe_cpu, counted.probe_wait) == (1.0, 0.125, 0.25)
    assert counted.loop_wait == 0.5
    assert not list(tmp_path.glob("*.json")), "answers are removed once they are read"


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", '{"pid": 1}', answer(1, ["lock"])),
        pytest.param("[" * 100_000, id="nested"),
    ],
)
def test_a_damaged_answer_is_an_error(tmp_path: Path, text: str) -> None:
    with answering(tmp_path, {1: text}):
        with pytest.raises(MeasureError, match="no answer of the probe"):
            Probe(tmp_path).totals()


def test_where_nothing_answers_the_reason_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "ANSWER_SECONDS", 0.1)
    with pytest.raises(MeasureError, match=r"\(-I, -E\).*\(-S\)"):
        Probe(tmp_path).totals()


def totals(pid: int, count: float, seconds: float, cpu: float = 0.0) -> Totals:
    amount = Amount(count=count, seconds=seconds, longest=seconds)
    return Totals(pid, cpu, {EVENT: amount}, ("careful",))


def test_processes_that_come_and_go_are_counted_and_named() -> None:
    before = {1: totals(1, 10, 1.0, 2.0), 2: totals(2, 5, 0.5)}
    after = {1: totals(1, 14, 1.5, 2.5), 3: totals(3, 2, 0.25, 0.5)}
    counted = between(before, after)
    amount = counted.amounts[EVENT]
    assert (amount.count, amount.seconds, counted.cpu) == (6, 0.75, 1.0)
    assert counted.lost == (2,) and counted.problems == ("careful",)
    assert between(before, before).amounts == {}
