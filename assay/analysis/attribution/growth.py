"""Find growth of memory over rounds, and the lines whose allocations stay alive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from assay.analysis.attribution.rounds import Difference, Pair, difference
from assay.observations import Place, Round
from assay.results import Cause
from assay.wording import quantity

KEPT = "kept"  # a kind of event; its field `seconds` holds bytes
WARM_UP = 1 / 3  # share of the rounds that are left out: caches and pools fill first
MIN_ROUNDS = 3  # least number of rounds after the warm-up
MIN_GROWTH = 0.005  # least growth after the warm-up, as a share of resident memory
STEADY = 0.5  # least growth in the second half, as a share of that in the first half
ALPHA = 0.05
MIN_DIFFERENCE = 0.1  # least difference between two growths, as a share of the larger
MIN_OBJECTS_SHARE = 0.3  # of the growth; below it, the allocator is the cause
MIN_LINE = 0.1  # of the growth; a line that keeps less is not named
MAX_LINES = 2  # a sentence names at most this many lines of code


def growth_per_request(side: Sequence[Round]) -> list[float]:
    """Return the resident bytes that each round after the warm-up added per request."""
    begin = max(1, round(len(side) * WARM_UP))
    return [
        (now.memory - before.memory) / now.requests
        for before, now in zip(side[begin - 1 :], side[begin:], strict=False)
        if before.memory and now.memory
    ]


def keeps_growing(side: Sequence[Round]) -> bool:
    """Say whether memory still grows after the warm-up, by an amount that matters."""
    grown = growth_per_request(side)
    if len(grown) < MIN_ROUNDS:
        return False
    half = len(grown) // 2
    early, late = sum(grown[:half]) / half, sum(grown[half:]) / (len(grown) - half)
    total = side[-1].memory - side[-1 - len(grown)].memory
    return (
        late > 0
        and late >= STEADY * early
        and total >= MIN_GROWTH * side[-1].memory
        and sum(amount > 0 for amount in grown) > len(grown) / 2
    )


def growth(
    topic: str, names: tuple[str, str], pair: Pair, follow_up: Pair
) -> list[Cause]:
    """Return why one side's memory grows more than the other's, if it keeps growing.

    Args:
        topic: The topic's name.
        names: Baseline and candidate.
        pair: The rounds of both sides.
        follow_up: Rounds in which allocations were traced, if there are any.
    """
    if not keeps_growing(pair.baseline) and not keeps_growing(pair.candidate):
        return []
    sides = growth_per_request(pair.baseline), growth_per_request(pair.candidate)
    length = min(map(len, sides))
    grown = difference(sides[0][-length:], sides[1][-length:])
    larger = max(grown.baseline, grown.candidate)
    if (
        grown.p > ALPHA
        or abs(grown.amount) < MIN_DIFFERENCE * larger
        or not keeps_growing(pair.candidate if grown.amount > 0 else pair.baseline)
    ):
        return []
    lines = _lines(follow_up, grown.amount > 0)
    least = MIN_LINE * abs(grown.amount)
    named = [(place, size) for place, size in lines if place and size >= least]
    traced = bool(lines) or _is_traced(follow_up)
    objects = sum(amount for _, amount in lines)
    is_allocator = traced and objects < MIN_OBJECTS_SHARE * abs(grown.amount)
    return [
        Cause(
            topic=topic,
            baseline=names[0],
            candidate=names[1],
            metric="memory.growth",
            kind="allocator" if is_allocator else "memory growth",
            where="" if is_allocator or not named else str(named[0][0]),
            unit="B",
            amount=grown.amount,
            low=grown.low,
            high=grown.high,
            share=None,
            sentence=_sentence(grown, is_allocator, named),
        )
    ]


def _sentence(
    grown: Difference,
    is_allocator: bool,
    named: Sequence[tuple[Place, float]],
) -> str:
    word = "more" if grown.amount > 0 else "less"
    amount = quantity(abs(grown.amount), "B")
    sentence = f"Each request leaves {amount} {word} memory behind"
    if is_allocator:
        return (
            f"{sentence}. Python's objects explain too little of it: the allocator "
            "keeps memory that was freed, or C code keeps memory of its own."
        )
    if not named:
        return f"{sentence}."
    alive = " and ".join(
        f"of what {place} allocates, {quantity(size, 'B')} {word} stays alive"
        for place, size in named[:MAX_LINES]
    )
    return f"{sentence}: {alive}."


def _lines(follow_up: Pair, more: bool) -> list[tuple[Place | None, float]]:
    """Return the lines that keep more bytes on the growing side, the largest first."""
    totals: tuple[dict[Place | None, float], ...] = (
        defaultdict(float),
        defaultdict(float),
    )
    for side, rounds in enumerate((follow_up.baseline, follow_up.candidate)):
        # Bytes that stay alive after the first round may be warm-up.
        for one in rounds[1:]:
            for item in one.observations:
                if item.event.kind == KEPT:
                    size = item.amount.seconds / (len(rounds) - 1)
                    totals[side][item.event.place] += size
    grows, other = (totals[1], totals[0]) if more else totals
    kept = [(place, size - other.get(place, 0.0)) for place, size in grows.items()]
    return sorted(
        ((place, size) for place, size in kept if size > 0), key=lambda line: -line[1]
    )


def _is_traced(follow_up: Pair) -> bool:
    """Say whether both sides have traced allocations after their first round."""
    return all(
        any(item.event.kind == KEPT for one in side[1:] for item in one.observations)
        for side in (follow_up.baseline, follow_up.candidate)
    )
