"""What an examination of this machine finds: the rows of `assay doctor`."""

from dataclasses import dataclass
from typing import Literal

State = Literal["good", "poor", "bad"]


@dataclass(frozen=True)
class Finding:
    """The answer to one question about this machine.

    Attributes:
        name: What was examined.
        state: ``good``; ``poor`` widens intervals or leaves a part out; ``bad``
            makes results worthless or impossible.
        what: What was found, in a sentence.
        advice: What to do about it; empty where all is well.
        value: The number that the state rests on, where there is one.
        unit: Of `value`: ``share``, ``s``, ``B`` or ``cores``.
    """

    name: str
    state: State
    what: str
    advice: str = ""
    value: float | None = None
    unit: str = ""


def judged(value: float, poor: float, bad: float) -> State:
    """Return the state of a number; lower is better, `poor` and `bad` are limits."""
    return "good" if value < poor else "poor" if value < bad else "bad"
