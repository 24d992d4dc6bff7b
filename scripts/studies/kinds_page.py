"""The page of the study of kinds: kinds.md, from runs on identical code."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from assay.analysis import power
from assay.plan import Settings
from assay.report.markdown import escape
from assay.wording import percent
from scripts.studies.kinds_topics import KINDS, LOG_IN, Kind
from scripts.studies.pages import Goal, goal_summary, goal_table, markdown_table

METRICS = ("cpu_per_request", "throughput", "service.p50", "latency.p50")
SECOND_LOOK = Settings().looks[1]  # launches
MIN_EARLY_SAME = 0.9  # share of runs that are *same* by the second look
MAX_SECONDS = 70.0
MAX_LOG_IN_LAUNCH_SECONDS = 10.0
MAX_LOG_IN_SECONDS = 180.0
DIFFERENT = ("faster", "slower")


@dataclass(frozen=True)
class KindRun:
    """The result of one whole run on identical code.

    Attributes:
        verdict: The verdict on the pair; empty if it could not be measured.
        reason: The reason for the verdict, or why there is none.
        launches: How many launches the verdict rests on.
        seconds: Wall-clock time of the command.
        launch_seconds: Median time of its launches; None if unknown.
        comparisons: Each metric's ratio, interval and verdict.
        ratios: For each metric, the log ratios of the launches.
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
        """Say whether the pair or a metric was called *faster* or *slower*."""
        words = [self.verdict, *(c["verdict"] for c in self.comparisons)]
        return any(word in DIFFERENT for word in words)

    @property
    def early_same(self) -> bool:
        """Say whether the pair was called *same* at the first or the second look."""
        return self.verdict == "same" and self.launches <= SECOND_LOOK


def of_kind(runs: Sequence[KindRun], kind: Kind) -> list[KindRun]:
    """Return the runs of a kind."""
    return [run for run in runs if run.kind == kind.name]


def goals(runs: Sequence[KindRun], runs_per_kind: int) -> list[Goal]:
    """Judge Assay by every goal.

    Args:
        runs: All runs.
        runs_per_kind: How many runs each kind should have.
    """
    judged = [_early_same_goal(of_kind(runs, kind), kind) for kind in KINDS]
    eight = [run for kind in KINDS for run in of_kind(runs, kind)]
    false, total = sum(run.false for run in eight), runs_per_kind * len(KINDS)
    judged.append(
        Goal(
            "false verdicts of all kinds",
            f"none of {total}",
            f"{false} of {len(eight)}",
            # Too few runs can show that the goal is missed, but not that it is met.
            False if false else (True if len(eight) >= total else None),
        )
    )
    seconds = _median(run.seconds for run in eight)
    judged.append(
        Goal(
            "median time of a run",
            f"at most {MAX_SECONDS:g} s",
            _seconds(seconds),
            None if seconds is None else seconds <= MAX_SECONDS,
        )
    )
    return judged + _log_in_goals(of_kind(runs, LOG_IN))


def _early_same_goal(runs: Sequence[KindRun], kind: Kind) -> Goal:
    early = sum(run.early_same for run in runs)
    return Goal(
        f"{kind.name}: *same* after at most {SECOND_LOOK} launches",
        f"at least {percent(MIN_EARLY_SAME)}",
        f"{early} of {len(runs)}",
        early >= MIN_EARLY_SAME * len(runs) if runs else None,
    )


def _log_in_goals(runs: Sequence[KindRun]) -> list[Goal]:
    launch_seconds = _median(run.launch_seconds for run in runs)
    same_in_time = sum(
        run.verdict == "same" and run.seconds <= MAX_LOG_IN_SECONDS for run in runs
    )
    return [
        Goal(
            f"{LOG_IN.name}: median time of a launch",
            f"at most {MAX_LOG_IN_LAUNCH_SECONDS:g} s",
            _seconds(launch_seconds),
            (
                None
                if launch_seconds is None
                else launch_seconds <= MAX_LOG_IN_LAUNCH_SECONDS
            ),
        ),
        Goal(
            f"{LOG_IN.name}: *same* within {MAX_LOG_IN_SECONDS:g} s",
            "every run",
            f"{same_in_time} of {len(runs)}",
            same_in_time == len(runs) if runs else None,
        ),
    ]


def verdicts(runs: Sequence[KindRun]) -> str:
    """Return the table of the verdicts on each kind."""
    rows = []
    for kind in (*KINDS, LOG_IN):
        if not (kind_runs := of_kind(runs, kind)):
            continue
        words = [run.verdict for run in kind_runs]
        early = sum(run.early_same for run in kind_runs)
        rows.append(
            [
                *(kind.name, kind.says, _load(kind)),
                f"{early} of {len(kind_runs)}",
                str(words.count("same")),
                str(sum(run.false for run in kind_runs)),
                str(words.count("undecided")),
                str(words.count("")),
                _seconds(_median(run.seconds for run in kind_runs)),
                _number(_median(run.launches for run in kind_runs)),
                _seconds(_median(run.launch_seconds for run in kind_runs)),
            ]
        )
    header = ["kind", "what it does", "load", f"*same* by {SECOND_LOOK} launches"]
    header += [
        "*same*",
        "false",
        "undecided",
        "not measured",
        "median time",
        "launches",
        "a launch",
    ]
    return markdown_table(header, rows)


def spreads(runs: Sequence[KindRun]) -> str:
    """Return the table of the spread of the launches' log ratios."""
    rows = []
    for kind in (*KINDS, LOG_IN):
        if not (kind_runs := of_kind(runs, kind)):
            continue
        cells = [
            spread_cell(x for run in kind_runs for x in run.ratios.get(metric, ()))
            for metric in METRICS
        ]
        rows.append([kind.name, *cells])
    return markdown_table(["kind", *(f"`{metric}`" for metric in METRICS)], rows)


def spread_cell(ratios: Iterable[float]) -> str:
    """Return the robust standard deviation of log ratios in percent, as a cell."""
    sd = power.spread(np.array(list(ratios), dtype=float))
    return "–" if sd is None else f"{100 * sd:.2f} %"


def not_early_same(runs: Sequence[KindRun]) -> str:
    """Return the table of the runs that were not called *same* by the second look."""
    rows = [
        [
            *(run.kind, str(run.seed), run.verdict or "not measured"),
            *(str(run.launches), _seconds(run.seconds), escape(run.reason[:300])),
        ]
        for run in runs
        if not run.early_same
    ]
    return markdown_table(
        ["kind", "seed", "verdict", "launches", "time", "reason"], rows
    )


def page(runs: Sequence[KindRun], runs_per_kind: int, machines: Sequence[str]) -> str:
    """Return the page.

    Args:
        runs: The runs of all measured kinds; there may be none.
        runs_per_kind: How many runs each kind should have.
        machines: The machines that measured.
    """
    judged = goals(runs, runs_per_kind)
    all_early = bool(runs) and all(run.early_same for run in runs)
    parts = [
        "# Identical code of many kinds of services",
        goal_summary(judged),
        goal_table(judged),
        "## Assay's verdicts",
        "Whole runs of `assay run` with two identical variants and default settings, "
        "without profiles, in rounds over all kinds. A run is false if its pair or one "
        "of its deciding metrics is called *faster* or *slower*. The time is that of "
        "the whole command.",
        verdicts(runs),
        "## Spread of the launches' log ratios",
        "The standard deviation without outliers, over the launches of all runs. It is "
        "the noise that a verdict has to overcome.",
        spreads(runs),
        f"## Runs not called *same* by {SECOND_LOOK} launches",
        "None." if all_early else not_early_same(runs),
        "## How to repeat it",
        f"Measured on {' and '.join(machines) or 'an unknown machine'}.",
        "```console\n$ ./scripts/study_kinds --page\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _load(kind: Kind) -> str:
    users = "default" if kind.users is None else f"{kind.users} users"
    return f"{users}, `{kind.client}`"


def _median(values: Iterable[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return statistics.median(numbers) if numbers else None


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
