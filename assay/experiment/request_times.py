"""The time that each request of a load takes by itself, in one launch.

In a load, requests wait for each other, so the time of one of them mostly shows the
others. Here a single user sends one after the other, in the same mixture. The lower
quartile of the times of a request leaves out those that something disturbed.
"""

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from assay.experiment.deadlines import Deadline
from assay.experiment.slices import LOAD_REQUEST, Floats, given_up
from assay.experiment.target import RunningTarget
from assay.load.answers import Slice
from assay.load.control.generator import Generator
from assay.load.protocol import request_label
from assay.load.recorder import OTHER
from assay.plan import AA_SUFFIX
from assay.run_directory.rows import RequestRow

BLOCKS = 5  # slices of every variant in a launch, so that variants alternate
ANSWERS = 20  # so many answers to each request are enough for a launch,
SHORTEST, LONGEST = 0.2, 3.0  # if they take seconds within these limits
LOWER_QUARTILE = 0.25
TRIALS, TRIAL_SECONDS = 3, 0.15  # to find out how often each request is answered
SENT_ALONE = 0.8  # share of answers to one request if it is sent alone


def try_alone(generator: Generator, names: Sequence[str], deadline: Deadline) -> float:
    """Return the seconds in which a variant answers each request often enough."""
    trials: list[Slice] = []
    for seed in range(TRIALS):  # a user of another class each
        for name in names:
            if not deadline.passed and not name.endswith(AA_SUFFIX):
                trials.append(
                    generator.alone(name, TRIAL_SECONDS, seed, deadline.drain)
                )
    return seconds_needed(trials) if trials else SHORTEST


def seconds_needed(trials: Sequence[Slice]) -> float:
    """Return the seconds in which a variant answers each request often enough.

    Args:
        trials: Short trials of the variants, with one user.
    """
    rate = sum(trial.requests for trial in trials) / sum(
        trial.duration for trial in trials
    )
    seen = _seen(trials)
    if not rate or not seen:
        return LONGEST
    # By chance, a short trial has few of a request that is not rare.
    rarest = min(count + math.sqrt(count) for count in seen.values())
    wanted = ANSWERS * seen.total() / rarest / rate
    return min(max(wanted, SHORTEST), LONGEST)


def measure(
    generator: Generator,
    running: Mapping[str, RunningTarget],
    seconds: float,
    rng: random.Random,
    deadline: Deadline,
) -> list[RequestRow]:
    """Measure the time of each request, on warm servers.

    Args:
        generator: The generator, with the servers attached.
        running: The server of each variant, by name.
        seconds: How long each variant is measured.
        rng: Draws orders and tasks.
        deadline: No further slice begins after it.
    """
    names = [name for name in running if not name.endswith(AA_SUFFIX)]
    whole: list[Slice] = []
    first = rng.getrandbits(32)
    for seed in range(first, first + BLOCKS):
        block: list[Slice] = []
        for name in rng.sample(names, len(names)):
            if deadline.passed:
                return request_rows(whole)
            measured = generator.alone(name, seconds / BLOCKS, seed, deadline.drain)
            running[name].check_alive()
            if given_up(measured.request_columns).any():
                running[name].settle(deadline.drain)  # its work must not disturb others
            block.append(measured)
        whole += block
    return request_rows(whole)


def is_alone(measured: Slice, request: str) -> bool:
    """Say whether nearly all answers of a slice are to one request."""
    seen = _seen([measured])
    return seen[request] >= SENT_ALONE * max(measured.requests, 1) > 0


def request_rows(measured: Iterable[Slice]) -> list[RequestRow]:
    """Return the lower quartile of the times of each request, by variant.

    Failed requests do not count.
    """
    times: dict[tuple[str, str], list[Floats]] = {}
    for one in measured:
        columns = one.request_columns
        for label, chosen in _by_label(one):
            seconds = columns["end"][chosen] - columns["start"][chosen]
            times.setdefault((label, one.variant), []).append(seconds)
    return [
        RequestRow(
            request=request,
            variant=variant,
            seconds=float(np.quantile(np.concatenate(arrays), LOWER_QUARTILE)),
            answers=sum(map(len, arrays)),
        )
        for (request, variant), arrays in times.items()
    ]


def _seen(measured: Iterable[Slice]) -> Counter[str]:
    """Return how often each request was answered."""
    seen: Counter[str] = Counter()
    for one in measured:
        for label, chosen in _by_label(one):
            seen[label] += int(chosen.sum())
    return seen


def _by_label(measured: Slice) -> Iterable[tuple[str, np.ndarray]]:
    """Yield each request of the load itself, and which rows are answers to it."""
    columns = measured.request_columns
    succeeded = columns["failed"] == 0
    for index in np.unique(columns["name"][succeeded]):
        name = measured.names[index]
        if name[0] == LOAD_REQUEST and OTHER not in name:
            yield request_label(name), succeeded & (columns["name"] == index)
