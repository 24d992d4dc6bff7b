"""The data types of thresholds and waivers, and of the gate's decisions.

The gate decides whether a comparison with the verdict *slower* makes the command fail.
"""

import re
from datetime import date
from typing import Literal

from assay.data import Data

SUITE = "benchmarks"  # the topic of the user's own benchmarks in `assay compare`
GateVerdict = Literal["passes", "fails", "waived"]


class Threshold(Data):
    """An entry of `[[tool.assay.gates]]`: how much slower something may be.

    The only wildcards of a pattern are ``*`` and ``?``. Brackets are literal, because
    the names of parametrised tests have them.

    Attributes:
        topic: A pattern of topics.
        test: A pattern of node ids; ``*`` also matches a service, which has none.
        metric: A pattern of metrics.
        at_most: The largest slow-down that passes, as a fraction.
        where: The file and line of the entry.
    """

    topic: str = "*"
    test: str = "*"
    metric: str = "*"
    at_most: float
    where: str = ""

    @property
    def patterns(self) -> tuple[str, str, str]:
        """The patterns of test, topic and metric, in the order of precedence."""
        return self.test, self.topic, self.metric


class Waiver(Data):
    """Something that may be slower for a while.

    Attributes:
        topic: The exact name of a topic; empty for any topic.
        test: The exact node id of a benchmark; empty for a service.
        metric: The exact name of a metric.
        ceiling: How many times as slow it may be.
        reason: Why it may be slower.
        until: The last day on which the waiver counts.
        where: The file and line of the entry; empty if it is not written yet.
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
        """The node id of the benchmark, or the name of the service's topic."""
        return self.test or self.topic


class Gating(Data):
    """Everything that decides whether a slower comparison fails the gate.

    Attributes:
        day: The day of the run, which decides whether a waiver has expired; None if no
            waiver expires.
        undecided: Whether an undecided comparison fails the gate, too.
        whole: Whether the run measures everything. If the user chose a part, a pattern
            that matches nothing may be about another part.
    """

    thresholds: tuple[Threshold, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    day: date | None = None
    undecided: Literal["fail", "pass"] = "fail"
    whole: bool = True


class Gate(Data):
    """The gate's decision on one slower comparison.

    Attributes:
        test: The node id of a benchmark; empty for a service.
        reason: Why the gate decided so; empty if the comparison fails because neither a
            threshold nor a waiver applies to it.
        until: The last day of the waiver; None if the comparison is not waived.
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
    """Say whether a text matches a pattern; its only wildcards are ``*`` and ``?``."""
    wild = {"*": ".*", "?": "."}
    parts = (wild.get(part) or re.escape(part) for part in re.split(r"([*?])", pattern))
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None
