"""Exact percentiles of more samples than fit in memory, in two or three passes.

The first pass counts the samples in narrow bins. Only the bins that contain a requested
rank matter. If such a bin has too many samples, a second pass counts them in finer
bins. The last pass keeps only the samples of the bins that matter. So the results are
samples, not the middles of bins.
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

# About 1,400 logarithmic bins for each group.
LOWEST_VALUE = 1e-7  # seconds
HIGHEST_VALUE = 1e5
BIN_WIDTH = 0.02  # relative width of a bin
BINS = math.ceil(math.log(HIGHEST_VALUE / LOWEST_VALUE) / BIN_WIDTH) + 3
INFINITE_BIN = BINS - 1  # infinity has its own bin
MAX_KEPT = 1_000_000  # samples of a bin; with more, finer bins are counted first
FINE_BINS = 4096  # parts of a bin
WHOLE_BIN = -1  # stands for a whole bin, in place of the number of a fine bin


def exact(
    batches: Batches, groups: int, shares: Sequence[float], max_kept: int = MAX_KEPT
) -> list[list[float | None]]:
    """Return quantiles of each group, as numpy does with method "inverted_cdf".

    Args:
        batches: Yields the same samples at every call: the number of the group of each
            sample, and its value in seconds, which may be infinite.
        groups: Number of groups.
        shares: The quantiles, from 0 to 1.
        max_kept: Maximum number of samples of a bin that are kept in memory.

    Returns:
        For each group, one value for each share; None for a group without samples.
    """
    counts = _counts(batches(), groups)
    cumulative = np.cumsum(counts, axis=1)
    # For each group and share: the bin of its quantile, and the rank within the bin.
    ranks: dict[tuple[int, float], tuple[int, int]] = {}
    for group, total in enumerate(cumulative[:, -1].tolist()):
        for share in shares if total else ():
            rank = _rank(share, total)
            bin_ = int(np.searchsorted(cumulative[group], rank, side="right"))
            below = int(cumulative[group, bin_] - counts[group, bin_])
            ranks[group, share] = bin_, rank - below
    keys = {(group, bin_) for (group, _), (bin_, _) in ranks.items()}
    finite = {key for key in keys if key[1] != INFINITE_BIN}
    fine_counts = _fine_counts(
        batches, {key for key in finite if counts[key] > max_kept}
    )
    # The fine bins that matter in each bin; and for each group and share, its fine bin
    # and the rank within it.
    needed: dict[Key, set[int]] = {key: set() for key in finite}
    fine_ranks: dict[tuple[int, float], tuple[int, int]] = {}
    for (group, share), (bin_, rank) in ranks.items():
        if bin_ == INFINITE_BIN:
            continue
        fine_bin = WHOLE_BIN
        if (group, bin_) in fine_counts:
            fine_cumulative = np.cumsum(fine_counts[group, bin_])
            fine_bin = int(np.searchsorted(fine_cumulative, rank, side="right"))
            rank -= int(fine_cumulative[fine_bin] - fine_counts[group, bin_][fine_bin])
        needed[group, bin_].add(fine_bin)
        fine_ranks[group, share] = fine_bin, rank
    kept = _keep(batches, needed)

    def quantile(group: int, share: float) -> float | None:
        if (group, share) not in ranks:
            return None
        bin_, _ = ranks[group, share]
        if bin_ == INFINITE_BIN:
            return math.inf
        fine_bin, rank = fine_ranks[group, share]
        return float(kept[group, bin_, fine_bin][rank])

    return [[quantile(group, share) for share in shares] for group in range(groups)]


def rough(batches: Batches, shares: Sequence[float]) -> list[float | None]:
    """Return quantiles of all samples, accurate to 1 %, in one pass."""
    (counts,) = _counts(((np.zeros_like(n), values) for n, values in batches()), 1)
    cumulative = np.cumsum(counts)
    if not cumulative[-1]:
        return [None] * len(shares)
    ranks = [_rank(share, int(cumulative[-1])) for share in shares]
    bins = np.searchsorted(cumulative, ranks, side="right")
    return [
        (
            math.inf
            if bin_ == INFINITE_BIN
            else LOWEST_VALUE * math.exp((bin_ - 0.5) * BIN_WIDTH)
        )
        for bin_ in bins.tolist()
    ]


def _rank(share: float, total: int) -> int:
    """Return the rank of a quantile among `total` sorted samples, from 0."""
    return max(0, math.ceil(share * total - 1e-9) - 1)


def _counts(batches: Iterable[Batch], groups: int) -> Numbers:
    """Return the number of samples in each bin of each group."""
    counts = np.zeros((groups, BINS), dtype=np.int64)
    for numbers, values in batches:
        flat_keys = numbers * BINS + _bins(values)
        counts += np.bincount(flat_keys, minlength=groups * BINS).reshape(groups, BINS)
    return counts


def _fine_counts(batches: Batches, keys: set[Key]) -> Mapping[Key, Numbers]:
    """Return the number of samples in each fine bin of some bins."""
    counts = {key: np.zeros(FINE_BINS, dtype=np.int64) for key in keys}
    if keys:
        for key, values in _in_bins(batches(), keys):
            fine_bins = _fine_bins(key[1], values)
            counts[key] += np.bincount(fine_bins, minlength=FINE_BINS)
    return counts


def _keep(
    batches: Batches, needed: Mapping[Key, set[int]]
) -> Mapping[tuple[int, int, int], Floats]:
    """Return the samples of some bins, or of some of their fine bins, sorted.

    Args:
        batches: Yields the samples.
        needed: For each bin, the fine bins that are kept; `WHOLE_BIN` for all of them.
    """
    kept: dict[tuple[int, int, int], list[Floats]] = {}
    for (group, bin_), values in _in_bins(batches(), set(needed)):
        needed_here = needed[group, bin_]
        whole = needed_here == {WHOLE_BIN}
        fine_bins = None if whole else _fine_bins(bin_, values)
        for fine_bin in needed_here:
            chosen = values if fine_bins is None else values[fine_bins == fine_bin]
            kept.setdefault((group, bin_, fine_bin), []).append(chosen)
    return {key: np.sort(np.concatenate(parts)) for key, parts in kept.items()}


def _in_bins(batches: Iterable[Batch], keys: set[Key]) -> Iterator[tuple[Key, Floats]]:
    """Yield the samples of some bins: for each batch, bin by bin."""
    if not keys:
        return
    needed_keys = np.sort([group * BINS + bin_ for group, bin_ in keys])
    for numbers, values in batches:
        flat_keys = numbers * BINS + _bins(values)
        nearest = np.searchsorted(needed_keys, flat_keys)
        nearest = np.minimum(nearest, len(needed_keys) - 1)
        chosen = needed_keys[nearest] == flat_keys
        flat_keys, values = flat_keys[chosen], values[chosen]
        if not len(values):
            continue
        order = np.argsort(flat_keys, kind="stable")
        unique_keys, starts = np.unique(flat_keys[order], return_index=True)
        parts = np.split(values[order], starts[1:])
        for key, part in zip(unique_keys.tolist(), parts, strict=True):
            yield (key // BINS, key % BINS), part


def _bins(values: Floats) -> Numbers:
    """Return the bin of each sample: the first for 0, the last for infinity."""
    with np.errstate(divide="ignore"):
        position = np.log(np.maximum(values, 0.0) / LOWEST_VALUE) / BIN_WIDTH
    bins: Numbers = (np.clip(position, -1, BINS - 3) + 1).astype(np.int64)
    bins[np.isinf(values)] = INFINITE_BIN
    return bins


def _fine_bins(bin_: int, values: Floats) -> Numbers:
    """Return the fine bin of each sample within its bin."""
    low = LOWEST_VALUE * math.exp((bin_ - 1) * BIN_WIDTH) if bin_ else 0.0
    step = (LOWEST_VALUE * math.exp(bin_ * BIN_WIDTH) - low) / FINE_BINS
    position = np.clip((values - low) / step, 0, FINE_BINS - 1)
    fine_bins: Numbers = position.astype(np.int64)
    return fine_bins
