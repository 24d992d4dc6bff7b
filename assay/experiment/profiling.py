"""Profiles of one variant under the arrival rate of the measured slices.

No number of a verdict comes from a process that is being profiled.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.errors import MeasureError
from assay.experiment.rates import check_answers
from assay.experiment.target import RunningTarget
from assay.load.control.generator import Generator
from assay.plan import Plan, Preset, Topic
from assay.profilers import PROFILERS, Capture, Observed
from assay.results import Profile
from assay.system import processes

STRETCH = 1.0  # seconds of load between two looks at whether the target lives
LONGEST = 4  # times the length of a preset, where it has seen too little by then


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


@dataclass(frozen=True)
class Conditions:
    """Under what profiles are taken.

    Attributes:
        topic: Name of the topic.
        generator: To which the target is attached.
        rate: Arrivals per second.
        cores: Where the profilers run.
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
    under: Conditions,
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
                    captures.append(profiler.start(pid, preset, own, under.cores))
                except MeasureError as error:
                    problems.append(str(error))
            seconds = max(preset.seconds for preset in together)
            observed = _under_load(running, under, seconds, captures)
        finally:
            for capture in captures:
                capture.stop()
        for capture in captures:
            try:
                profiles.append(capture.profile(observed))
            except MeasureError as error:
                problems.append(str(error))
    return Taken(tuple(profiles), tuple(problems))


def follow_ups(
    wanted: Mapping[str, Sequence[Preset]], seen: Sequence[Profile]
) -> dict[str, list[Preset]]:
    """Return what to take once more, where presets left much of the cost unexplained.

    Args:
        wanted: What was taken, by variant.
        seen: The profiles of all of them. What shows too little of one variant is
            taken again of each, since only profiles of one kind can be compared.

    Returns:
        Presets by variant.
    """
    found: dict[str, list[Preset]] = {}
    known = {preset.name: preset for own in wanted.values() for preset in own}
    for preset in known.values():
        own = [profile for profile in seen if profile.preset == preset.name]
        another = PROFILERS[preset.profiler].follow_up_preset(preset, own)
        if another is None or another.name in known:
            continue
        for variant, presets in wanted.items():
            if preset in presets:
                found.setdefault(variant, []).append(another)
    return found


def _under_load(
    running: RunningTarget,
    under: Conditions,
    seconds: float,
    captures: Sequence[Capture],
) -> Observed:
    """Load a target until the captures have seen enough, and say what it did.

    A fast variant leaves few samples in the time that a slow one needs, and is
    loaded for longer.
    """
    assert running.child is not None
    pid, name, topic = running.child.pid, running.variant.name, under.topic
    before = _cpu_seconds(pid)
    observed = Observed(topic=topic, variant=name, requests=0, cpu_seconds=0.0)
    planned = list(_stretches(seconds))
    more = _stretches((LONGEST - 1) * seconds)
    for number, length in enumerate([*planned, *more]):
        if number >= len(planned) and all(c.enough(observed) for c in captures):
            break
        seed = under.rng.getrandbits(32)
        taken = under.generator.open(name, under.rate, length, seed)
        running.check_alive()
        check_answers(topic, taken, when="while it was profiled")
        observed = Observed(
            topic=topic,
            variant=name,
            requests=observed.requests + taken.requests,
            cpu_seconds=_cpu_seconds(pid) - before,
        )
    return observed


def _stretches(seconds: float) -> Iterator[float]:
    """Yield lengths of load that come to this many seconds."""
    while seconds > 0:
        yield min(STRETCH, seconds)
        seconds -= STRETCH


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
