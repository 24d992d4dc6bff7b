"""The small language of claims and budgets: `<= 0.30`, `faster`, `50ms`, `0.1%`."""

import math
import re

from assay.metrics import METRICS, higher_is_better
from assay.plan import Expectation

WORDS = ("faster", "slower", "same", "not slower")
# Multipliers into a metric's own unit, by that unit.
UNITS = {
    "s": {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0},
    "B": {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20},
    "": {"%": 0.01, "": 1.0},
    "/s": {"/s": 1.0},
}
_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"


def parse(text: str, metric: str, margin: float = 0.05) -> Expectation:
    """Return what an expectation says of the ratio candidate / baseline.

    Args:
        text: ``<= X``, ``>= X``, ``faster``, ``slower``, ``same`` or
            ``not slower``.
        metric: Decides which direction is faster.
        margin: The change that is too small to matter, as a share.

    Raises:
        ValueError: It is none of these; the message says what was expected.
    """
    written = " ".join(text.split())
    small = math.log1p(margin)
    if written == "same":
        return Expectation(text=text, low=-small, high=small)
    if written in WORDS:
        bound = small if written == "not slower" else 0.0
        lower = written != "slower"
        if higher_is_better(metric):
            lower, bound = not lower, -bound
        if lower:
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


def quantity(text: str, metric: str) -> float:
    """Return a limit such as ``50ms`` in the metric's own unit.

    Raises:
        ValueError: It cannot be understood; the message says what was expected.
    """
    return amount(text, METRICS[metric].unit if metric in METRICS else "")


def amount(text: str, unit: str) -> float:
    """Return an amount such as ``50ms`` in a unit: s, B, /s, or none for a share.

    Raises:
        ValueError: It cannot be understood; the message says what was expected.
    """
    units = UNITS[unit]
    match = re.fullmatch(rf"{_NUMBER}\s*(\D*)", text.strip())
    if not match or match[2].strip() not in units:
        written = ", ".join(f"'50{name}'" for name in units)
        raise ValueError(f"cannot understand {text!r}; expected a limit like {written}")
    return float(match[1]) * units[match[2].strip()]
