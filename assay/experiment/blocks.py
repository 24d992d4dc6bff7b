"""The layout of a launch's blocks: slice length, number of blocks, order."""

import math
import random
from collections.abc import Collection, Mapping, Sequence

from assay.metrics import requests_needed
from assay.run_directory.rows import SliceRow

MAX_SLICE_SECONDS = 2.0
REQUESTS_PER_SLICE = 25
MIN_BLOCKS = 4
# The CPU time per request of a service that mostly waits varies by a seventh from slice
# to slice, with the number of answers that its event loop happens to handle at once.
# Such a service gets more blocks as long as its slices are short.
MIN_BLOCKS_WAITING = 6
SHORT_SLICE_SECONDS = 0.125
WAITING_CPU_SHARE = 0.5  # share of a core; a service that uses less mostly waits
MAX_LENGTH_RATIO = 2.0  # slices whose lengths differ by a smaller factor get one length
# In one launch, a claimed quantile may take this many open-loop seconds of a variant.
MAX_OPEN_SECONDS = 20.0
# A launch that took long to prepare, for example by log-ins, gets more open blocks,
# because most of a launch's scatter comes from these blocks. They may take the share
# `OPEN_SHARE_OF_PREPARATION` of the preparation time, but their number grows at most by
# the factor `MAX_OPEN_EXTENSION`.
OPEN_SHARE_OF_PREPARATION = 0.5
MAX_OPEN_EXTENSION = 2


def draw_order(
    names: Sequence[str], pairs: Sequence[tuple[str, str]], rng: random.Random
) -> list[str]:
    """Draw a random order of variants that keeps compared variants together.

    Two slices differ more the further apart they are. With ten variants in random
    order, the two slices of a pair would be four slices apart on average.
    """
    group_of = {name: [name] for name in names}
    for first, second in pairs:
        if group_of[first] is not group_of[second]:
            group_of[first] += group_of[second]
            group_of.update(dict.fromkeys(group_of[second], group_of[first]))
    groups = [group_of[name] for name in names if group_of[name][0] == name]
    rng.shuffle(groups)
    return [name for group in groups for name in rng.sample(group, len(group))]


def min_undisturbed(rows: Sequence[SliceRow], pairs: Sequence[tuple[str, str]]) -> int:
    """Count the undisturbed blocks of each pair, and return the smallest count."""
    undisturbed: dict[str, set[int]] = {}
    for row in rows:
        if not row.disturbed:
            undisturbed.setdefault(row.variant, set()).add(row.block)
    none: set[int] = set()
    return min(
        len(undisturbed.get(first, none) & undisturbed.get(second, none))
        for first, second in pairs
    )


def slice_seconds(min_seconds: float, requests_per_second: float) -> float:
    """Return the length of a slice that holds enough requests, within limits."""
    needed = REQUESTS_PER_SLICE / max(requests_per_second, 1e-9)
    return min(max(min_seconds, needed), MAX_SLICE_SECONDS)


def equalise_lengths(seconds: Mapping[str, float]) -> dict[str, float]:
    """Return slice lengths by variant; variants with similar needs get one length.

    The first round of requests in a slice differs from the rounds that follow. If one
    of two slices holds one round more, that alone makes a difference of 1 % or more. If
    one variant is twice as fast as another, this difference no longer matters.

    Args:
        seconds: For each variant, the length of the shortest slice that is long enough.
    """
    equalised: dict[str, float] = {}
    longest = math.inf  # of the current group of variants
    for name in sorted(seconds, key=lambda name: -seconds[name]):
        if seconds[name] < longest / MAX_LENGTH_RATIO:
            longest = seconds[name]
        equalised[name] = longest
    return equalised


def block_count(
    max_blocks: int,
    min_seconds: float,
    seconds: float,
    decides: bool = True,
    cpu_share: float = 1.0,
) -> int:
    """Return the number of blocks that keeps the time of a launch constant.

    Longer slices mean fewer blocks, down to a minimum.

    Args:
        max_blocks: The number of blocks if slices are as short as possible.
        min_seconds: The length of the shortest possible slice.
        seconds: The actual length of a slice.
        decides: Whether a verdict depends on this load; if not, the number is halved.
        cpu_share: The share of a core that the service uses under this load.
    """
    waits = cpu_share < WAITING_CPU_SHARE and seconds <= SHORT_SLICE_SECONDS
    min_blocks = MIN_BLOCKS_WAITING if waits else MIN_BLOCKS
    count = max(min_blocks, min(max_blocks, round(max_blocks * min_seconds / seconds)))
    return count if decides else count // 2


def extend_for_preparation(
    open_blocks: int, block_seconds: float, preparation: float
) -> int:
    """Return the number of open blocks of a launch, given its preparation time.

    Args:
        open_blocks: The number of open blocks after a short preparation.
        block_seconds: The time that one block of all variants takes.
        preparation: Seconds of starts, log-ins and warm-up.
    """
    affordable = round(OPEN_SHARE_OF_PREPARATION * preparation / block_seconds)
    return min(max(open_blocks, affordable), MAX_OPEN_EXTENSION * open_blocks)


def extend_for_quantiles(
    open_blocks: int,
    seconds: float,
    requests_per_second: float,
    metrics: Collection[str],
) -> int:
    """Return the number of open blocks that holds enough requests for the quantiles.

    A quantile that would take more than `MAX_OPEN_SECONDS` is left out.
    """
    for needed in map(requests_needed, metrics):
        # The number of arrivals varies (Poisson). With this margin, only one launch in
        # a thousand has too few.
        requests = needed + 3 * math.sqrt(needed)
        blocks = math.ceil(requests / (max(requests_per_second, 1e-9) * seconds))
        if blocks * seconds <= MAX_OPEN_SECONDS:
            open_blocks = max(open_blocks, blocks)
    return open_blocks
