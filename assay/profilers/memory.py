"""Memory of a process tree over time, by memory-profiler.

The sampler is a separate process, because a thread of Assay would compete with the
control of the load. Reading the memory of a tree takes the sampler about a millisecond
of CPU time, and the target none.
"""

import math
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from assay.errors import MeasureError
from assay.plan import Preset
from assay.profilers.protocol import (
    Observed,
    Setting,
    require_range,
    settings_of,
    writable,
)
from assay.results import Profile, Timeline
from assay.system import processes

DEFAULTS: dict[str, Setting] = {"interval": 0.05}
START_TIMEOUT = 15.0
MEBIBYTE = 2**20
_TIMEOUT_SECONDS = 86400.0  # longer than any profile


class Memory:
    """Samples the resident memory of a process tree."""

    name = "memory-profiler"

    def check(self, preset: Preset) -> None:
        """See `Profiler.check`."""
        settings = settings_of(preset, DEFAULTS)
        require_range(preset, "interval", float(settings["interval"]), 0.01, 10)

    def start(
        self, pid: int, preset: Preset, folder: Path, cores: Sequence[int] = ()
    ) -> "MemoryCapture":
        """See `Profiler.start`."""
        settings = settings_of(preset, DEFAULTS)
        raw = writable(folder / f"{preset.name}.memory.txt")
        log = writable(folder / f"{preset.name}.memory-profiler.log")
        program = "from assay.profilers.memory import sample; sample()"
        child = processes.start(
            "memory-profiler",
            [
                sys.executable,
                "-c",
                program,
                str(pid),
                str(settings["interval"]),
                str(raw),
            ],
            log=log,
            cores=cores,
        )
        deadline = time.monotonic() + START_TIMEOUT
        while not raw.stat().st_size:
            if not child.running() or time.monotonic() > deadline:
                child.stop()
                raise MeasureError(
                    f"memory-profiler cannot observe process {pid}; its output:\n"
                    f"{child.last_lines(3)}"
                )
            time.sleep(0.02)
        return MemoryCapture(child, raw, preset)

    def follow_up_preset(self, preset: Preset, profiles: Sequence[Profile]) -> None:
        """See `Profiler.follow_up_preset`: no other preset shows more of memory."""


class MemoryCapture:
    """A running memory-profiler."""

    def __init__(self, child: processes.Child, raw: Path, preset: Preset) -> None:
        """Wrap a sampler that has written its first line."""
        self._child = child
        self._raw = raw
        self._preset = preset

    def enough(self, observed: Observed) -> bool:
        """See `Capture.enough`: the preset's time is always enough."""
        return True

    def stop(self) -> None:
        """Stop sampling; all lines are on disk already."""
        self._child.stop()

    def profile(self, observed: Observed) -> Timeline:
        """Return resident bytes of the process tree over time.

        Raises:
            MeasureError: There are fewer than two samples.
        """
        lines = self._raw.read_text(encoding="utf-8", errors="replace").split("\n")
        seconds, values = parse(lines)
        if len(seconds) < 2:
            raise MeasureError(
                f"memory-profiler, {observed.topic}, variant {observed.variant}: "
                f"there are too few samples ({len(seconds)}; at least 2 are needed); "
                f"raise `seconds` (now {self._preset.seconds:g}) in "
                f"profiles/{self._preset.name}.toml"
            )
        return Timeline(
            topic=observed.topic,
            variant=observed.variant,
            preset=self._preset.name,
            unit="B",
            requests=observed.requests,
            seconds=seconds,
            values=values,
            notes=(
                "Resident memory of the server and its children; pages that they "
                "share are counted once for each process.",
            ),
        )


def parse(lines: Iterable[str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Read memory-profiler's lines ``MEM <MiB> <Unix time>``.

    The last line is left out if it is incomplete because the sampler was ended. A line
    that is not newer than the line before it is left out, too: the wall clock may have
    been set back.

    Returns:
        Seconds since the first line, ascending, and bytes, of equal length.
    """
    seconds: list[float] = []
    values: list[float] = []
    first = last = 0.0
    for line in lines:
        match line.split(" "):
            case ["MEM", amount, stamp]:
                # A complete line has four decimals.
                if len(stamp.partition(".")[2]) < 4:
                    continue
                try:
                    size, moment = float(amount), float(stamp)
                except ValueError:
                    continue
                if not math.isfinite(size) or not math.isfinite(moment):
                    continue
                if not seconds:
                    first = moment
                elif moment <= last:
                    continue
                last = moment
                seconds.append(round(moment - first, 4))
                values.append(size * MEBIBYTE)
    return tuple(seconds), tuple(values)


def sample() -> None:
    """Write the memory of process argv[1] every argv[2] seconds to file argv[3]."""
    import psutil
    from memory_profiler import memory_usage

    pid, interval, path = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    try:
        # Line buffering: no line is lost, however this process ends.
        with open(path, "a", buffering=1, encoding="utf-8") as stream:
            memory_usage(
                pid,
                interval=interval,
                timeout=_TIMEOUT_SECONDS,
                include_children=True,
                stream=stream,
            )
    except psutil.NoSuchProcess:
        sys.exit(f"there is no process {pid}; the target has ended, see its log")
