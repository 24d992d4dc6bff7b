"""Profiles of one variant under the arrival rate of the measured slices.

No number of a verdict comes from a process that is being profiled.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assay import processes
from assay.errors import MeasureError
from assay.load.remote import Generator
from assay.plan import Plan, Preset, Topic
from assay.profilers import PROFILERS, Capture, Observed
from assay.results import Profile
from assay.target import RunningTarget

STRETCH = 1.0  # seconds of load between two looks at whether the target lives


def wanted(plan: Plan, topic: Topic) -> dict[str, list[Preset]]:
    """Return the presets that the topic's claims ask for, by variant."""
    by_name = {preset.name: preset for preset in plan.presets}
    found: dict[str, list[Preset]] = {}
    for claim in topic.claims:
        for variant in (claim.baseline, claim.candidate):
            for name in claim.profiles:
                presets = found.setdefault(variant, [])
                if by_name[name] not in presets:
                    presets.append(by_name[name])
    return found


@dataclass(frozen=True)
class Taken:
    """What the profilers saw, and what they say they could not see."""

    profiles: tuple[Profile, ...]
    problems: tuple[str, ...]


def take(
    topic: str,
    running: RunningTarget,
    generator: Generator,
    presets: Sequence[Preset],
    rate: float,
    folder: Path,
    cores: Sequence[int],
    rng: random.Random,
) -> Taken:
    """Load a warm target with every profiler attached, and return what they saw.

    They share one stretch of load: a sampler of memory does not disturb a
    sampler of stacks, and only one preset of each profiler attaches at a time.
    A profiler that cannot work here, or saw too little, costs only its own
    profile.

    Raises:
        MeasureError: The target ended, or is no process of ours.
    """
    if running.child is None:
        raise MeasureError(
            f"variant {running.variant.name!r} cannot be profiled: {running.url} ran "
            "already, and profilers need a process that Assay starts, by a command"
        )
    pid, name = running.child.pid, running.variant.name
    profiles: list[Profile] = []
    problems: list[str] = []
    for together in _without_clashes(presets):
        captures: list[Capture] = []
        try:
            for preset in together:
                own = folder / f"{name}.{preset.name}"
                own.mkdir(parents=True, exist_ok=True)
                try:
                    profiler = PROFILERS[preset.profiler]
                    captures.append(profiler.start(pid, preset, own, cores))
                except MeasureError as error:
                    problems.append(str(error))
            before = _cpu_seconds(pid)
            requests, left = 0, max(preset.seconds for preset in together)
            while left > 0:
                seed = rng.getrandbits(32)
                taken = generator.open(name, rate, min(STRETCH, left), seed)
                running.check_alive()
                requests += taken.requests
                left -= STRETCH
            spent = _cpu_seconds(pid) - before
        finally:
            for capture in captures:
                capture.stop()
        observed = Observed(
            topic=topic, variant=name, requests=requests, cpu_seconds=spent
        )
        for capture in captures:
            try:
                profiles.append(capture.profile(observed))
            except MeasureError as error:
                problems.append(str(error))
    return Taken(tuple(profiles), tuple(problems))


def _cpu_seconds(pid: int) -> float:
    return sum(processes.cpu_seconds(member) for member in processes.family(pid))


def _without_clashes(presets: Sequence[Preset]) -> list[list[Preset]]:
    """Group presets so that no group holds a profiler twice."""
    groups: list[list[Preset]] = []
    for preset in presets:
        for group in groups:
            if all(other.profiler != preset.profiler for other in group):
                group.append(preset)
                break
        else:
            groups.append([preset])
    return groups
