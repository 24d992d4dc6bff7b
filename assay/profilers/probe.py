"""What the probe inside a target counts, read between two moments.

The probe writes its totals when a file asks for them, one answer for each process.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.errors import MeasureError
from assay.observations import Amount, Event, Place
from assay.probe.environment import ASK

ANSWER_SECONDS = 5.0  # in which a process has to answer
QUIET_SECONDS = 0.3  # after which no further process is expected to answer first
POLL_SECONDS = 0.01
NOTHING = Amount(count=0, seconds=0)


@dataclass(frozen=True)
class Totals:
    """What one process has counted since it started."""

    pid: int
    cpu: float
    amounts: Mapping[Event, Amount]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Between:
    """What the processes of a target counted between two moments.

    Attributes:
        lost: Processes that answered before and do not any more.
        cpu: CPU seconds of those that answered.
    """

    amounts: Mapping[Event, Amount]
    cpu: float
    lost: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass
class Probe:
    """The probes of one running target.

    Args:
        folder: Where they write, as their environment says.
    """

    folder: Path
    number: int = 0
    pids: set[int] = field(default_factory=set)

    def totals(self) -> dict[int, Totals]:
        """Return what every process has counted so far.

        Raises:
            MeasureError: No process answers.
        """
        self.number += 1
        part = self.folder / f"{ASK}.part"
        part.write_text(str(self.number), encoding="ascii")
        os.replace(part, self.folder / ASK)
        answers: dict[int, Path] = {}
        began = last = time.monotonic()
        while not self._complete(answers, last):
            if time.monotonic() - began > ANSWER_SECONDS:
                break
            time.sleep(POLL_SECONDS)
            for path in self.folder.glob(f"*.{self.number}.json"):
                pid = int(path.name.split(".")[0])
                if pid not in answers:
                    answers[pid], last = path, time.monotonic()
        if not answers:
            raise MeasureError(
                "the probe does not answer: is the target no Python, or does its "
                "command keep Python from reading its environment (-I, -E or -S)?"
            )
        self.pids |= set(answers)
        return {pid: _read(path) for pid, path in answers.items()}

    def _complete(self, answers: Mapping[int, Path], last: float) -> bool:
        """Say whether all who will answer did."""
        alive = {pid for pid in self.pids if os.path.exists(f"/proc/{pid}")}
        if alive:
            return alive <= set(answers)
        return bool(answers) and time.monotonic() - last > QUIET_SECONDS


def between(before: Mapping[int, Totals], after: Mapping[int, Totals]) -> Between:
    """Return what was counted from one moment to a later one.

    A process that started meanwhile counts from its beginning; one that ended takes
    with it what it counted.
    """
    amounts: dict[Event, Amount] = {}
    cpu = 0.0
    for pid, now in after.items():
        then = before.get(pid)
        cpu += now.cpu - (then.cpu if then else 0.0)
        for event, amount in _grown(then.amounts if then else {}, now.amounts):
            so_far = amounts.get(event, NOTHING)
            amounts[event] = Amount(
                count=so_far.count + amount.count,
                seconds=so_far.seconds + amount.seconds,
                longest=max(so_far.longest, amount.longest),
            )
    problems = {problem for totals in after.values() for problem in totals.problems}
    lost = tuple(sorted(set(before) - set(after)))
    return Between(amounts, cpu, lost, tuple(sorted(problems)))


def _grown(
    before: Mapping[Event, Amount], after: Mapping[Event, Amount]
) -> Iterator[tuple[Event, Amount]]:
    for event, now in after.items():
        then = before.get(event, NOTHING)
        count, seconds = now.count - then.count, now.seconds - then.seconds
        if count or seconds:
            yield event, Amount(count=count, seconds=seconds, longest=now.longest)


def _read(path: Path) -> Totals:
    """Read one process's answer.

    Raises:
        MeasureError: The file is no answer of the probe.
    """
    try:
        answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        amounts = {
            Event(
                kind=kind,
                resource=resource,
                place=_place(place),
                holder=_place(holder),
            ): Amount(count=count, seconds=seconds, longest=longest)
            for kind, resource, place, holder, count, seconds, longest in answer["rows"]
        }
        return Totals(
            int(answer["pid"]),
            float(answer["cpu"]),
            amounts,
            tuple(map(str, answer["problems"])),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MeasureError(f"{path}: no answer of the probe: {error!r}") from error
    finally:
        path.unlink(missing_ok=True)


def _place(value: Sequence[Any] | None) -> Place | None:
    if value is None:
        return None
    function, file, line = value
    return Place(function=function, file=file, line=line)
