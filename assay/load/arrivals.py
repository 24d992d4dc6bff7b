"""When requests are due: the schedules of the open loop, and each worker's part."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from assay.load.shapes import Shape

Arrivals = Literal["poisson", "even"]


PACES = 4  # a worker's speed counts in quarters of the fastest one's


@dataclass(frozen=True)
class Part:
    """What of all arrivals is a worker's: of every `of` in a row those at `places`.

    All parts together are the whole, and even arrivals stay even.
    """

    places: tuple[int, ...] = (0,)
    of: int = 1

    def count(self, whole: int) -> int:
        """Return how many of the first `whole` are in this part."""
        rounds, rest = divmod(whole, self.of)
        return rounds * len(self.places) + sum(place < rest for place in self.places)

    def numbers(self) -> Iterator[int]:
        """Yield the numbers of its arrivals, from 0."""
        for begin in itertools.count(0, self.of):
            for place in self.places:
                yield begin + place


WHOLE = Part()


def parts(speeds: Sequence[float]) -> list[Part]:
    """Deal the places of a round to workers, by how fast they are.

    Speeds count in quarters of the fastest one's: what merely fluctuates must not
    decide who does what, or the same seed would not give the same work.

    Args:
        speeds: Of each worker, in any unit.
    """
    weights = [max(1, round(PACES * speed / max(speeds))) for speed in speeds]
    if len(set(weights)) == 1:
        weights = [1] * len(weights)
    dealt: list[list[int]] = [[] for _ in weights]
    for place in range(sum(weights)):
        # The greatest quotient takes the next place (D'Hondt), so they alternate.
        index = max(range(len(weights)), key=lambda i: weights[i] / (len(dealt[i]) + 1))
        dealt[index].append(place)
    return [Part(tuple(places), sum(weights)) for places in dealt]


def seed_of(seed: int, worker: int) -> int:
    """Return the seed of a worker: workers of one seed would all do the same."""
    return random.Random(f"{seed}/{worker}").getrandbits(32)


def moments(
    shape: Shape, arrivals: Arrivals, seed: int, part: Part = WHOLE
) -> Iterator[float]:
    """Yield the arrivals of a shape, one after the other.

    Poisson arrivals come as those of many people who know nothing of each other:
    a process of rate 1, its time stretched so that the expected number of arrivals
    is that of the shape (Çinlar, Introduction to Stochastic Processes, 1975,
    theorem 4.7.4). Even ones come one by one at the shape's own pace.

    Args:
        shape: How the rate changes.
        arrivals: Which of the two.
        seed: The same seed gives the same schedule.
        part: Whose arrivals. Those of Poisson parts need seeds of their own: what
            independent Poisson processes make together is one of their joint rate.

    Yields:
        Seconds since the start, ascending, none after the shape's end.
    """
    if arrivals == "even":
        yield from shape.moments(number + 0.5 for number in part.numbers())
        return
    draw, rate = random.Random(seed).expovariate, len(part.places) / part.of
    gaps = (draw(rate) for _ in itertools.repeat(None))
    yield from shape.moments(itertools.accumulate(gaps))
