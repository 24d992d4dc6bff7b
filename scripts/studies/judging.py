"""Stores the launches of the verdict study; judges them by Assay's and rival rules."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from assay.analysis import measurements, statistics
from assay.analysis.statistics import Floats
from assay.experiment import launch
from assay.metrics import DECIDING_METRICS, METRICS
from assay.plan import Plan, Scenario, Settings, Target, Topic, Variant
from assay.results import Verdict
from assay.run_directory import rows
from assay.run_directory.run import RunDirectory
from scripts.studies import rivals
from scripts.studies.outcomes import ANY, ASSAY, IDENTICAL, MARGIN_RULE, Outcome

TOPIC = "arms"
SETTINGS = Settings()
TIGHT_MARGIN = 0.03
# Launches that each rival rule gets for one comparison.
RIVAL_LAUNCHES = 18
Pair = tuple[str, str]


@dataclass(frozen=True)
class Stream:
    """The launches of one pair of arms, in order.

    Attributes:
        launches: The launches' numbers.
        ratios: Log ratios of each deciding metric, one for each launch.
        spans: The lowest and the highest value that each log ratio can have; shape
            (2, launches).
    """

    noise: str
    effect: str
    pair: Pair
    launches: tuple[int, ...]
    ratios: Mapping[str, Floats]
    spans: Mapping[str, Floats]


def open_or_create_run(output: Path, noise: str) -> RunDirectory:
    """Return the run directory for the launches of a condition; make it if needed."""
    path = output / noise
    if (path / "plan.json").exists():
        return RunDirectory.open(path)
    topic = Topic(
        name=TOPIC,
        title=f"Identical and slower arms, {noise}",
        file=Path("claims.toml"),
        target=Target(cwd=Path(".")),
        scenario=Scenario(),
        variants=(Variant(name="a0"), Variant(name="a1")),
    )
    return RunDirectory.create(path, Plan(topics=(topic,)), {})


def append_launch(run: RunDirectory, measured: launch.Launch, seconds: float) -> int:
    """Append a launch to a run and return its number.

    If the launch was too disturbed to count, its values are not stored.
    """
    slices = run.slices()
    number = 1 if slices.empty else int(slices["launch"].max()) + 1
    values = rows.values(
        TOPIC, number, {("", "seconds"): (seconds, False), **measured.values}
    )
    samples = rows.samples(number, measured.samples, 0.0)
    run.append_launch(
        TOPIC,
        number,
        rows.slices(TOPIC, number, measured.slices),
        values if measured.counts else [],
        samples,
    )
    return number


def streams(
    run: RunDirectory, noise: str, pairs: Sequence[tuple[str, Pair]]
) -> Iterator[Stream]:
    """Yield the launches of each pair of arms; `pairs` also names the effect."""
    measured = measurements.Measurements(run.slices(), run.launches())
    for effect, pair in pairs:
        keys = {metric: (measured, TOPIC, *pair, metric) for metric in DECIDING_METRICS}
        numbers = {m: measurements.by_launch(*key)[0] for m, key in keys.items()}
        # Keep only launches that have a log ratio of every metric.
        common = sorted(set.intersection(*(set(n) for n in numbers.values())))
        masks = {m: np.isin(n, common) for m, n in numbers.items()}
        yield Stream(
            noise,
            effect,
            pair,
            tuple(int(number) for number in common),
            {m: measurements.log_ratios(*key)[masks[m]] for m, key in keys.items()},
            {m: measurements.log_spans(*key)[:, masks[m]] for m, key in keys.items()},
        )


def judge(stream: Stream, margin: float, metrics: Sequence[str]) -> list[Outcome]:
    """Judge a stream as `assay run` does, one comparison after the other.

    Each comparison begins where the previous comparison has ended. Launches at the end
    that are too few for a verdict are not judged.

    Args:
        stream: The launches of a pair.
        margin: The largest change that is too small to matter, as a fraction.
        metrics: The metrics that decide; the error rate is divided by their number.

    Returns:
        For each comparison, its overall outcome (`ANY`) and an outcome of each metric.
    """
    looks = SETTINGS.looks
    alpha = (1 - SETTINGS.confidence) / len(metrics)
    level = statistics.pocock_level(looks, alpha)
    outcomes: list[Outcome] = []
    start = 0
    while start + looks[0] <= len(stream.launches):
        for look in looks:
            if start + look > len(stream.launches):
                return outcomes
            spans = {m: stream.spans[m][:, start : start + look] for m in metrics}
            verdicts = {
                m: _verdict(stream.ratios[m][start : start + look], x, level, margin, m)
                for m, x in spans.items()
            }
            if "undecided" not in verdicts.values() or look == looks[-1]:
                break
        outcomes += _outcomes(stream, start, spans, verdicts, level)
        start += look
    return outcomes


def overall_verdict(verdicts: Sequence[str]) -> Verdict:
    """Return the verdict of a comparison as a whole, from those of its metrics."""
    if "slower" in verdicts and "faster" not in verdicts:
        return "slower"
    if "faster" in verdicts and "slower" not in verdicts:
        return "faster"
    return "same" if set(verdicts) == {"same"} else "undecided"


def _verdict(
    x: Floats, spans: Floats, level: float, margin: float, metric: str
) -> Verdict:
    word = statistics.comparison_verdict(
        statistics.signed_rank_interval(spans, level),
        statistics.hodges_lehmann(x),
        margin,
        METRICS[metric].higher_is_better,
    )
    return cast(Verdict, word)


def _outcomes(
    stream: Stream,
    start: int,
    spans_of: Mapping[str, Floats],
    verdicts: Mapping[str, Verdict],
    level: float,
) -> Iterator[Outcome]:
    look = next(iter(spans_of.values())).shape[1]
    different = [v for v in verdicts.values() if v in ("faster", "slower")]
    word = overall_verdict(list(verdicts.values()))
    if stream.effect == IDENTICAL and different:
        # If the code is identical, one false metric makes the comparison false.
        word = different[0]
    yield Outcome(stream.noise, stream.effect, ASSAY, ANY, word, look)
    for metric, spans in spans_of.items():
        x = stream.ratios[metric][start : start + look]
        interval = statistics.signed_rank_interval(spans, level)
        assert interval is not None
        truth = _true_log_ratio(stream, metric, start, look)
        yield Outcome(
            stream.noise,
            stream.effect,
            ASSAY,
            metric,
            verdicts[metric],
            look,
            ratio=math.exp(statistics.hodges_lehmann(x)),
            low=math.exp(interval[0]),
            high=math.exp(interval[1]),
            true_ratio=math.exp(truth),
            covered=bool(interval[0] <= truth <= interval[1]),
        )


def _true_log_ratio(stream: Stream, metric: str, start: int, look: int) -> float:
    """Return the log ratio that the comparison should find.

    For identical code, this is 0. Otherwise it is the estimate from all other launches
    of the stream; they are many more than those of one comparison.
    """
    if stream.effect == IDENTICAL:
        return 0.0
    x = stream.ratios[metric]
    others = np.concatenate([x[:start], x[start + look :]])
    return statistics.hodges_lehmann(others if len(others) else x)


def judge_with_tight_margin(
    stream: Stream, seconds_per_launch: float | None
) -> list[Outcome]:
    """Judge CPU per request alone, with a margin of 3 %."""
    return [
        Outcome(
            outcome.noise,
            outcome.effect,
            MARGIN_RULE,
            outcome.metric,
            outcome.verdict,
            outcome.launches,
            seconds=(
                None
                if seconds_per_launch is None
                else outcome.launches * seconds_per_launch
            ),
        )
        for outcome in judge(stream, TIGHT_MARGIN, ["cpu_per_request"])
        if outcome.metric == "cpu_per_request"
    ]


def judge_by_rivals(run: RunDirectory, stream: Stream) -> Iterator[Outcome]:
    """Judge the same launches by the rival rules, on closed-loop response times.

    Each rule gets 18 launches for a comparison. A rule that compares two runs gets the
    baseline of the first launch and the candidate of the second.
    """
    for start in range(0, len(stream.launches) - RIVAL_LAUNCHES + 1, RIVAL_LAUNCHES):
        numbers = stream.launches[start : start + RIVAL_LAUNCHES]
        sides = [
            [_times(run, number, arm) for number in numbers] for arm in stream.pair
        ]
        baseline, candidate = sides
        two_runs = baseline[0].times, candidate[1].times
        requests = [np.concatenate([t.times for t in side]) for side in sides]
        means = [np.array([t.times.mean() for t in side]) for side in sides]
        slices = [np.concatenate([t.slices for t in side]) for side in sides]
        verdicts: dict[str, Verdict] = {
            "threshold of 5 % on two runs": rivals.threshold(*two_runs),
            "Welch's t-test on launches": rivals.welch(means[0], means[1]),
            "Mann–Whitney on requests": rivals.mann_whitney(requests[0], requests[1]),
            "tachometer's rule on slices": rivals.tachometer(slices[0], slices[1])[0],
            "compare-fail=median:5% on two runs": rivals.benchmark_compare(*two_runs),
        }
        for rule, word in verdicts.items():
            yield Outcome(stream.noise, stream.effect, rule, ANY, word, RIVAL_LAUNCHES)


@dataclass(frozen=True)
class Times:
    """Closed-loop response times of an arm in a launch, in seconds.

    Attributes:
        times: The time of every request.
        slices: The mean of each slice.
    """

    times: Floats
    slices: Floats


def _times(run: RunDirectory, number: int, arm: str) -> Times:
    frame = pd.read_parquet(
        run.path / "samples" / f"{TOPIC}-{number:03d}.parquet",
        columns=["block", "variant", "mode", "start", "end", "failed"],
    )
    answered = frame[
        (frame["variant"] == arm) & (frame["mode"] == "closed") & ~frame["failed"]
    ]
    times = answered["end"] - answered["start"]
    return Times(
        times.to_numpy(dtype=float),
        times.groupby(answered["block"]).mean().to_numpy(dtype=float),
    )


def pairs_to_measure(
    run: RunDirectory,
    noise: str,
    identical: Sequence[Pair],
    slower: Mapping[str, Pair],
    comparisons: Mapping[str, int],
) -> list[Pair]:
    """Return the pairs of arms that still need launches.

    Args:
        run: The launches so far.
        noise: The condition of these launches.
        identical: Pairs of identical arms.
        slower: For each effect, its pair.
        comparisons: For each effect, including `IDENTICAL`, the number of comparisons
            that it needs.
    """
    pairs = [(IDENTICAL, pair) for pair in identical] + list(slower.items())
    counts = dict.fromkeys(comparisons, 0)
    for stream in streams(run, noise, pairs):
        outcomes = judge(stream, SETTINGS.margin, DECIDING_METRICS)
        counts[stream.effect] += sum(1 for o in outcomes if o.metric == ANY)
    return [pair for effect, pair in pairs if counts[effect] < comparisons[effect]]


def all_outcomes(
    output: Path,
    noise: str,
    identical: Sequence[Pair],
    slower: Mapping[str, Pair],
    runs: Sequence[Outcome],
) -> list[Outcome]:
    """Judge all launches and runs of a condition.

    Args:
        output: The study's folder.
        noise: The condition.
        identical: Pairs of identical arms.
        slower: For each effect, its pair.
        runs: Outcomes of whole runs of the command. They replace Assay's overall
            outcomes of the same effect, because the time of these runs was measured.
    """
    if not (output / noise / "plan.json").exists():
        return list(runs)
    run = RunDirectory.open(output / noise)
    launch_seconds = _seconds_per_launch(runs, ASSAY)
    effects_with_runs = {outcome.effect for outcome in runs if outcome.rule == ASSAY}
    outcomes = list(runs)
    pairs = [(IDENTICAL, pair) for pair in identical] + list(slower.items())
    for stream in streams(run, noise, pairs):
        for outcome in judge(stream, SETTINGS.margin, DECIDING_METRICS):
            if outcome.metric != ANY:
                outcomes.append(outcome)
            elif outcome.effect not in effects_with_runs:
                seconds = (
                    None
                    if launch_seconds is None
                    else outcome.launches * launch_seconds
                )
                outcomes.append(replace(outcome, seconds=seconds))
        if stream.effect == IDENTICAL:
            outcomes += judge_with_tight_margin(
                stream, _seconds_per_launch(runs, MARGIN_RULE)
            )
        outcomes += judge_by_rivals(run, stream)
    return outcomes


def _seconds_per_launch(runs: Sequence[Outcome], rule: str) -> float | None:
    """Return the median of time / launches over whole runs, in seconds."""
    seconds = [o.seconds / o.launches for o in runs if o.rule == rule and o.seconds]
    return float(np.median(seconds)) if seconds else None
