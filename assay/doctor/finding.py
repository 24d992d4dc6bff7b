"""Findings about this machine: the rows of `assay doctor`."""

from dataclasses import dataclass
from typing import Literal

State = Literal["good", "poor", "bad"]


@dataclass(frozen=True)
class Finding:
    """The answer to one question about this machine.

    Attributes:
        name: What was examined.
        state: ``good``; ``poor`` if intervals get wider or a part is missing; ``bad``
            if results are worthless or impossible.
        what: What was found, in a sentence.
        advice: What to do about it; empty if the state is good.
        value: The number that determines the state, if there is one.
        unit: The unit of `value`: ``share``, ``s``, ``B`` or ``cores``.
    """

    name: str
    state: State
    what: str
    advice: str = ""
    value: float | None = None
    unit: str = ""


def judged(value: float, poor: float, bad: float) -> State:
    """Return the state of a number, where lower is better.

    Args:
        value: The number.
        poor: From this limit on, the state is ``poor``.
        bad: From this limit on, the state is ``bad``.
    """
    return "good" if value < poor else "poor" if value < bad else "bad"
