"""Profiles of one variant under the arrival rate of the measured slices.

No verdict uses numbers from a process that is being profiled.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.errors import MeasureError
from assay.experiment.rates import check_answers
from assay.experiment.target import RunningTarget
from assay.load.control.generator import Generator
from assay.plan import Preset
from assay.profilers import PROFILERS, Capture, Observed
from assay.results import Profile
from assay.system import processes

STRETCH_SECONDS = 1.0  # seconds of load between two checks that the target is alive
# If a profiler has seen too little, load is extended to at most this multiple of the
# preset's length.
MAX_EXTENSION = 4


@dataclass(frozen=True)
class TakenProfiles:
    """The profiles, and the reasons why other profiles are missing."""

    profiles: tuple[Profile, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Conditions:
    """The conditions under which profiles are taken.

    Attributes:
        topic: The topic's name.
        generator: The load generator, to which the target is attached.
        rate: Arrivals per second.
        cores: The cores of the profilers.
        rng: Draws arrivals.
    """

    topic: str
    generator: Generator
    rate: float
    cores: Sequence[int]
    rng: random.Random


def take(
    running: RunningTarget,
    presets: Sequence[Preset],
    folder: Path,
    conditions: Conditions,
) -> TakenProfiles:
    """Load a warm target with the profilers attached, and return their profiles.

    Different profilers are attached at the same time: a memory sampler does not disturb
    a stack sampler. Two presets of one profiler are used one after the other. If a
    profiler cannot work here, or captured too little, only its profile is missing.

    Args:
        running: The target.
        presets: The presets of the profiles to take.
        folder: The folder that the profilers write to.
        conditions: The conditions under which the profiles are taken.

    Raises:
        MeasureError: The target ended, or Assay did not start it.
    """
    if running.child is None:
        raise MeasureError(
            f"variant {running.variant.name!r} cannot be profiled: Assay did not "
            f"start {running.url}; give the variant a command instead of a url"
        )
    pid, name = running.child.pid, running.variant.name
    profiles: list[Profile] = []
    problems: list[str] = []
    for group in _without_clashes(presets):
        captures: list[Capture] = []
        try:
            for preset in group:
                output = folder / f"{name}.{preset.name}"
                output.mkdir(parents=True, exist_ok=True)
                try:
                    profiler = PROFILERS[preset.profiler]
                    capture = profiler.start(pid, preset, output, conditions.cores)
                    captures.append(capture)
                except MeasureError as error:
                    problems.append(str(error))
            seconds = max(preset.seconds for preset in group)
            observed = _under_load(running, conditions, seconds, captures)
        finally:
            for capture in captures:
                capture.stop()
        for capture in captures:
            try:
                profiles.append(capture.profile(observed))
            except MeasureError as error:
                problems.append(str(error))
    return TakenProfiles(tuple(profiles), tuple(problems))


def follow_ups(
    taken: Mapping[str, Sequence[Preset]], profiles: Sequence[Profile]
) -> dict[str, list[Preset]]:
    """Return presets to take next if the first presets leave much cost unexplained.

    Args:
        taken: The presets that were taken, by variant.
        profiles: The profiles of these presets. If a preset explains too little of one
            variant, its follow-up is taken for all variants, since only profiles of one
            preset can be compared.

    Returns:
        Presets by variant.
    """
    further: dict[str, list[Preset]] = {}
    by_name = {preset.name: preset for presets in taken.values() for preset in presets}
    for preset in by_name.values():
        same_preset = [p for p in profiles if p.preset == preset.name]
        follow_up = PROFILERS[preset.profiler].follow_up_preset(preset, same_preset)
        if follow_up is None or follow_up.name in by_name:
            continue
        for variant, presets in taken.items():
            if preset in presets:
                further.setdefault(variant, []).append(follow_up)
    return further


def _under_load(
    running: RunningTarget,
    conditions: Conditions,
    seconds: float,
    captures: Sequence[Capture],
) -> Observed:
    """Load a target until the captures have seen enough, and count its work.

    A fast variant yields fewer samples per second than a slow one, so it is loaded for
    longer.
    """
    assert running.child is not None
    pid, name, topic = running.child.pid, running.variant.name, conditions.topic
    before = _cpu_seconds(pid)
    observed = Observed(topic=topic, variant=name, requests=0, cpu_seconds=0.0)
    planned = list(_stretches(seconds))
    extra = _stretches((MAX_EXTENSION - 1) * seconds)
    for number, length in enumerate([*planned, *extra]):
        if number >= len(planned) and all(c.enough(observed) for c in captures):
            break
        seed = conditions.rng.getrandbits(32)
        measured = conditions.generator.open(name, conditions.rate, length, seed)
        running.check_alive()
        check_answers(topic, measured, when="while it was profiled")
        observed = Observed(
            topic=topic,
            variant=name,
            requests=observed.requests + measured.requests,
            cpu_seconds=_cpu_seconds(pid) - before,
        )
    return observed


def _stretches(seconds: float) -> Iterator[float]:
    """Yield the lengths of stretches of load that add up to this many seconds."""
    while seconds > 0:
        yield min(STRETCH_SECONDS, seconds)
        seconds -= STRETCH_SECONDS


def _cpu_seconds(pid: int) -> float:
    return sum(processes.cpu_seconds(member) for member in processes.tree(pid))


def _without_clashes(presets: Sequence[Preset]) -> list[list[Preset]]:
    """Group presets so that no group has two presets of one profiler."""
    groups: list[list[Preset]] = []
    for preset in presets:
        for group in groups:
            if all(other.profiler != preset.profiler for other in group):
                group.append(preset)
                break
        else:
            groups.append([preset])
    return groups
