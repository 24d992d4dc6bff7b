"""How small a difference this machine can find in a minute: tried, not guessed.

A miniature A/A experiment with the real machinery: two identical variants of the
reference server, a few launches, and from their spread the least change that a
run of one minute, or of five, would most likely find (`assay.analysis.power`).
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
MOST_SECONDS = 22.0  # after which nothing more is measured
SHORT, LONG = 60.0, Settings().time_budget  # seconds of measuring
# One slice in ten is repeated without harm; where half are, repeating them does
# not make up for it.
DISTURBED_POOR, DISTURBED_BAD = 0.1, 0.5
ADVICE = "stop what else runs here, or use a machine of your own"
MOST_TOLD = 300  # characters of an error
FAILED = "see what it says; `assay doctor --quick` leaves this out"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Trial:
    """What a miniature A/A experiment showed.

    Attributes:
        spreads: Metric to the spread of its launches' log ratios; a metric that
            could not be measured is missing.
        launches: How many launches count.
        begun: How many there were, with those too disturbed to count.
        seconds: From one launch to the next; None where too few tell.
        disturbed: Share of the slices that something disturbed.
    """

    spreads: Mapping[str, float]
    launches: int
    begun: int
    seconds: float | None
    disturbed: float


class _Brief(Lines):
    """Says which launch begins, and nothing else."""

    def __init__(self, plan: Plan, say: Say) -> None:
        super().__init__(plan, Console(quiet=True))
        self._tell = say

    def launch(self, number: int) -> None:
        self._tell(f"trying out how small a difference shows: launch {number}")


def topic() -> Topic:
    """Return the topic of two identical variants of the reference server."""
    folder = Path(__file__).parent / "reference"
    # -I: what lies in the working directory or PYTHONPATH has no say in it.
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


def try_out(folder: Path, say: Say = lambda words: None) -> Trial:
    """Run the experiment.

    Args:
        folder: Takes its run directory.
        say: Takes what happens, between launches.

    Raises:
        AssayError: It could not be measured.
        OSError: It could not be written.
    """
    from assay.experiment.run import measure
    from assay.run_directory.run import RunDirectory

    settings = Settings(
        looks=(LAUNCHES,),
        time_budget=MOST_SECONDS,
        seed=secrets.randbelow(2**32),
        profile=False,
    )
    plan = Plan(topics=(topic(),), settings=settings)
    run = RunDirectory.create(folder / "run", plan, {})
    measure(plan, run, _Brief(plan, say))
    return read(measurements.Measurements(run.slices(), run.launches()), plan.topics[0])


def read(measured: measurements.Measurements, of: Topic) -> Trial:
    """Read from its tables what the experiment showed."""
    ((baseline, candidate),) = of.pairs()
    spreads = {}
    for metric in DECIDING_METRICS:
        x = measurements.log_ratios(measured, of.name, baseline, candidate, metric)
        sd = power.spread(x)
        if sd is not None:
            spreads[metric] = sd
    uncounted, begun = measurements.uncounted(measured, of.name)
    slices = measured.slices
    return Trial(
        spreads,
        launches=begun - uncounted,
        begun=begun,
        seconds=measurements.seconds_per_launch(measured, of.name),
        disturbed=1.0 if slices.empty else float(slices["disturbed"].mean()),
    )


def examine_resolution(
    folder: Path, steady: bool, say: Say = lambda words: None
) -> list[Finding]:
    """Try out what differences can be found here; what cannot be is a finding.

    Args:
        folder: Takes the experiment's files.
        steady: Whether this machine's speed was found to be.
        say: Takes what happens, between launches.
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
        trial = try_out(folder, say)
    except (AssayError, OSError) as error:
        told = textwrap.shorten(str(error), MOST_TOLD)
        return [Finding("A/A trial", "bad", f"it failed: {told}", FAILED)]
    return judge(trial, steady)


def judge(trial: Trial, steady: bool) -> list[Finding]:
    """Say what the experiment means for runs on this machine."""
    if trial.seconds is None or trial.launches < power.FEWEST:
        lost = trial.begun - trial.launches
        what = (
            f"{lost} of {trial.begun} launches were too disturbed to count "
            f"({100 * trial.disturbed:.0f} % of their slices)"
            if lost
            else f"no more than {trial.launches} launches in {MOST_SECONDS:g} s"
        )
        return [Finding("A/A trial", "bad", what, ADVICE, trial.disturbed, "share")]
    state = judged(trial.disturbed, DISTURBED_POOR, DISTURBED_BAD)
    first = Finding(
        "A/A trial",
        state,
        f"{trial.launches} launches of {trial.seconds:.1f} s, "
        f"{100 * trial.disturbed:.0f} % of their slices disturbed",
        "" if state == "good" else ADVICE,
        trial.disturbed,
        "share",
    )
    return [first, *(_judge(trial, metric, steady) for metric in DECIDING_METRICS)]


def _judge(trial: Trial, metric: str, steady: bool) -> Finding:
    """Judge the least change of a metric that a run finds.

    By the margin, a change that matters: *good* if a run of a minute finds it,
    *poor* if one of the default time budget does. Beyond that a comparison most
    likely ends undecided, whatever is true.
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
    short, long = _found(sd, seconds, SHORT), _found(sd, seconds, LONG)
    # A first look that takes longer than a minute is no better for being early.
    state: State = (
        "good"
        if short.change <= margin and short.seconds <= SHORT
        else "poor" if long.change <= margin and long.seconds <= LONG else "bad"
    )
    advice = ""
    if state != "good":
        needed = power.launches_needed(
            sd, math.log1p(margin), defaults.looks, _level(defaults.looks)
        )
        assert needed is not None  # a margin is not 0
        advice = (
            f"{100 * margin:g} % takes {needed} launches, "
            f"{wording.duration(needed * seconds)}: {_remedy(trial, steady, state)}"
        )
    return Finding(
        metric,
        state,
        f"a run finds a change of {short}, {long}",
        advice,
        short.change,
        "share",
    )


@dataclass(frozen=True)
class _Found:
    """The least change, as a share, that so many seconds of measuring find."""

    change: float
    seconds: float

    def __str__(self) -> str:
        """Return it as people say it."""
        percent = max(100 * self.change, 0.1)  # six launches tell no more digits
        return f"{percent:.1f} % in {wording.duration(self.seconds)}"


def _found(sd: float, per_launch: float, seconds: float) -> _Found:
    """Return what is found by the last look that fits into some seconds."""
    looks = Settings().looks
    fitting = [look for look in looks if look * per_launch <= seconds]
    launches = fitting[-1] if fitting else looks[0]
    least = power.resolvable(sd, launches, _level(looks))
    assert least is not None  # looks begin where there is an interval
    return _Found(math.expm1(least), max(seconds, launches * per_launch))


def _level(looks: Sequence[int]) -> float:
    """Return the level of one look of a comparison without claims."""
    alpha = (1 - Settings().confidence) / len(DECIDING_METRICS)
    return pocock_level(tuple(looks), alpha)


def _remedy(trial: Trial, steady: bool, state: State) -> str:
    """Return what would help, by what stands in the way."""
    if trial.disturbed >= DISTURBED_POOR:
        return "stop what else runs here"
    if not steady:
        return "a machine of your own wanders less"
    return "allow that time" if state == "poor" else "judge by a wider --margin"
