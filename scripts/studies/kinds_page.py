"""From runs on identical code of many kinds of services to a page: kinds.md."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from assay.analysis import power
from assay.plan import Settings
from assay.report.markdown import escape
from assay.wording import percent
from scripts.studies.kinds_known import KINDS, LOG_IN, Kind
from scripts.studies.pages import Target, answer, headed, target_table

METRICS = ("cpu_per_request", "throughput", "service.p50", "latency.p50")
SOON = Settings().looks[1]  # launches of the second look
LEAST_SOON = 0.9
MOST_SECONDS = 70.0
LOG_IN_LAUNCH, LOG_IN_SECONDS = 10.0, 180.0
FALSE = ("faster", "slower")


@dataclass(frozen=True)
class Found:
    """What one whole run said of identical code.

    Attributes:
        verdict: Of the pair; empty where it could not be measured.
        reason: Why, in Assay's words.
        launches: How many it rests on.
        seconds: Of the command, wall clock.
        launch_seconds: Median of its launches; None if unknown.
        comparisons: Each metric's ratio, interval and verdict.
        ratios: Metric to the log ratios of its launches.
    """

    kind: str
    seed: int
    verdict: str
    reason: str
    launches: int
    seconds: float
    launch_seconds: float | None = None
    comparisons: Sequence[Mapping[str, object]] = ()
    ratios: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def false(self) -> bool:
        """Say whether anything was called different."""
        words = [self.verdict, *(c["verdict"] for c in self.comparisons)]
        return any(word in FALSE for word in words)

    @property
    def soon(self) -> bool:
        """Say whether it was called the same at the first or the second look."""
        return self.verdict == "same" and self.launches <= SOON


def of_kind(found: Sequence[Found], kind: Kind) -> list[Found]:
    """Return the runs of a kind."""
    return [one for one in found if one.kind == kind.name]


def targets(found: Sequence[Found], runs: int) -> list[Target]:
    """Judge Assay by every target.

    Args:
        found: All runs.
        runs: How many of each kind were wanted.
    """
    judged = []
    for kind in KINDS:
        own = of_kind(found, kind)
        soon = sum(one.soon for one in own)
        judged.append(
            Target(
                f"{kind.name}: *same* after at most {SOON} launches",
                f"at least {percent(LEAST_SOON)}",
                f"{soon} of {len(own)}",
                soon >= LEAST_SOON * len(own) if own else None,
            )
        )
    eight = [one for kind in KINDS for one in of_kind(found, kind)]
    false, total = sum(one.false for one in eight), runs * len(KINDS)
    judged.append(
        Target(
            "false verdicts of all kinds",
            f"none of {total}",
            f"{false} of {len(eight)}",
            # Fewer runs than wanted can show that it is missed, but not that it is met.
            False if false else (True if len(eight) >= total else None),
        )
    )
    seconds = _median(one.seconds for one in eight)
    judged.append(
        Target(
            "median time of a run",
            f"at most {MOST_SECONDS:g} s",
            _seconds(seconds),
            None if seconds is None else seconds <= MOST_SECONDS,
        )
    )
    return judged + _of_log_in(of_kind(found, LOG_IN))


def _of_log_in(own: Sequence[Found]) -> list[Target]:
    launch = _median(one.launch_seconds for one in own)
    soon = sum(one.verdict == "same" and one.seconds <= LOG_IN_SECONDS for one in own)
    return [
        Target(
            f"{LOG_IN.name}: median time of a launch",
            f"at most {LOG_IN_LAUNCH:g} s",
            _seconds(launch),
            None if launch is None else launch <= LOG_IN_LAUNCH,
        ),
        Target(
            f"{LOG_IN.name}: *same* within {LOG_IN_SECONDS:g} s",
            "every run",
            f"{soon} of {len(own)}",
            soon == len(own) if own else None,
        ),
    ]


def verdicts(found: Sequence[Found]) -> str:
    """Return the table of what was said of each kind."""
    rows = []
    for kind in (*KINDS, LOG_IN):
        if not (own := of_kind(found, kind)):
            continue
        words = [one.verdict for one in own]
        rows.append(
            [
                *(kind.name, kind.says, _load(kind)),
                f"{sum(one.soon for one in own)} of {len(own)}",
                str(words.count("same")),
                str(sum(one.false for one in own)),
                str(words.count("undecided")),
                str(words.count("")),
                _seconds(_median(one.seconds for one in own)),
                _number(_median(one.launches for one in own)),
                _seconds(_median(one.launch_seconds for one in own)),
            ]
        )
    head = ["kind", "what it does", "load", f"*same* by {SOON} launches", "*same*"]
    head += [
        "false",
        "undecided",
        "not measured",
        "median time",
        "launches",
        "a launch",
    ]
    return headed(head, rows)


def spreads(found: Sequence[Found]) -> str:
    """Return the table of what the launches' log ratios scatter by."""
    rows = []
    for kind in (*KINDS, LOG_IN):
        if not (own := of_kind(found, kind)):
            continue
        cells = [
            spread(x for one in own for x in one.ratios.get(m, ())) for m in METRICS
        ]
        rows.append([kind.name, *cells])
    return headed(["kind", *(f"`{metric}`" for metric in METRICS)], rows)


def spread(ratios: Iterable[float]) -> str:
    """Return the spread of log ratios as a cell, without outliers."""
    sd = power.spread(np.array(list(ratios), dtype=float))
    return "–" if sd is None else f"{100 * sd:.2f} %"


def not_same(found: Sequence[Found]) -> str:
    """Return the table of the runs that were not soon called the same."""
    rows = [
        [
            *(one.kind, str(one.seed), one.verdict or "not measured"),
            *(str(one.launches), _seconds(one.seconds), escape(one.reason[:300])),
        ]
        for one in found
        if not one.soon
    ]
    return headed(["kind", "seed", "verdict", "launches", "time", "why"], rows)


def page(found: Sequence[Found], runs: int, machines: Sequence[str]) -> str:
    """Return the page.

    Args:
        found: Of as many kinds as were measured, none at all included.
        runs: How many of each kind were wanted.
        machines: What measured it.
    """
    judged = targets(found, runs)
    parts = [
        "# Identical code of many kinds of services",
        answer(judged),
        target_table(judged),
        "## What Assay said",
        "Whole runs of `assay run` with two identical variants and default settings, "
        "without profiles, in rounds over all kinds. A run is false if it, or one of "
        "its deciding metrics, is called *faster* or *slower*. The time is that of the "
        "command, from beginning to end.",
        verdicts(found),
        "## What the launches' log ratios scatter by",
        "Without outliers, over the launches of all runs: what a verdict has to see "
        "through.",
        spreads(found),
        f"## Runs not called *same* by {SOON} launches",
        "None." if found and all(one.soon for one in found) else not_same(found),
        "## How to repeat it",
        f"Measured on {' and '.join(machines) or 'a machine not noted'}.",
        "```console\n$ ./scripts/study_kinds --page\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _load(kind: Kind) -> str:
    users = "default" if kind.users is None else f"{kind.users} users"
    return f"{users}, `{kind.client}`"


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
