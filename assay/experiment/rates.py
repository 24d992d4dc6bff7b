"""Which arrival rate is right: one at which target and generator keep up."""

from collections.abc import Mapping

import numpy as np

from assay.errors import MeasureError
from assay.experiment import blocks, disturbance, slices
from assay.experiment.deadlines import Deadline
from assay.load.answers import Slice
from assay.load.control.generator import Generator

RATE_BACKOFF = 0.75  # a rate that the generator cannot keep is lowered to this share
MAX_BACKOFFS = 6
TRIAL_SLICES, TRIAL_SECONDS = 8, 0.08  # that each rate is tried with
MAX_LATE_SLICES = 3  # of them, with which a rate is refused
IDLE_SHARE = 0.2  # of its core: a generator that uses less keeps any such rate


def check_answers(
    topic: str,
    measured: Slice,
    users: int | None = None,
    when: str = "before anything was measured",
) -> None:
    """Make sure that a target answers where it is not measured yet.

    Args:
        topic: Its name.
        measured: What the target was asked.
        users: Of a closed loop: if all of them are left waiting, it answers nobody
            any more.
        when: It was asked.

    Raises:
        MeasureError: It does not.
    """
    ends = measured.columns["end"]
    waiting = int(np.count_nonzero(np.isnan(ends)))
    most = len(ends) if users is None else min(users, len(ends))
    if waiting and waiting >= most:
        raise MeasureError(
            f"{topic}: variant {measured.variant!r} did not answer {waiting} of "
            f"{len(ends)} requests within {measured.duration:.1f} s, {when}\n"
            "  does the target hang, or need longer for a request than that?"
        )


def in_time(
    generator: Generator,
    topic: str,
    tried: Mapping[str, Slice],
    wanted: float,
    deadline: Deadline,
    most: int,
) -> float:
    """Return the rate at which the generator sends arrivals when they are due.

    One that is the limit itself would disturb nearly every slice. It is tried with
    the variant whose answers cost it most. Where it is late at any rate, having work
    to do before each request, a lower one is no help.

    Args:
        generator: To which the variants are attached.
        topic: Its name.
        tried: What a closed loop of each variant was like.
        wanted: Arrivals per second.
        deadline: After which nothing is tried any more.
        most: How many users there may be: whether it is late shows only where arrivals
            find a user.
    """
    costs = {
        name: measured.generator_cpu / max(measured.requests, 1)
        for name, measured in tried.items()
    }
    name, rate = max(costs, key=lambda one: costs[one]), wanted
    for _ in range(MAX_BACKOFFS):
        if deadline.passed or _keeps(generator, topic, name, rate, deadline, most):
            return rate
        rate *= RATE_BACKOFF
    return wanted


def _keeps(
    generator: Generator,
    topic: str,
    name: str,
    rate: float,
    deadline: Deadline,
    most: int,
) -> bool:
    """Say whether the generator sends arrivals at this rate when they are due.

    A slice that is late can have been held up by something else, and one in time can
    hold arrivals that happen to lie apart: several tell. All launches have the rate
    that is chosen here, and do not count if most of their slices are late.
    """
    late, seconds = 0, blocks.slice_seconds(TRIAL_SECONDS, rate)
    for seed in range(TRIAL_SLICES):
        if deadline.passed:
            break
        measured = generator.open(name, rate, seconds, seed, drain=deadline.drain)
        check_answers(topic, measured)
        row = slices.row(measured, 0, 0, rate, 0)
        if disturbance.too_few(row):
            generator.grow(min(most, measured.peak))
        elif disturbance.late(row):
            late += 1
            if late == MAX_LATE_SLICES:
                return False
        elif measured.generator_cpu < IDLE_SHARE * measured.duration:
            return True
    return True
