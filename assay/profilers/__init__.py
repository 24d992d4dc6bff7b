"""Profilers: tools that observe a target under load.

A profiler is one file that implements `Profiler` and is listed in `PROFILERS`. Another
package can add a profiler as an entry point of the group `assay.profilers`.

Each profiler turns the raw output of its tool into a `Profile`. CPU time is given per
request, so that two variants are compared at equal work.
"""

from assay.profilers.memory import Memory
from assay.profilers.probe import ProbeProfiler
from assay.profilers.protocol import Capture, Observed, Profiler
from assay.profilers.pyspy import PySpy
from assay.system.registry import Registry

__all__ = ["PROFILERS", "Capture", "Observed", "Profiler"]

PROFILERS: Registry[Profiler] = Registry(
    "assay.profilers",
    {profiler.name: profiler for profiler in (PySpy(), Memory(), ProbeProfiler())},
)
