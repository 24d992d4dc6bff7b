"""When requests are due: the schedules of the open loop, and each worker's part."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.load.shapes import Shape

Arrivals = Literal["poisson", "even"]


SPEED_STEPS = 4  # a worker's speed is rounded to quarters of the fastest speed


@dataclass(frozen=True)
class Part:
    """One worker's part of all arrivals.

    Successive arrivals form groups of `of` arrivals. The worker sends those that stand
    at `places` in each group. Each arrival is in exactly one worker's part, so evenly
    spaced arrivals stay evenly spaced.

    Attributes:
        places: The places in a group, counted from 0.
        of: The number of successive arrivals in a group.
    """

    places: tuple[int, ...] = (0,)
    of: int = 1

    def count(self, whole: int) -> int:
        """Return how many of the first `whole` arrivals are in this part."""
        rounds, rest = divmod(whole, self.of)
        return rounds * len(self.places) + sum(place < rest for place in self.places)

    def numbers(self) -> Iterator[int]:
        """Yield the numbers of the arrivals in this part, counted from 0."""
        for begin in itertools.count(0, self.of):
            for place in self.places:
                yield begin + place


WHOLE = Part()


def split(speeds: Sequence[float]) -> list[Part]:
    """Return each worker's part of the arrivals, in proportion to its speed.

    Speeds are rounded to quarters of the fastest worker's speed, so that a mere
    fluctuation does not change a worker's part: the same seed must give the same work.

    Args:
        speeds: The speed of each worker, in any unit.
    """
    weights = [max(1, round(SPEED_STEPS * speed / max(speeds))) for speed in speeds]
    if len(set(weights)) == 1:
        weights = [1] * len(weights)
    dealt: list[list[int]] = [[] for _ in weights]
    for place in range(sum(weights)):
        # The worker with the largest quotient gets the next place (D'Hondt), so that
        # workers alternate.
        index = max(range(len(weights)), key=lambda i: weights[i] / (len(dealt[i]) + 1))
        dealt[index].append(place)
    return [Part(tuple(places), sum(weights)) for places in dealt]


def worker_seed(seed: int, worker: int) -> int:
    """Return one worker's own seed; with a shared seed, all workers would act alike."""
    return random.Random(f"{seed}/{worker}").getrandbits(32)


def times(
    shape: Shape, arrivals: Arrivals, seed: int, part: Part = WHOLE
) -> Iterator[float]:
    """Yield when the arrivals of a shape are due.

    Poisson arrivals come as if from many people who know nothing of each other. They
    are a process of rate 1 whose time is stretched until the expected number of
    arrivals equals the shape's (Çinlar, Introduction to Stochastic Processes, 1975,
    theorem 4.7.4). Even arrivals are evenly spaced at the rate of the shape.

    Args:
        shape: How the rate changes.
        arrivals: How the arrivals are spaced.
        seed: The same seed gives the same schedule.
        part: The part of the arrivals that is wanted. Each Poisson part needs its own
            seed: independent Poisson processes add up to one process, whose rate is the
            sum of theirs.

    Yields:
        Seconds since the start, ascending, none after the shape's end.
    """
    if arrivals == "even":
        yield from shape.times_reaching(number + 0.5 for number in part.numbers())
        return
    draw, rate = random.Random(seed).expovariate, len(part.places) / part.of
    gaps = (draw(rate) for _ in itertools.repeat(None))
    yield from shape.times_reaching(itertools.accumulate(gaps))
