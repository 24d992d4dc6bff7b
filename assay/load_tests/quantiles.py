"""Exact percentiles of more samples than memory holds, in two passes or three.

The first pass counts samples in narrow bins. Bins that hold a rank that is asked for,
and too many samples, are counted once more in finer ones. The last pass keeps the
samples of the few bins that are left. What is returned are samples, not the middles
of bins.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.analysis.statistics import Floats

Numbers = NDArray[np.int64]
Batch = tuple[Numbers, Floats]
Batches = Callable[[], Iterable[Batch]]
Key = tuple[int, int]  # a group, and one of its bins

# From 100 ns to 10^5 s in steps of 2 %: some 1,400 bins for each group.
LEAST, MOST, WIDTH = 1e-7, 1e5, 0.02
BINS = math.ceil(math.log(MOST / LEAST) / WIDTH) + 3
NEVER = BINS - 1  # infinity has a bin of its own
MANY = 1_000_000  # samples of a bin, of which it is counted in finer ones
FINE = 4096


def exact(
    batches: Batches, groups: int, shares: Sequence[float], many: int = MANY
) -> list[list[float | None]]:
    """Return quantiles of each group: the least sample that enough are no greater than.

    Args:
        batches: Gives the samples, the same at every call: the number of a group
            for each sample, and the samples, in seconds; infinity is the greatest.
        groups: How many groups there are.
        shares: Which quantiles, from 0 to 1.
        many: Samples of a bin that are too many to be kept.

    Returns:
        For each group one number for each share; None for a group without samples.
    """
    counts = _counts(batches(), groups)
    upto = np.cumsum(counts, axis=1)
    # For each rank that is asked for: its bin, and how many samples of it are less.
    asked: dict[tuple[int, float], tuple[int, int]] = {}
    for group, total in enumerate(upto[:, -1].tolist()):
        for share in shares if total else ():
            rank = max(0, math.ceil(share * total - 1e-9) - 1)
            place = int(np.searchsorted(upto[group], rank, side="right"))
            below = int(upto[group, place] - counts[group, place])
            asked[group, share] = place, rank - below
    places = {(group, place) for (group, _), (place, _) in asked.items()}
    finite = {key for key in places if key[1] != NEVER}
    fine = _fine_counts(batches, {key for key in finite if counts[key] > many})
    wanted: dict[Key, set[int]] = {key: set() for key in finite}
    where: dict[tuple[int, float], tuple[int, int]] = {}
    for (group, share), (place, rank) in asked.items():
        if place == NEVER:
            continue
        sub = -1
        if (group, place) in fine:
            within = np.cumsum(fine[group, place])
            sub = int(np.searchsorted(within, rank, side="right"))
            rank -= int(within[sub] - fine[group, place][sub])
        wanted[group, place].add(sub)
        where[group, share] = sub, rank
    kept = _keep(batches, wanted)

    def quantile(group: int, share: float) -> float | None:
        if (group, share) not in asked:
            return None
        place, _ = asked[group, share]
        if place == NEVER:
            return math.inf
        sub, rank = where[group, share]
        return float(kept[group, place, sub][rank])

    return [[quantile(group, share) for share in shares] for group in range(groups)]


def rough(batches: Batches, shares: Sequence[float]) -> list[float | None]:
    """Return quantiles of all samples to 1 %, as a picture needs them, in one pass."""
    (counts,) = _counts(((np.zeros_like(n), v) for n, v in batches()), 1)
    upto = np.cumsum(counts)
    if not upto[-1]:
        return [None] * len(shares)
    ranks = [max(0, math.ceil(share * upto[-1] - 1e-9) - 1) for share in shares]
    places = np.searchsorted(upto, ranks, side="right")
    return [
        math.inf if place == NEVER else LEAST * math.exp((place - 0.5) * WIDTH)
        for place in places.tolist()
    ]


def _counts(batches: Iterable[Batch], groups: int) -> Numbers:
    """Return how many samples each bin of each group holds."""
    counts = np.zeros((groups, BINS), dtype=np.int64)
    for numbers, values in batches:
        flat = numbers * BINS + _bins(values)
        counts += np.bincount(flat, minlength=groups * BINS).reshape(groups, BINS)
    return counts


def _fine_counts(batches: Batches, keys: set[Key]) -> Mapping[Key, Numbers]:
    """Return how many samples the parts of some bins hold."""
    found = {key: np.zeros(FINE, dtype=np.int64) for key in keys}
    if keys:
        for key, values in _of_bins(batches(), keys):
            found[key] += np.bincount(_fine_bins(key[1], values), minlength=FINE)
    return found


def _keep(
    batches: Batches, wanted: Mapping[Key, set[int]]
) -> Mapping[tuple[int, int, int], Floats]:
    """Return the samples of some bins, sorted; part -1 is a whole bin."""
    found: dict[tuple[int, int, int], list[Floats]] = {}
    for (group, place), values in _of_bins(batches(), set(wanted)):
        subs = wanted[group, place]
        parts = None if subs == {-1} else _fine_bins(place, values)
        for sub in subs:
            own = values if parts is None else values[parts == sub]
            found.setdefault((group, place, sub), []).append(own)
    return {key: np.sort(np.concatenate(parts)) for key, parts in found.items()}


def _of_bins(batches: Iterable[Batch], keys: set[Key]) -> Iterator[tuple[Key, Floats]]:
    """Yield the samples of some bins, bin by bin."""
    if not keys:
        return
    flat_keys = np.sort([group * BINS + place for group, place in keys])
    for numbers, values in batches:
        flat = numbers * BINS + _bins(values)
        at = np.minimum(np.searchsorted(flat_keys, flat), len(flat_keys) - 1)
        chosen = flat_keys[at] == flat
        flat, own = flat[chosen], values[chosen]
        if not len(own):
            continue
        order = np.argsort(flat, kind="stable")
        found, starts = np.unique(flat[order], return_index=True)
        for key, part in zip(
            found.tolist(), np.split(own[order], starts[1:]), strict=True
        ):
            yield (key // BINS, key % BINS), part


def _bins(values: Floats) -> Numbers:
    """Return the bin of each sample: the first for what is 0, the last for infinity."""
    with np.errstate(divide="ignore"):
        place = np.log(np.maximum(values, 0.0) / LEAST) / WIDTH
    clipped: Numbers = (np.clip(place, -1, BINS - 3) + 1).astype(np.int64)
    clipped[np.isinf(values)] = NEVER
    return clipped


def _fine_bins(place: int, values: Floats) -> Numbers:
    """Return the part of its bin that each sample is in."""
    low = LEAST * math.exp((place - 1) * WIDTH) if place else 0.0
    step = (LEAST * math.exp(place * WIDTH) - low) / FINE
    part: Numbers = np.clip((values - low) / step, 0, FINE - 1).astype(np.int64)
    return part
