"""Find out by a trial how small a change this machine can detect in a minute.

The trial is a small A/A experiment: a few launches of two identical variants of the
reference server. Their spread gives the smallest change that a run of one minute, or of
the default time budget, would most likely detect (`assay.analysis.power`).
"""

import math
import os
import secrets
import shlex
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from assay import wording
from assay.analysis import measurements, power
from assay.analysis.statistics import pocock_level
from assay.doctor.finding import Finding, State, judged
from assay.errors import AssayError
from assay.experiment.progress import Lines
from assay.metrics import DECIDING_METRICS
from assay.plan import Load, Plan, Scenario, Settings, Target, Topic, Variant

LAUNCHES = 6
MAX_SECONDS = 22.0  # the time budget of the trial
# The lengths, in seconds, of the runs for which the smallest change is given.
SHORT_RUN_SECONDS = 60.0
LONG_RUN_SECONDS = Settings().time_budget
# One slice in ten can be repeated without harm. If half of all slices are disturbed,
# repeating them does not help.
DISTURBED_POOR = 0.1
DISTURBED_BAD = 0.5
QUIET_ADVICE = "stop other processes, or use a dedicated machine"
MAX_ERROR_LENGTH = 300  # characters
FAILURE_ADVICE = "see the error; `assay doctor --quick` skips the trial"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Trial:
    """The result of the A/A trial.

    Attributes:
        spreads: The spread of the launches' log ratios, by metric. A metric that could
            not be measured is missing.
        launches: The number of launches that count.
        started: The number of launches that count or were too disturbed to count.
        seconds: Seconds that it takes to get one launch that counts, including its
            start; None if too few launches were timed.
        disturbed: The share of slices that were disturbed.
    """

    spreads: Mapping[str, float]
    launches: int
    started: int
    seconds: float | None
    disturbed: float


class _LaunchesOnly(Lines):
    """Reports only which launch begins."""

    def __init__(self, plan: Plan, say: Say) -> None:
        super().__init__(plan, Console(quiet=True))
        self._announce = say

    def launch(self, number: int) -> None:
        self._announce(f"running the A/A trial: launch {number}")


def reference_topic() -> Topic:
    """Return a topic with two identical variants of the reference server."""
    folder = Path(__file__).parent / "reference"
    # -I: nothing is imported from the working directory or from PYTHONPATH.
    command = [sys.executable, "-I", str(folder / "server.py")]
    return Topic(
        name="reference",
        title="A server against itself",
        file=folder / "claims.toml",
        target=Target(command=f"{shlex.join(command)} {{port}}", cwd=folder),
        scenario=Scenario(
            locustfile=folder / "locustfile.py", load=Load(connections=8)
        ),
        variants=(Variant(name="first"), Variant(name="second")),
    )


def run_trial(folder: Path, say: Say = lambda words: None) -> Trial:
    """Run the trial.

    Args:
        folder: Where the run directory of the trial is created.
        say: Called with a text when a launch begins.

    Raises:
        AssayError: The trial failed.
        OSError: The files of the trial could not be written.
    """
    from assay.experiment.run import measure
    from assay.run_directory.run import RunDirectory

    settings = Settings(
        looks=(LAUNCHES,),
        time_budget=MAX_SECONDS,
        seed=secrets.randbelow(2**32),
        profile=False,
    )
    plan = Plan(topics=(reference_topic(),), settings=settings)
    run = RunDirectory.create(folder / "run", plan, {})
    measure(plan, run, _LaunchesOnly(plan, say))
    measured = measurements.Measurements(run.slices(), run.launches())
    return summarise(measured, plan.topics[0])


def summarise(measured: measurements.Measurements, topic: Topic) -> Trial:
    """Return the result of the trial from the tables of its run."""
    ((baseline, candidate),) = topic.pairs()
    spreads = {}
    for metric in DECIDING_METRICS:
        log_ratios = measurements.log_ratios(
            measured, topic.name, baseline, candidate, metric
        )
        sd = power.spread(log_ratios)
        if sd is not None:
            spreads[metric] = sd
    uncounted, started = measurements.uncounted_launches(measured, topic.name)
    slices = measured.slices
    return Trial(
        spreads,
        launches=started - uncounted,
        started=started,
        seconds=measurements.seconds_per_launch(measured, topic.name),
        disturbed=1.0 if slices.empty else float(slices["disturbed"].mean()),
    )


def examine_resolution(
    folder: Path, steady: bool, say: Say = lambda words: None
) -> list[Finding]:
    """Run the trial and judge which changes this machine can detect.

    If the trial fails or there is only one core, that is a finding, too.

    Args:
        folder: Where the trial writes its files.
        steady: Whether this machine's speed was found to be steady.
        say: Called with a text when a launch begins.
    """
    pinnable = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if pinnable else os.cpu_count() or 1
    if cores < 2:
        return [
            Finding(
                "A/A trial",
                "bad",
                "not tried: a target and its load need a core each",
                "use a machine, or a CPU set, of 2 cores or more",
            )
        ]
    try:
        trial = run_trial(folder, say)
    except (AssayError, OSError) as error:
        message = textwrap.shorten(str(error), MAX_ERROR_LENGTH)
        failure = f"it failed: {message}"
        return [Finding("A/A trial", "bad", failure, FAILURE_ADVICE)]
    return judge(trial, steady)


def judge(trial: Trial, steady: bool) -> list[Finding]:
    """Judge what the trial means for runs on this machine."""
    if trial.seconds is None or trial.launches < power.MIN_LAUNCHES:
        uncounted = trial.started - trial.launches
        what = (
            f"{uncounted} of {trial.started} launches were too disturbed to count "
            f"({100 * trial.disturbed:.0f} % of their slices)"
            if uncounted
            else f"only {trial.launches} launches in {MAX_SECONDS:g} s"
        )
        return [
            Finding("A/A trial", "bad", what, QUIET_ADVICE, trial.disturbed, "share")
        ]
    state = judged(trial.disturbed, DISTURBED_POOR, DISTURBED_BAD)
    first = Finding(
        "A/A trial",
        state,
        f"{trial.launches} launches of {trial.seconds:.1f} s, "
        f"{100 * trial.disturbed:.0f} % of their slices disturbed",
        "" if state == "good" else QUIET_ADVICE,
        trial.disturbed,
        "share",
    )
    return [
        first,
        *(_judge_metric(trial, metric, steady) for metric in DECIDING_METRICS),
    ]


def _judge_metric(trial: Trial, metric: str, steady: bool) -> Finding:
    """Judge the smallest change of a metric that a run can detect.

    The state is *good* if a run of one minute can detect a change as small as the
    margin. It is *poor* if a run of the default time budget can. Otherwise it is *bad*:
    a comparison most likely ends undecided.
    """
    sd, seconds = trial.spreads.get(metric), trial.seconds
    if sd is None or seconds is None:
        return Finding(
            metric,
            "bad",
            "it could not be measured here",
            "see the other findings; claims about it will stay undecided",
        )
    defaults = Settings()
    margin = defaults.margin
    short = _smallest_change(sd, seconds, SHORT_RUN_SECONDS)
    long = _smallest_change(sd, seconds, LONG_RUN_SECONDS)
    # If the first look comes after the end of a run, that run detects nothing.
    state: State = "bad"
    if short.change <= margin and short.seconds <= SHORT_RUN_SECONDS:
        state = "good"
    elif long.change <= margin and long.seconds <= LONG_RUN_SECONDS:
        state = "poor"
    advice = ""
    if state != "good":
        needed = power.launches_needed(
            sd, math.log1p(margin), defaults.looks, _level(defaults.looks)
        )
        assert needed is not None  # the margin is not 0
        advice = (
            f"{100 * margin:g} % takes {needed} launches, "
            f"{wording.duration(needed * seconds)}: {_remedy(trial, steady, state)}"
        )
    return Finding(
        metric,
        state,
        f"a run detects a change of {short}, {long}",
        advice,
        short.change,
        "share",
    )


@dataclass(frozen=True)
class _SmallestChange:
    """The smallest change that a measurement detects.

    Attributes:
        change: The change, as a fraction.
        seconds: The length of the measurement.
    """

    change: float
    seconds: float

    def __str__(self) -> str:
        """Return the change and the length as text for a sentence."""
        percent = max(100 * self.change, 0.1)  # six launches give no more precision
        return f"{percent:.1f} % in {wording.duration(self.seconds)}"


def _smallest_change(sd: float, per_launch: float, seconds: float) -> _SmallestChange:
    """Return the smallest change that the last look within a run detects.

    If even the first look comes after the end of the run, the function returns the
    change that the first look detects.

    Args:
        sd: The spread of the launches' log ratios.
        per_launch: Seconds of one launch.
        seconds: The length of the run.
    """
    looks = Settings().looks
    fitting = [look for look in looks if look * per_launch <= seconds]
    launches = fitting[-1] if fitting else looks[0]
    log_change = power.smallest_detectable_effect(sd, launches, _level(looks))
    assert log_change is not None  # every look has enough launches for an interval
    return _SmallestChange(math.expm1(log_change), max(seconds, launches * per_launch))


def _level(looks: Sequence[int]) -> float:
    """Return the level of one look at a comparison without claims."""
    alpha = (1 - Settings().confidence) / len(DECIDING_METRICS)
    return pocock_level(tuple(looks), alpha)


def _remedy(trial: Trial, steady: bool, state: State) -> str:
    """Return advice on how a run can detect the margin."""
    if trial.disturbed >= DISTURBED_POOR:
        return "stop other processes"
    if not steady:
        return "a dedicated machine is steadier"
    return "allow that time" if state == "poor" else "use a wider --margin"
