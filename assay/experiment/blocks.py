"""How the blocks of a launch are laid out: how long, how many, in which order."""

import math
import random
from collections.abc import Collection, Mapping, Sequence

from assay.metrics import requests_needed
from assay.run_directory.rows import SliceRow

LONGEST_SLICE = 2.0  # seconds
REQUESTS_PER_SLICE = 25
FEWEST_BLOCKS = 4
# The CPU time of a request to a service that mostly waits scatters by a seventh from
# slice to slice, by how many answers its event loop happens to handle at once: it has
# more of them, where they are so short.
FEWEST_WAITING, SHORT_SECONDS, WAITING = 6, 0.125, 0.5
ALIKE = 2.0  # times: slices that differ by less get one length
# What a claimed quantile may take of a launch, in open-loop seconds of a variant.
LONGEST_OPEN = 20.0
# A launch that took long to prepare, as by log-ins, is worth more open blocks, which
# are where most of its scatter comes from: up to twice as many, until they take half
# as long as the preparation.
OPEN_SHARE, MOST_OPEN = 0.5, 2


def order(
    names: Sequence[str], pairs: Sequence[tuple[str, str]], rng: random.Random
) -> list[str]:
    """Draw the order of a block: at random, but what is compared stays together.

    Two slices differ by more the further they are apart, and with ten variants in one
    block those of a pair would be four slices apart on average.
    """
    group = {name: [name] for name in names}
    for one, other in pairs:
        if group[one] is not group[other]:
            group[one] += group[other]
            group.update(dict.fromkeys(group[other], group[one]))
    groups = [group[name] for name in names if group[name][0] == name]
    rng.shuffle(groups)
    return [name for each in groups for name in rng.sample(each, len(each))]


def fewest(rows: Sequence[SliceRow], pairs: Sequence[tuple[str, str]]) -> int:
    """Return how many undisturbed blocks the pair has that has fewest."""
    fine: dict[str, set[int]] = {}
    for row in rows:
        if not row.disturbed:
            fine.setdefault(row.variant, set()).add(row.block)
    none: set[int] = set()
    return min(len(fine.get(a, none) & fine.get(b, none)) for a, b in pairs)


def slice_seconds(shortest: float, per_second: float) -> float:
    """Return the seconds of a slice that holds enough requests, within reason."""
    needed = REQUESTS_PER_SLICE / max(per_second, 1e-9)
    return min(max(shortest, needed), LONGEST_SLICE)


def alike(seconds: Mapping[str, float]) -> dict[str, float]:
    """Return slices of one length for variants whose own would be about as long.

    The first round of requests in a slice is not like those that follow. Of two slices
    one of which holds a round more, that alone would be a difference, of 1 % and more;
    where one side is twice as fast, it is none that matters.

    Args:
        seconds: Variant to the length that is long enough for it.
    """
    found: dict[str, float] = {}
    longest = math.inf  # of the variants that are alike
    for name in sorted(seconds, key=lambda one: -seconds[one]):
        if seconds[name] < longest / ALIKE:
            longest = seconds[name]
        found[name] = longest
    return found


def number(
    most: int,
    shortest: float,
    seconds: float,
    judged: bool = True,
    busy: float = 1.0,
) -> int:
    """Return how many blocks of slices of this length take as long as the shortest.

    Args:
        most: How many there are of the shortest slices.
        shortest: Seconds of those.
        seconds: Seconds of a slice.
        judged: Whether a verdict depends on this load; if not, half as many do.
        busy: Share of a core that the service uses under it.
    """
    waits = busy < WAITING and seconds <= SHORT_SECONDS
    fewest = FEWEST_WAITING if waits else FEWEST_BLOCKS
    blocks = max(fewest, min(most, round(most * shortest / seconds)))
    return blocks if judged else blocks // 2


def worthwhile(blocks: int, block_seconds: float, preparation: float) -> int:
    """Return how many open blocks a launch has that took so long to prepare.

    Args:
        blocks: How many it has at least.
        block_seconds: What a block takes, of all variants.
        preparation: Seconds of starts, log-ins and warm-up.
    """
    wanted = round(OPEN_SHARE * preparation / block_seconds)
    return min(max(blocks, wanted), MOST_OPEN * blocks)


def enough(
    blocks: int, seconds: float, requests_per_second: float, metrics: Collection[str]
) -> int:
    """Return how many open blocks hold what the quantiles need, within reason."""
    for needed in map(requests_needed, metrics):
        # Arrivals are Poisson: a launch in a thousand may have too few.
        requests = needed + 3 * math.sqrt(needed)
        wanted = math.ceil(requests / (max(requests_per_second, 1e-9) * seconds))
        if wanted * seconds <= LONGEST_OPEN:
            blocks = max(blocks, wanted)
    return blocks
