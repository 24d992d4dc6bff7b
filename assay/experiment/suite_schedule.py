"""Choose the tests of a suite that the next launch measures, and for how long.

At first all tests are measured. Tests that are decided are measured no more. If the
time left is too short for all open tests, the tests that look slowest come first.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.analysis.statistics import Floats

# Seconds of measuring per test and launch, at most and at least. Most noise is slow
# drift of the host. More launches average it out; more rounds in one launch do not.
MAX_SECONDS = 0.2
MIN_SECONDS = 0.005
# Seconds that a test takes besides measuring: its fixtures, calibration, bookkeeping.
SECONDS_BESIDES = 0.01
START_SECONDS = 1.0  # seconds that pytest takes to start, until a launch measures them
ROUNDS, ROUNDS_IN_A_HURRY = 5, 3
# The launches until the next look get this share of the time that is left.
SHARE_UNTIL_LOOK = 0.8
# If no look can be reached, measuring takes this share of the rest of a launch.
SHARE_OF_MEASURING = 0.2
SIDES = 2
FLOOR = 0.005  # log ratio; added to standard errors, since very small ones say nothing


@dataclass(frozen=True)
class Effort:
    """How long a test is measured in one launch.

    Attributes:
        seconds: Seconds of measuring, if the least number of rounds takes no longer.
        rounds: The least number of rounds.
    """

    seconds: float
    rounds: int

    @property
    def options(self) -> list[str]:
        """The options of pytest-benchmark."""
        return [
            f"--benchmark-max-time={self.seconds:.4f}",
            f"--benchmark-min-rounds={self.rounds}",
        ]


def suspicion(x: Floats) -> float:
    """Return how much slower a test seems, in standard errors."""
    if len(x) == 0:
        return 0.0
    error = float(np.std(x)) / math.sqrt(len(x))
    return float(np.median(x)) / (error + FLOOR)


@dataclass(frozen=True)
class Costs:
    """The seconds that a launch takes, all sides together.

    Attributes:
        start: Seconds to start pytest, to import and to collect.
        besides: Seconds that each test takes in addition to its time for measuring: its
            fixtures, and calls that take longer than that time.
    """

    start: float
    besides: Mapping[str, float]

    def of(self, test: str, seconds: float) -> float:
        """Return the seconds that a test takes with `seconds` of measuring per side."""
        return self.besides.get(test, SIDES * SECONDS_BESIDES) + SIDES * seconds


def next_launch(
    ratios: Mapping[str, Floats], looks: Sequence[int], costs: Costs, left: float
) -> tuple[list[str], Effort]:
    """Return the tests of the next launch, and the effort for each.

    If all open tests can reach their next look in time, all are measured, each for as
    long as the time allows. Otherwise the effort is small, and the tests that look
    slowest come first.

    Args:
        ratios: The log ratios so far of each test that is open.
        looks: Numbers of launches after which a test is judged, ascending.
        costs: The seconds that a launch takes.
        left: The seconds that are left.
    """
    missing = {
        test: next(look for look in looks if look > len(x)) - len(x)
        for test, x in ratios.items()
        if len(x) < looks[-1]
    }
    if not missing:
        return [], Effort(MAX_SECONDS, ROUNDS)
    fixed = costs.start * max(missing.values())
    fixed += sum(number * costs.of(test, 0.0) for test, number in missing.items())
    seconds = (SHARE_UNTIL_LOOK * left - fixed) / (SIDES * sum(missing.values()))
    if seconds >= MAX_SECONDS:
        return list(missing), Effort(MAX_SECONDS, ROUNDS)
    if seconds >= MIN_SECONDS:
        return list(missing), Effort(seconds, ROUNDS_IN_A_HURRY)
    ordered = sorted(missing, key=lambda test: -suspicion(ratios[test]))
    chosen = _in_time(ordered, missing, costs, left)
    if chosen:
        return chosen, Effort(MIN_SECONDS, ROUNDS_IN_A_HURRY)
    # No test can reach its next look. Further launches measure all tests that fit.
    chosen = _in_time(ordered, dict.fromkeys(missing, 1), costs, left)
    return chosen, Effort(_seconds_beside(chosen, costs, left), ROUNDS_IN_A_HURRY)


def _seconds_beside(tests: Sequence[str], costs: Costs, left: float) -> float:
    """Return the seconds of measuring per test that make a launch little longer."""
    fixed = costs.start + sum(costs.of(test, 0.0) for test in tests)
    spare = min(SHARE_OF_MEASURING * fixed, left - fixed)
    seconds = spare / max(1, SIDES * len(tests))
    return min(MAX_SECONDS, max(MIN_SECONDS, seconds))


def _in_time(
    tests: Sequence[str], missing: Mapping[str, int], costs: Costs, left: float
) -> list[str]:
    """Return the tests, first to last, whose missing launches fit in the time left."""
    chosen, spent, launches = [], 0.0, 0
    for test in tests:
        total = spent + missing[test] * costs.of(test, MIN_SECONDS)
        most = max(launches, missing[test])
        if total + most * costs.start <= left:
            chosen.append(test)
            spent, launches = total, most
    return chosen
