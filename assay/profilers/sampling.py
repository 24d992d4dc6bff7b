"""CPU time per request and call stack in one round of profiling, sampled by py-spy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from assay.plan import Preset
from assay.probe.places import Project
from assay.profilers.pyspy import OUTSIDE, PySpy
from assay.profilers.rawstacks import mended, parse_located

RATE = 300  # samples per second, unless the preset sets another rate
# If a larger share of CPU time has no sample, py-spy samples all threads, including
# those that do not hold the GIL.
MAX_OUTSIDE = 0.3

type LocatedStacks = tuple[tuple[tuple[str, ...], float], ...]


@dataclass
class Sampled:
    """The samples of one round.

    Attributes:
        rate: Samples per second.
        gil: Whether only threads that hold the GIL are sampled.
        lines: The raw lines of py-spy.
        samples: The number of samples in `lines`; 0 until `stacks` has read them.
    """

    rate: float = RATE
    gil: bool = True
    lines: list[str] = field(default_factory=list)
    samples: int = 0

    def stacks(self, project: Project, cpu: float, requests: int) -> LocatedStacks:
        """Return CPU seconds per request of each stack; their sum is `cpu / requests`.

        Args:
            project: Tells the user's own files from those of libraries.
            cpu: CPU seconds of the target in this round.
            requests: Number of requests that the target served.
        """
        running = mended(parse_located(self.lines, project.relative, not self.gil))
        samples = self.samples = running.total()
        if not samples or cpu <= 0 or not requests:
            return ()
        # Time without the GIL has no sample: system calls, and C code that releases it.
        outside = max(0.0, 1 - samples / self.rate / cpu) if self.gil else 0.0
        each = cpu * (1 - outside) / samples / requests
        stacks = [(stack, each * count) for stack, count in running.most_common()]
        if outside:
            stacks.append(((OUTSIDE,), cpu * outside / requests))
        return tuple(stacks)


def share_outside(stacks: LocatedStacks) -> float:
    """Return the share of CPU time for which no thread that held the GIL was seen."""
    total = sum(seconds for _, seconds in stacks)
    outside = sum(seconds for stack, seconds in stacks if stack == (OUTSIDE,))
    return outside / total if total else 0.0


@contextmanager
def sampled(
    pid: int, preset: Preset, folder: Path, cores: Sequence[int], gil: bool = True
) -> Iterator[Sampled]:
    """Sample a process tree while the body runs.

    Args:
        pid: The process at the root of the tree.
        preset: The preset whose settings are used, apart from `gil`.
        folder: The folder that py-spy writes to.
        cores: The cores of py-spy.
        gil: Whether to sample only threads that hold the GIL.

    Raises:
        MeasureError: py-spy cannot attach.
    """
    settings = {"rate": RATE, **preset.settings, "gil": gil, "full_filenames": True}
    result = Sampled(float(settings["rate"]), gil)
    folder.mkdir(parents=True, exist_ok=True)
    whole = preset.model_copy(update={"settings": settings})
    capture = PySpy().start(pid, whole, folder, cores)
    try:
        yield result
    finally:
        capture.stop()
        result.lines = capture.lines()
