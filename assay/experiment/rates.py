"""Find an arrival rate of the open loop that target and generator can keep up with."""

from collections.abc import Mapping

import numpy as np

from assay.errors import MeasureError
from assay.experiment import blocks, disturbance, slices
from assay.experiment.deadlines import Deadline
from assay.load.answers import Slice
from assay.load.control.generator import Generator

RATE_BACKOFF = 0.75  # a rate that the generator cannot sustain is lowered to this share
MAX_BACKOFFS = 6
TRIAL_SLICES = 8  # trial slices for each rate
TRIAL_SECONDS = 0.08  # minimum seconds of a trial slice
MAX_LATE_SLICES = 3  # a rate is refused once this many of its trial slices were late
# One punctual slice in which the generator uses less than this share of its core is
# enough to accept the rate.
IDLE_SHARE = 0.2


def check_answers(
    topic: str,
    measured: Slice,
    users: int | None = None,
    when: str = "before anything was measured",
) -> None:
    """Make sure that a target answers its requests.

    Args:
        topic: The topic's name.
        measured: The requests and their answers.
        users: The users of a closed loop. If as many requests as there are users stay
            unanswered, every user is stuck and the target counts as hung.
        when: When the requests were sent, for the message.

    Raises:
        MeasureError: The target does not answer.
    """
    ends = measured.request_columns["end"]
    unanswered = int(np.count_nonzero(np.isnan(ends)))
    limit = len(ends) if users is None else min(users, len(ends))
    if unanswered and unanswered >= limit:
        raise MeasureError(
            f"{topic}: variant {measured.variant!r} did not answer {unanswered} of "
            f"{len(ends)} requests within {measured.duration:.1f} s, {when}\n"
            "  does the target hang, or does it need longer for a request?"
        )


def sustainable_rate(
    generator: Generator,
    topic: str,
    trials: Mapping[str, Slice],
    requested: float,
    deadline: Deadline,
    max_users: int,
) -> float:
    """Return a rate at which the generator sends arrivals on time.

    Close to the generator's limit, the arrivals of nearly every slice would be sent
    late, and the slices would count as disturbed. The rates are tried with the variant
    whose answers cost the generator the most CPU time. If the generator is late at
    every rate, because it has work to do before each request, a lower rate does not
    help, and the requested rate is returned.

    Args:
        generator: The generator, with the variants attached.
        topic: The topic's name.
        trials: A closed-loop slice of each variant.
        requested: Arrivals per second.
        deadline: No further trial begins after it.
        max_users: The largest number of users. Only arrivals that find an idle user
            show whether the generator is late.
    """
    cost_per_request = {
        name: trial.generator_cpu / max(trial.requests, 1)
        for name, trial in trials.items()
    }
    costliest = max(cost_per_request, key=lambda name: cost_per_request[name])
    rate = requested
    for _ in range(MAX_BACKOFFS):
        if deadline.passed or _sustains(
            generator, topic, costliest, rate, deadline, max_users
        ):
            return rate
        rate *= RATE_BACKOFF
    return requested


def _sustains(
    generator: Generator,
    topic: str,
    variant: str,
    rate: float,
    deadline: Deadline,
    max_users: int,
) -> bool:
    """Say whether the generator sends arrivals on time at this rate.

    One slice is not enough: a late slice may have been held up by something else, and
    the arrivals of a punctual slice may happen to lie far apart. The choice matters:
    all launches use this rate, and a launch whose slices are mostly late is discarded.
    """
    late, seconds = 0, blocks.slice_seconds(TRIAL_SECONDS, rate)
    for seed in range(TRIAL_SLICES):
        if deadline.passed:
            break
        measured = generator.open(variant, rate, seconds, seed, drain=deadline.drain)
        check_answers(topic, measured)
        row = slices.row(measured, 0, 0, rate, 0)
        if disturbance.lacks_users(row):
            generator.grow(min(max_users, measured.peak))
        elif disturbance.sent_late(row):
            late += 1
            if late == MAX_LATE_SLICES:
                return False
        elif measured.generator_cpu < IDLE_SHARE * measured.duration:
            return True
    return True
