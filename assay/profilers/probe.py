"""Read the counts of the probe inside a target, and subtract earlier counts.

When Assay writes a new number to the file `ASK`, the probe in each process writes its
totals to a file of its own.
"""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.errors import InputError, MeasureError
from assay.observations import Amount, Event, Place
from assay.plan import Preset
from assay.probe.environment import ASK, PARTS_OF_PROBE
from assay.profilers.protocol import Capture, Setting, settings_of
from assay.results import Profile

ANSWER_SECONDS = 5.0  # seconds within which a process must answer
SNAPSHOT_SECONDS = 20.0  # the same, if the process takes a snapshot of its memory
# While no process is known, the wait ends this many seconds after the last answer.
QUIET_SECONDS = 0.3
POLL_SECONDS = 0.01
NOTHING = Amount(count=0, seconds=0)


# An escaped surrogate in JSON without the other half of its pair.
_LONE = re.compile(
    r"\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f][0-9a-f]{2})"
    r"|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}",
    re.IGNORECASE,
)
DEFAULTS: dict[str, Setting] = {"part": "waits"}


class ProbeProfiler:
    """The profiler of the probe's presets, in rounds of both sides of a pair."""

    name = "probe"

    @staticmethod
    def part_of(preset: Preset) -> str:
        """Return the part of the probe that a preset uses."""
        return str(settings_of(preset, DEFAULTS)["part"])

    def check(self, preset: Preset) -> None:
        """See `Profiler.check`."""
        part = self.part_of(preset)
        if part not in PARTS_OF_PROBE:
            raise InputError(
                f"profiles/{preset.name}.toml: settings.part: expected one of "
                f"{', '.join(PARTS_OF_PROBE)}, not {part!r}"
            )

    def start(
        self, pid: int, preset: Preset, folder: Path, cores: Sequence[int] = ()
    ) -> Capture:
        """Refuse: the probe cannot be attached to a process that has started.

        Raises:
            MeasureError: Always.
        """
        raise MeasureError(
            f"{preset.name}: the probe has to be in a process from its start"
        )

    def follow_up_preset(self, preset: Preset, profiles: Sequence[Profile]) -> None:
        """See `Profiler.follow_up_preset`: the rounds have their own follow-ups."""


@dataclass(frozen=True)
class Totals:
    """The counts of one process since it started.

    Attributes:
        cpu: CPU seconds of the process.
        probe_cpu: CPU seconds of the probe's threads, which are part of `cpu`.
        probe_wait: Seconds for which the probe's threads waited for a core.
        loop_wait: Seconds for which threads that run event loops waited for a core.
    """

    pid: int
    cpu: float
    amounts: Mapping[Event, Amount]
    problems: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    probe_cpu: float = 0.0
    probe_wait: float = 0.0
    loop_wait: float = 0.0


@dataclass(frozen=True)
class Between:
    """The counts of a target's processes between two moments.

    Attributes:
        amounts: The amount of each event.
        cpu: CPU seconds of the processes that answered at the second moment.
        lost: Processes that answered only at the first moment.
        problems: Problems that the processes reported.
        probe_cpu: CPU seconds of the probe's threads, which are part of `cpu`.
        probe_wait: Seconds for which the probe's threads waited for a core.
        loop_wait: Seconds for which threads that run event loops waited for a core.
    """

    amounts: Mapping[Event, Amount]
    cpu: float
    lost: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()
    probe_cpu: float = 0.0
    probe_wait: float = 0.0
    loop_wait: float = 0.0


@dataclass
class Probe:
    """The probes of one running target.

    Attributes:
        folder: The folder that they write to, as their environment says.
        patience: Seconds within which a process must answer.
        number: The number of the latest request for totals.
        pids: The processes that have ever answered.
    """

    folder: Path
    patience: float = ANSWER_SECONDS
    number: int = 0
    pids: set[int] = field(default_factory=set)

    def totals(self) -> dict[int, Totals]:
        """Return the counts of every process so far.

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
            if time.monotonic() - began > self.patience:
                break
            time.sleep(POLL_SECONDS)
            for path in self.folder.glob(f"*.{self.number}.json"):
                pid = int(path.name.split(".")[0])
                if pid not in answers:
                    answers[pid], last = path, time.monotonic()
        if not answers:
            raise MeasureError(
                "the probe does not answer: is the target not a Python program, or "
                "does its command keep Python from reading environment variables (-I, "
                "-E) or from loading the probe (-S)?"
            )
        self.pids |= set(answers)
        return {pid: _read(path) for pid, path in answers.items()}

    def since_the_start(self) -> Between:
        """Return the counts of all processes together since they started.

        Raises:
            MeasureError: No process answers.
        """
        return between({}, self.totals())

    def _complete(self, answers: Mapping[int, Path], last: float) -> bool:
        """Say whether every process that is expected to answer has answered."""
        alive = {pid for pid in self.pids if os.path.exists(f"/proc/{pid}")}
        if alive:
            return alive <= set(answers)
        return bool(answers) and time.monotonic() - last > QUIET_SECONDS


def between(before: Mapping[int, Totals], after: Mapping[int, Totals]) -> Between:
    """Return the counts from one moment to a later moment.

    A process that started in between counts from its start. The counts of a process
    that ended in between are lost.
    """
    amounts: dict[Event, Amount] = {}
    cpu = probe_cpu = probe_wait = loop_wait = 0.0
    for pid, now in after.items():
        then = before.get(pid)
        cpu += now.cpu - (then.cpu if then else 0.0)
        probe_cpu += now.probe_cpu - (then.probe_cpu if then else 0.0)
        probe_wait += now.probe_wait - (then.probe_wait if then else 0.0)
        loop_wait += now.loop_wait - (then.loop_wait if then else 0.0)
        for event, amount in _grown(then.amounts if then else {}, now.amounts):
            so_far = amounts.get(event, NOTHING)
            amounts[event] = Amount(
                count=so_far.count + amount.count,
                seconds=so_far.seconds + amount.seconds,
                longest=max(so_far.longest, amount.longest),
            )
    problems = {problem for totals in after.values() for problem in totals.problems}
    lost = tuple(sorted(set(before) - set(after)))
    return Between(
        amounts, cpu, lost, tuple(sorted(problems)), probe_cpu, probe_wait, loop_wait
    )


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
        MeasureError: The file is not a valid answer of the probe.
    """
    try:
        # A path may hold a lone surrogate, which cannot be written as UTF-8.
        text = path.read_text(encoding="utf-8")
        answer: dict[str, Any] = json.loads(_LONE.sub("?", text))
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
            tuple(map(str, answer.get("files", ()))),
            *map(float, (*answer["probe"], answer["loop_wait"])),
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise MeasureError(f"{path}: no answer of the probe: {error!r}") from error
    finally:
        path.unlink(missing_ok=True)


def _place(value: Sequence[Any] | None) -> Place | None:
    if value is None:
        return None
    function, file, line = value
    return Place(function=function, file=file, line=line)
