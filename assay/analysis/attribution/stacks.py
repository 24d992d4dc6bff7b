"""Compare two profiles: which functions changed per request, beyond the noise.

Two kinds of noise affect the comparison. One is sampling: a frame that was hit n times
has a Poisson error of sqrt(n). So differences are tested by the exact conditional
binomial test, corrected for the number of functions. The other is the machine: profiles
are taken one after the other, and the speed of a shared host drifts by up to a tenth.
So a change below a tenth is never reported.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from assay.observations import Round
from assay.plan import Data
from assay.results import SAMPLES_TO_COMPARE, Stacks, Timeline
from assay.wording import quantity

# The speed of a shared host drifts by up to this share from one profile to the next.
HOST_DRIFT = 0.10
FALSE_DISCOVERY_RATE = 0.05  # among the functions that differ
ALPHA = 0.05  # level of the test whether the totals differ

Kind = Literal["CPU", "waiting", "memory", "unknown"]

_LINE = re.compile(r":\d+\)$")


class FunctionChange(Data):
    """The own cost of one function per request, on each side.

    Attributes:
        baseline: Own cost on the baseline's side, in the profile's unit.
        candidate: Own cost on the candidate's side.
        change: candidate - baseline.
        p: Probability of a change at least as large by sampling alone.
        significant: Whether the change exceeds the sampling noise, after the
            correction for all functions, and the drift of the machine's speed.
    """

    function: str
    file: str
    baseline: float
    candidate: float
    change: float
    p: float
    significant: bool


class Attribution(Data):
    """The functions and the bottleneck behind the difference of two profiles.

    Attributes:
        sentence: The difference in a sentence.
        kind: The kind of bottleneck that the evidence suggests.
        evidence: The evidence for this kind, or the evidence that is missing.
        changes: Every function, the largest change first.
        unit: Unit of all values, per request.
    """

    sentence: str
    kind: Kind
    evidence: str
    changes: tuple[FunctionChange, ...]
    unit: str


class MemoryChange(Data):
    """The difference of two memory timelines, in bytes.

    Attributes:
        peaks: Highest value of baseline and candidate.
        growth: Bytes per request that stayed allocated, on each side; 0 if none did.
    """

    sentence: str
    peaks: tuple[float, float]
    growth: tuple[float, float]


def split_frame(frame: str) -> tuple[str, str]:
    """Split ``function (path/file.py)`` into function and file."""
    function, bracket, file = frame.rpartition(" (")
    if not bracket or not file.endswith(")"):
        return frame, ""
    return function, file[:-1]


def own_values(profile: Stacks) -> dict[str, float]:
    """Return the own cost of each frame, per request."""
    values: dict[str, float] = defaultdict(float)
    for stack, value in profile.stacks:
        if stack:
            values[stack[-1]] += value
    return dict(values)


def change_p(
    baseline: float, candidate: float, profiles: tuple[Stacks, Stacks]
) -> float:
    """Return the probability of a difference at least as large by sampling alone.

    The values are turned back into counts. Given the sum of two Poisson counts,
    one of them is binomial (Przyborowski and Wilenski, Biometrika 31, 1940).

    Args:
        baseline: Value per request on the baseline's side.
        candidate: Value per request on the candidate's side.
        profiles: The two profiles that have these values.
    """
    from scipy.special import bdtr, bdtrc

    exposures = [_counts_per_value(profile) for profile in profiles]
    if not all(exposures):
        return 1.0
    baseline_count, candidate_count = (
        round(value * exposure)
        for value, exposure in zip((baseline, candidate), exposures, strict=True)
    )
    total = baseline_count + candidate_count
    share = exposures[0] / (exposures[0] + exposures[1])
    at_most = float(bdtr(baseline_count, total, share))
    at_least = 1.0
    if baseline_count:
        at_least = float(bdtrc(baseline_count - 1, total, share))
    return min(1.0, 2 * min(at_most, at_least))


def beyond_noise(
    pairs: Sequence[tuple[float, float]], profiles: tuple[Stacks, Stacks]
) -> list[bool]:
    """Say which of many pairs of values (baseline, candidate) differ beyond noise.

    The procedure of Benjamini and Hochberg (Journal of the Royal Statistical Society
    B 57, 1995) keeps the false discovery rate at 5 %. A change within the drift of the
    machine's speed is noise, too.
    """
    from assay.analysis.statistics import benjamini_hochberg

    p_values = [change_p(a, b, profiles) for a, b in pairs]
    discoveries = benjamini_hochberg(p_values, FALSE_DISCOVERY_RATE)
    return [
        discovered and _beyond_drift(a, b)
        for (a, b), discovered in zip(pairs, discoveries, strict=True)
    ]


def attribute(
    baseline: Stacks,
    candidate: Stacks,
    busy: tuple[float, float] | None = None,
) -> Attribution:
    """Attribute the difference of two profiles of one preset to functions.

    Args:
        baseline: The baseline's profile.
        candidate: The candidate's profile, of the same preset and in the same unit.
        busy: Cores that each side kept busy at capacity: throughput times CPU time per
            request. They distinguish a side that computes from one that waits. None
            if unknown.
    """
    profiles = (baseline, candidate)
    baseline_values, candidate_values = own_values(baseline), own_values(candidate)
    frames = list(dict.fromkeys([*baseline_values, *candidate_values]))
    pairs = [
        (baseline_values.get(frame, 0.0), candidate_values.get(frame, 0.0))
        for frame in frames
    ]
    flags = beyond_noise(pairs, profiles)
    changes = []
    for frame, (a, b), flag in zip(frames, pairs, flags, strict=True):
        function, file = split_frame(frame)
        changes.append(
            FunctionChange(
                function=function,
                file=file,
                baseline=a,
                candidate=b,
                change=b - a,
                p=change_p(a, b, profiles),
                significant=flag,
            )
        )
    changes.sort(key=lambda change: (-abs(change.change), change.function, change.file))
    kind, evidence = _bottleneck(profiles, busy)
    return Attribution(
        sentence=_sentence(profiles, changes),
        kind=kind,
        evidence=evidence,
        changes=tuple(changes),
        unit=baseline.unit,
    )


def compare_memory(
    baseline: Timeline, candidate: Timeline, with_growth: bool = True
) -> MemoryChange:
    """Compare the peak and the growth per request of two memory timelines.

    Args:
        baseline: The baseline's timeline.
        candidate: The candidate's timeline.
        with_growth: Whether the sentence says which side grows.
    """
    peaks = (max(baseline.values, default=0.0), max(candidate.values, default=0.0))
    growth = (growth_per_request(baseline), growth_per_request(candidate))
    if not all(peaks):
        return MemoryChange(
            sentence="Memory was not observed on both sides.",
            peaks=peaks,
            growth=growth,
        )
    if _beyond_drift(*peaks):
        word = "more" if peaks[1] > peaks[0] else "less"
        peak = (
            f"The candidate peaks at {quantity(peaks[1], 'B')}, "
            f"{quantity(abs(peaks[1] - peaks[0]), 'B')} {word} than the baseline"
        )
    else:
        peak = (
            f"Both sides peak alike (baseline {quantity(peaks[0], 'B')}, "
            f"candidate {quantity(peaks[1], 'B')})"
        )
    if not with_growth:
        return MemoryChange(sentence=f"{peak}.", peaks=peaks, growth=growth)
    grows = [
        f"the {name} grows by {quantity(value, 'B')} per request"
        for name, value in zip(("baseline", "candidate"), growth, strict=True)
        if value > 0
    ]
    ending = " and ".join(grows) or "neither grows with the requests served"
    return MemoryChange(sentence=f"{peak}; {ending}.", peaks=peaks, growth=growth)


def growth_per_request(timeline: Timeline) -> float:
    """Return the bytes per request that stayed allocated; 0 within the noise.

    The first quarter of the timeline is left out, as warm-up. The median of the last
    third of the rest is compared with that of the first third. A rise counts as growth
    only if it is more than three times the scatter, and more than 1 % of the level.
    """
    import numpy as np

    values = np.asarray(timeline.values, dtype=float)
    values = values[len(values) // 4 :]
    third = len(values) // 3
    if third < 3 or timeline.requests <= 0:
        return 0.0
    early, late = values[:third], values[-third:]
    rise = float(np.median(late) - np.median(early))
    scatter = float(np.median(np.abs(np.diff(values)))) * 3
    if rise <= max(scatter, 0.01 * float(np.median(early))):
        return 0.0
    # The rest after the warm-up has three quarters of the requests. Two thirds of them
    # lie between the centres of the first and the last third.
    return rise / (timeline.requests * 0.75 * 2 / 3)


def from_rounds(rounds: Sequence[Round], preset: str = "cpu") -> Stacks | None:
    """Merge all rounds of a side into one profile; None if no round has samples.

    Frames lose their line numbers, so that the same function has the same frame on
    both sides.
    """
    sampled = [one for one in rounds if one.samples]
    requests = sum(one.requests for one in sampled)
    if not requests:
        return None
    values: dict[tuple[str, ...], float] = defaultdict(float)
    for one in sampled:
        for stack, seconds in one.stacks:
            key = tuple(_LINE.sub(")", frame) for frame in stack)
            values[key] += seconds * one.requests / requests
    return Stacks(
        topic=sampled[0].topic,
        variant=sampled[0].variant,
        preset=preset,
        unit="s",
        requests=requests,
        samples=sum(one.samples for one in sampled),
        total=sum(values.values()),
        stacks=tuple(sorted(values.items(), key=lambda item: -item[1])),
    )


def _counts_per_value(profile: Stacks) -> float:
    return profile.samples / profile.total if profile.total > 0 else 0.0


def _beyond_drift(a: float, b: float) -> bool:
    return abs(b - a) > HOST_DRIFT * max(a, b)


def _sentence(
    profiles: tuple[Stacks, Stacks], changes: Sequence[FunctionChange]
) -> str:
    a, b = profiles[0].total, profiles[1].total
    unit = profiles[0].unit
    resource = {"s": "CPU", "B": "memory"}.get(unit, unit)
    fewest = min(profile.samples for profile in profiles)
    if fewest < SAMPLES_TO_COMPARE:
        return (
            f"There are too few samples to say where the {resource} goes "
            f"({fewest}; at least {SAMPLES_TO_COMPARE} are needed): raise the "
            "scenario's load, or `seconds` in the preset."
        )
    if not _beyond_drift(a, b) or change_p(a, b, profiles) > ALPHA:
        start = (
            f"Both sides spend about the same {resource} per request "
            f"({quantity(a, unit)} and {quantity(b, unit)})"
        )
        moved = [change for change in changes if change.significant][:2]
        inside = ", ".join(_move(change, unit) for change in moved)
        return f"{start}; inside, {inside}." if inside else f"{start}."
    word = "more" if b > a else "less"
    start = f"The candidate spends {quantity(abs(b - a), unit)} {word} {resource} "
    start += "per request"
    same_way = [
        change
        for change in changes
        if change.significant and (change.change > 0) == (b > a)
    ][:2]
    if not same_way:
        return f"{start}; no single function stands out from the sampling noise."
    places = " and ".join(
        f"{quantity(abs(change.change), unit)}{' of it' if index == 0 else ''} "
        f"{'is ' if index == 0 else ''}in {_place(change)}"
        for index, change in enumerate(same_way)
    )
    return f"{start}; {places}."


def _move(change: FunctionChange, unit: str) -> str:
    word = "more" if change.change > 0 else "less"
    return f"{_place(change)} takes {quantity(abs(change.change), unit)} {word}"


def _place(change: FunctionChange) -> str:
    file = change.file.rsplit("/", 1)[-1]
    return f"`{change.function}`" + (f" ({file})" if file else "")


def _bottleneck(
    profiles: tuple[Stacks, Stacks], busy: tuple[float, float] | None
) -> tuple[Kind, str]:
    if profiles[0].unit == "B":
        return "memory", "the profile counts bytes, not time"
    if busy is None:
        return "unknown", (
            "a CPU profile alone cannot tell working from waiting, and the "
            "capacity of the two sides was not measured"
        )
    cores_busy = (
        f"at capacity the baseline keeps {busy[0]:.2f} cores busy, "
        f"the candidate {busy[1]:.2f}"
    )
    if min(busy) >= 0.75:
        return "CPU", cores_busy
    if busy[0] < 0.5 or busy[1] < 0.5:
        sides = [
            name
            for name, value in zip(("baseline", "candidate"), busy, strict=True)
            if value < 0.5
        ]
        return "waiting", (
            f"{cores_busy}: requests of the {' and the '.join(sides)} mostly wait "
            "(for I/O, a pool, a lock or a blocked event loop), which a CPU profile "
            "cannot see"
        )
    return "unknown", f"{cores_busy}: neither clearly working nor clearly waiting"
