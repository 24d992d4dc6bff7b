"""Profilers: what observes a target that is under load.

A profiler is one file that implements `Profiler` and stands in `PROFILERS`; another
package adds one by an entry point of the group `assay.profilers`.
Each turns the raw output of its tool into a `Profile`, divided by the requests
served meanwhile, so that two variants compare at equal work.
"""

from assay.profilers.memory import Memory
from assay.profilers.protocol import Capture, Observed, Profiler
from assay.profilers.pyspy import PySpy
from assay.system.registry import Registry

__all__ = ["PROFILERS", "Capture", "Observed", "Profiler"]

PROFILERS: Registry[Profiler] = Registry(
    "assay.profilers", {one.name: one for one in (PySpy(), Memory())}
)
