"""Parses the expectations of claims and limits: `<= 0.30`, `faster`, `50ms`, `0.1%`."""

import math
import re

from assay.metrics import METRICS, higher_is_better
from assay.plan import Expectation

WORDS = ("faster", "slower", "same", "not slower")
# For each unit of metrics: the units that a user may write, with their factors.
UNITS = {
    "s": {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0},
    "B": {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20},
    "": {"%": 0.01, "": 1.0},
    "/s": {"/s": 1.0},
}
_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"


def parse(text: str, metric: str, margin: float = 0.05) -> Expectation:
    """Parse an expectation about the ratio candidate / baseline.

    Args:
        text: ``<= X``, ``>= X``, ``faster``, ``slower``, ``same`` or
            ``not slower``.
        metric: The metric, which determines the direction that is faster.
        margin: The largest change that is too small to matter, as a fraction.

    Raises:
        ValueError: The text cannot be parsed; the message says what was expected.
    """
    written = " ".join(text.split())
    log_margin = math.log1p(margin)
    if written == "same":
        return Expectation(text=text, low=-log_margin, high=log_margin)
    if written in WORDS:
        bound = log_margin if written == "not slower" else 0.0
        is_upper_bound = written != "slower"
        if higher_is_better(metric):
            is_upper_bound, bound = not is_upper_bound, -bound
        if is_upper_bound:
            return Expectation(text=text, high=bound)
        return Expectation(text=text, low=bound)
    match = re.fullmatch(rf"(<=|>=)\s*{_NUMBER}", written)
    if not match or float(match[2]) <= 0:
        raise ValueError(
            f"cannot understand {text!r}; expected '<= 0.5', '>= 2', "
            f"{', '.join(WORDS[:-1])} or {WORDS[-1]} (candidate / baseline)"
        )
    bound = math.log(float(match[2]))
    if match[1] == "<=":
        return Expectation(text=text, high=bound)
    return Expectation(text=text, low=bound)


def metric_limit(text: str, metric: str) -> float:
    """Parse a limit such as ``50ms``, and return it in the metric's unit.

    The limit on an unknown metric is parsed as a share, such as ``0.1`` or ``10%``.

    Raises:
        ValueError: The text cannot be parsed; the message says what was expected.
    """
    return amount_in_unit(text, METRICS[metric].unit if metric in METRICS else "")


def amount_in_unit(text: str, unit: str) -> float:
    """Parse an amount such as ``50ms``, and return it in a unit.

    Args:
        text: The amount with its unit.
        unit: A key of `UNITS`: ``s``, ``B``, ``/s``, or empty for a share.

    Raises:
        ValueError: The text cannot be parsed; the message says what was expected.
    """
    units = UNITS[unit]
    match = re.fullmatch(rf"{_NUMBER}\s*(\D*)", text.strip())
    if not match or match[2].strip() not in units:
        forms = ", ".join(f"'50{name}'" for name in units)
        raise ValueError(f"cannot understand {text!r}; expected a limit like {forms}")
    return float(match[1]) * units[match[2].strip()]
