"""CPU time per request and call stack in one round of profiling, sampled by py-spy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from assay.plan import Preset
from assay.probe.places import Project
from assay.profilers.pyspy import OUTSIDE, PySpy
from assay.profilers.rawstacks import parse_located

RATE = 300  # samples per second
PRESET = Preset(
    name="round",
    title="CPU time per request",
    profiler="py-spy",
    seconds=1.0,
    settings={"rate": RATE, "gil": True, "full_filenames": True},
)

type LocatedStacks = tuple[tuple[tuple[str, ...], float], ...]


@dataclass
class Sampled:
    """The samples of one round.

    Attributes:
        lines: The raw lines of py-spy.
        samples: How many samples they hold, once `stacks` has read them.
    """

    lines: list[str] = field(default_factory=list)
    samples: int = 0

    def stacks(self, project: Project, cpu: float, requests: int) -> LocatedStacks:
        """Return CPU seconds per request by stack; they add up to the process clock.

        Args:
            project: Tells the user's own files.
            cpu: CPU seconds of the target in this round.
            requests: Requests that it served.
        """
        running = parse_located(self.lines, project.relative)
        samples = self.samples = running.total()
        if not samples or cpu <= 0 or not requests:
            return ()
        # What holds no GIL has no sample: system calls, and C code that releases it.
        outside = max(0.0, 1 - samples / RATE / cpu)
        each = cpu * (1 - outside) / samples / requests
        stacks = [(stack, each * count) for stack, count in running.most_common()]
        if outside:
            stacks.append(((OUTSIDE,), cpu * outside / requests))
        return tuple(stacks)


@contextmanager
def sampled(pid: int, folder: Path, cores: Sequence[int]) -> Iterator[Sampled]:
    """Sample a process tree while the body runs.

    Raises:
        MeasureError: py-spy cannot attach.
    """
    result = Sampled()
    folder.mkdir(parents=True, exist_ok=True)
    capture = PySpy().start(pid, PRESET, folder, cores)
    try:
        yield result
    finally:
        capture.stop()
        result.lines = capture.lines()
