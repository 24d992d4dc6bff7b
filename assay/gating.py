"""What may be slower without failing a gate, and what the gate said. Frozen types."""

import re
from datetime import date
from typing import Literal

from assay.data import Data

SUITE = "benchmarks"  # the topic of the user's own benchmarks in `assay compare`
GateVerdict = Literal["passes", "fails", "waived"]


class Threshold(Data):
    """An entry of `[tool.assay.gates]`: how much slower something may be.

    Attributes:
        topic: A pattern of topics; ``*`` and ``?`` are its only wildcards, because
            the name of a parametrised test has brackets.
        test: A pattern of node ids; ``*`` also stands for a service, which has none.
        metric: A pattern of metrics.
        at_most: The slow-down that passes, as a share.
        where: The file and line of the entry.
    """

    topic: str = "*"
    test: str = "*"
    metric: str = "*"
    at_most: float
    where: str = ""

    @property
    def patterns(self) -> tuple[str, str, str]:
        """The three patterns, the one that weighs most first."""
        return self.test, self.topic, self.metric


class Waiver(Data):
    """Something that may be slower for a while.

    Attributes:
        topic: The exact name of a topic; any topic if it is empty.
        test: The exact node id of a benchmark; empty for a service.
        metric: The exact name of a metric.
        ceiling: How many times as slow it may be.
        reason: Why.
        until: The last day on which it counts.
        where: The file and line of the entry.
    """

    topic: str = ""
    test: str = ""
    metric: str
    ceiling: float
    reason: str
    until: date
    where: str = ""

    @property
    def subject(self) -> str:
        """What is waived, as people name it."""
        return self.test or self.topic


class Gating(Data):
    """All that decides whether something slower fails the gate.

    Attributes:
        day: The day of the run, on which waivers count or have expired.
        undecided: Whether what is undecided fails, too.
        whole: Whether the run measures everything. If the user chose a part, patterns
            may be about the rest.
    """

    thresholds: tuple[Threshold, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    day: date | None = None
    undecided: Literal["fail", "pass"] = "fail"
    whole: bool = True


class Gate(Data):
    """What the gate says about one comparison that is slower.

    Attributes:
        test: The node id of a benchmark; empty for a service.
        reason: Why; empty if it fails because nothing allows it to be slower.
        until: The last day of the waiver, if it is waived.
    """

    topic: str
    test: str = ""
    baseline: str
    candidate: str
    metric: str
    verdict: GateVerdict
    reason: str = ""
    until: date | None = None


def matches(pattern: str, text: str) -> bool:
    """Say whether a text is of a pattern, whose only wildcards are ``*`` and ``?``."""
    wild = {"*": ".*", "?": "."}
    parts = (wild.get(part) or re.escape(part) for part in re.split(r"([*?])", pattern))
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None
