"""When requests are due: the schedules of the open loop."""

import random
from array import array


def poisson(rate: float, duration: float, seed: int) -> "array[float]":
    """Return the arrivals of a Poisson process.

    Args:
        rate: Mean arrivals per second.
        duration: Seconds that are covered.
        seed: The same seed gives the same schedule.

    Returns:
        Seconds since the start, ascending, all below `duration`.
    """
    draw = random.Random(seed).expovariate
    arrivals = array("d")
    moment = draw(rate)
    while moment < duration:
        arrivals.append(moment)
        moment += draw(rate)
    return arrivals
