"""Two profiles -> what changed, per request, and never more than the noise allows.

Two kinds of noise stand between two profiles. Sampling: a frame that was hit n
times has a Poisson error of sqrt(n), so a difference is tested by the exact
conditional binomial test, corrected for the number of functions looked at. And
the machine: profiles are taken one after the other, and a shared host's speed
wanders by up to a tenth, so a smaller change is never reported either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from assay.plan import Data
from assay.results import SAMPLES_TO_COMPARE, Stacks, Timeline
from assay.wording import quantity

# A shared host's speed wanders by as much between two stretches of time.
HOST_WANDER = 0.10
FALSE_DISCOVERIES = 0.05

Kind = Literal["CPU", "waiting", "waiting for a pool or lock", "memory", "unknown"]

_LOCKS = ("_do_get (", "Condition.wait", "Semaphore", "Lock.acquire", "acquire (")


class FunctionChange(Data):
    """What one function itself costs on both sides, per request.

    Attributes:
        baseline: Own value per request, in the profile's unit.
        candidate: The same for the candidate.
        change: candidate - baseline.
        p: Probability of a change as large by sampling alone.
        significant: Beyond the sampling noise of all functions together, and
            beyond what the machine's speed wanders.
    """

    function: str
    file: str
    baseline: float
    candidate: float
    change: float
    p: float
    significant: bool


class Attribution(Data):
    """What the difference of two profiles can be attributed to.

    Attributes:
        sentence: What a person would write.
        kind: The kind of bottleneck, from the evidence there is.
        evidence: What the kind rests on, or what is missing.
        changes: Every function, the largest change first.
        unit: Unit of all values, per request.
    """

    sentence: str
    kind: Kind
    evidence: str
    changes: tuple[FunctionChange, ...]
    unit: str


class MemoryChange(Data):
    """Two memory timelines compared; bytes.

    Attributes:
        peaks: Highest value of baseline and candidate.
        growth: Bytes per request that stayed, of both; 0 where it is flat.
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
    """Return what each frame itself costs, per request."""
    own: dict[str, float] = defaultdict(float)
    for stack, value in profile.stacks:
        if stack:
            own[stack[-1]] += value
    return dict(own)


def change_p(
    baseline: float, candidate: float, profiles: tuple[Stacks, Stacks]
) -> float:
    """Return the probability of a difference as large by sampling alone.

    The values are turned back into counts. Given the sum of two Poisson counts,
    one of them is binomial (Przyborowski and Wilenski, Biometrika 31, 1940).

    Args:
        baseline: Value per request on the baseline's side.
        candidate: The same of the candidate.
        profiles: The two profiles the values are from.
    """
    from scipy.special import bdtr, bdtrc

    exposures = [_counts_per_value(profile) for profile in profiles]
    if not all(exposures):
        return 1.0
    first, second = (
        round(value * exposure)
        for value, exposure in zip((baseline, candidate), exposures, strict=True)
    )
    together = first + second
    share = exposures[0] / (exposures[0] + exposures[1])
    at_most = float(bdtr(first, together, share))
    at_least = float(bdtrc(first - 1, together, share)) if first else 1.0
    return min(1.0, 2 * min(at_most, at_least))


def beyond_noise(
    pairs: Sequence[tuple[float, float]], profiles: tuple[Stacks, Stacks]
) -> list[bool]:
    """Say which of many (baseline, candidate) values differ beyond noise.

    The share of false ones among them is kept at 5 % (Benjamini and Hochberg,
    Journal of the Royal Statistical Society B 57, 1995).
    """
    from assay.analysis.statistics import benjamini_hochberg

    chances = [change_p(a, b, profiles) for a, b in pairs]
    discoveries = benjamini_hochberg(chances, FALSE_DISCOVERIES)
    return [
        discovered and _beyond_wander(a, b)
        for (a, b), discovered in zip(pairs, discoveries, strict=True)
    ]


def attribute(
    baseline: Stacks,
    candidate: Stacks,
    busy: tuple[float, float] | None = None,
) -> Attribution:
    """Say what the difference between two profiles of one preset can be attributed to.

    Args:
        baseline: Values per request.
        candidate: The same unit and preset.
        busy: Cores that each side kept busy at capacity (throughput times CPU
            per request), which tells working from waiting. None if unknown.
    """
    profiles = (baseline, candidate)
    own = (own_values(baseline), own_values(candidate))
    frames = list(dict.fromkeys([*own[0], *own[1]]))
    pairs = [(own[0].get(frame, 0.0), own[1].get(frame, 0.0)) for frame in frames]
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


def compare_memory(baseline: Timeline, candidate: Timeline) -> MemoryChange:
    """Compare the peak and the growth per request of two memory timelines."""
    peaks = (max(baseline.values, default=0.0), max(candidate.values, default=0.0))
    growth = (growth_per_request(baseline), growth_per_request(candidate))
    if not all(peaks):
        return MemoryChange(
            sentence="Memory was not observed on both sides.",
            peaks=peaks,
            growth=growth,
        )
    if _beyond_wander(*peaks):
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
    grows = [
        f"the {name} grows by {quantity(value, 'B')} per request"
        for name, value in zip(("baseline", "candidate"), growth, strict=True)
        if value > 0
    ]
    ending = " and ".join(grows) or "neither grows with the requests served"
    return MemoryChange(sentence=f"{peak}; {ending}.", peaks=peaks, growth=growth)


def growth_per_request(timeline: Timeline) -> float:
    """Return the bytes per request that stayed, 0 where growth is within the noise.

    The first quarter is warm-up and left out. The level of the last third is
    compared with that of the first third of the rest; it is growth if the
    difference stands out of the scatter, and is 1 % of the level at least.
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
    # The medians lie two thirds of the stretch apart, which is three quarters
    # of the requests.
    return rise / (timeline.requests * 0.75 * 2 / 3)


def _counts_per_value(profile: Stacks) -> float:
    return profile.samples / profile.total if profile.total > 0 else 0.0


def _beyond_wander(a: float, b: float) -> bool:
    return abs(b - a) > HOST_WANDER * max(a, b)


def _sentence(
    profiles: tuple[Stacks, Stacks], changes: Sequence[FunctionChange]
) -> str:
    a, b = profiles[0].total, profiles[1].total
    unit = profiles[0].unit
    thing = {"s": "CPU", "B": "memory"}.get(unit, unit)
    fewest = min(profile.samples for profile in profiles)
    if fewest < SAMPLES_TO_COMPARE:
        return (
            f"There are too few samples to say where the {thing} goes "
            f"({fewest}; {SAMPLES_TO_COMPARE} at least are needed): raise the "
            "scenario's load, or `seconds` in the preset."
        )
    if not _beyond_wander(a, b) or change_p(a, b, profiles) > FALSE_DISCOVERIES:
        start = (
            f"Both sides spend about the same {thing} per request "
            f"({quantity(a, unit)} and {quantity(b, unit)})"
        )
        moved = [change for change in changes if change.significant][:2]
        inside = ", ".join(_move(change, unit) for change in moved)
        return f"{start}; inside, {inside}." if inside else f"{start}."
    word = "more" if b > a else "less"
    start = f"The candidate spends {quantity(abs(b - a), unit)} {word} {thing} "
    start += "per request"
    same_way = [
        change
        for change in changes
        if change.significant and (change.change > 0) == (b > a)
    ][:2]
    if not same_way:
        return f"{start}; no single function stands out of the sampling noise."
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
    if profiles[0].preset == "wait":
        locked = [_share_in(profile, _LOCKS) for profile in profiles]
        if max(locked) > 0.25:
            return (
                "waiting for a pool or lock",
                f"{max(locked):.0%} of the time is spent waiting for one",
            )
    if busy is None:
        return "unknown", (
            "a CPU profile alone cannot tell working from waiting, and the "
            "capacity of the two sides was not measured"
        )
    seen = (
        f"at capacity the baseline keeps {busy[0]:.2f} cores busy, "
        f"the candidate {busy[1]:.2f}"
    )
    if min(busy) >= 0.75:
        return "CPU", seen
    if busy[0] < 0.5 or busy[1] < 0.5:
        sides = [
            name
            for name, value in zip(("baseline", "candidate"), busy, strict=True)
            if value < 0.5
        ]
        return "waiting", (
            f"{seen}: requests of the {' and the '.join(sides)} mostly wait (for I/O, "
            "a pool, a lock or a blocked event loop), which a CPU profile cannot see"
        )
    return "unknown", f"{seen}: neither clearly working nor clearly waiting"


def _share_in(profile: Stacks, names: Sequence[str]) -> float:
    if profile.total <= 0:
        return 0.0
    inside = sum(
        value
        for stack, value in profile.stacks
        if any(name in frame for frame in stack[-3:] for name in names)
    )
    return inside / profile.total
