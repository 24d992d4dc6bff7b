"""The launches of the verdict study: kept, and judged by Assay's rule and others."""

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
from scripts.studies.outcomes import ANY, ASSAY, MARGIN_RULE, Outcome

TOPIC = "arms"
SETTINGS = Settings()
TIGHT_MARGIN = 0.03
# Launches that each of today's rules gets for one comparison.
RIVAL_LAUNCHES = 18
Pair = tuple[str, str]


@dataclass(frozen=True)
class Stream:
    """The launches of one pair of arms, in order.

    Attributes:
        launches: The launches' numbers.
        ratios: Log ratios of each deciding metric, one for each launch.
        spans: The least and the greatest that these can be; shape (2, launches).
    """

    noise: str
    effect: str
    pair: Pair
    launches: tuple[int, ...]
    ratios: Mapping[str, Floats]
    spans: Mapping[str, Floats]


def directory(output: Path, noise: str) -> RunDirectory:
    """Return the directory of a condition's launches; make it the first time."""
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


def append(run: RunDirectory, measured: launch.Launch, seconds: float) -> int:
    """Keep a launch and return its number."""
    before = run.slices()
    number = 1 if before.empty else int(before["launch"].max()) + 1
    known = {("", "seconds"): (seconds, False), **measured.values}
    values = rows.values(TOPIC, number, known)
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
    """Yield what is known of each (effect, pair)."""
    measured = measurements.Measurements(run.slices(), run.launches())
    for effect, pair in pairs:
        where = {
            metric: (measured, TOPIC, *pair, metric) for metric in DECIDING_METRICS
        }
        numbers = {m: measurements.by_launch(*key)[0] for m, key in where.items()}
        both = sorted(set.intersection(*(set(found) for found in numbers.values())))
        kept = {m: np.isin(found, both) for m, found in numbers.items()}
        yield Stream(
            noise,
            effect,
            pair,
            tuple(int(number) for number in both),
            {m: measurements.log_ratios(*key)[kept[m]] for m, key in where.items()},
            {m: measurements.log_spans(*key)[:, kept[m]] for m, key in where.items()},
        )


def judged(stream: Stream, margin: float, metrics: Sequence[str]) -> list[Outcome]:
    """Judge a stream as `assay run` does: one comparison after the other.

    Each begins where the one before has ended. What is left at the end, too short
    to be decided, is no comparison.
    """
    looks = SETTINGS.looks
    alpha = (1 - SETTINGS.confidence) / len(metrics)
    level = statistics.pocock_level(looks, alpha)
    found: list[Outcome] = []
    start = 0
    while start + looks[0] <= len(stream.launches):
        for look in looks:
            if start + look > len(stream.launches):
                return found
            part = {m: stream.spans[m][:, start : start + look] for m in metrics}
            verdicts = {
                m: _verdict(stream.ratios[m][start : start + look], x, level, margin, m)
                for m, x in part.items()
            }
            if "undecided" not in verdicts.values() or look == looks[-1]:
                break
        found += _outcomes(stream, start, part, verdicts, level)
        start += look
    return found


def together(words: Sequence[str]) -> Verdict:
    """Return the verdict of a comparison as a whole, from its metrics' words."""
    if "slower" in words and "faster" not in words:
        return "slower"
    if "faster" in words and "slower" not in words:
        return "faster"
    return "same" if set(words) == {"same"} else "undecided"


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
    part: Mapping[str, Floats],
    verdicts: Mapping[str, Verdict],
    level: float,
) -> Iterator[Outcome]:
    look = next(iter(part.values())).shape[1]
    false = [v for v in verdicts.values() if v in ("faster", "slower")]
    whole = together(list(verdicts.values()))
    # Of identical code one false metric is a false verdict, whatever the others say.
    word = false[0] if stream.effect == "A/A" and false else whole
    yield Outcome(stream.noise, stream.effect, ASSAY, ANY, word, look)
    for metric, spans in part.items():
        x = stream.ratios[metric][start : start + look]
        interval = statistics.signed_rank_interval(spans, level)
        assert interval is not None
        truth = _truth(stream, metric, start, look)
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


def _truth(stream: Stream, metric: str, start: int, look: int) -> float:
    """Return the log ratio that is known from elsewhere.

    For identical code it is 0. Otherwise it is what all other launches of the
    stream say, which are many times as many as one comparison has.
    """
    if stream.effect == "A/A":
        return 0.0
    x = stream.ratios[metric]
    others = np.concatenate([x[:start], x[start + look :]])
    return statistics.hodges_lehmann(others if len(others) else x)


def tight(stream: Stream, seconds_per_launch: float | None) -> list[Outcome]:
    """Judge CPU per request alone, with a margin of 3 %."""
    found = judged(stream, TIGHT_MARGIN, ["cpu_per_request"])
    return [
        Outcome(
            item.noise,
            item.effect,
            MARGIN_RULE,
            item.metric,
            item.verdict,
            item.launches,
            seconds=(
                None
                if seconds_per_launch is None
                else item.launches * seconds_per_launch
            ),
        )
        for item in found
        if item.metric == "cpu_per_request"
    ]


def by_rivals(run: RunDirectory, stream: Stream) -> Iterator[Outcome]:
    """Judge the same launches by today's rules, on closed-loop response times.

    Each gets 18 launches for a comparison, and of those what it would use: two
    consecutive ones where it compares two runs.
    """
    for start in range(0, len(stream.launches) - RIVAL_LAUNCHES + 1, RIVAL_LAUNCHES):
        numbers = stream.launches[start : start + RIVAL_LAUNCHES]
        sides = [
            [_times(run, number, arm) for number in numbers] for arm in stream.pair
        ]
        base, other = sides
        runs = base[0].times, other[1].times
        every = [np.concatenate([one.times for one in side]) for side in sides]
        means = [np.array([one.times.mean() for one in side]) for side in sides]
        slices = [np.concatenate([one.slices for one in side]) for side in sides]
        words: dict[str, Verdict] = {
            "threshold of 5 % on two runs": rivals.threshold(*runs),
            "Welch's t-test on launches": rivals.welch(means[0], means[1]),
            "Mann–Whitney on requests": rivals.mann_whitney(every[0], every[1]),
            "tachometer's rule on slices": rivals.tachometer(slices[0], slices[1])[0],
            "compare-fail=median:5% on two runs": rivals.benchmark_compare(*runs),
        }
        for rule, word in words.items():
            yield Outcome(stream.noise, stream.effect, rule, ANY, word, RIVAL_LAUNCHES)


@dataclass(frozen=True)
class Times:
    """Closed-loop response times of an arm in a launch, in seconds.

    Attributes:
        times: Of every request.
        slices: The mean of each slice.
    """

    times: Floats
    slices: Floats


def _times(run: RunDirectory, number: int, arm: str) -> Times:
    frame = pd.read_parquet(
        run.path / "samples" / f"{TOPIC}-{number:03d}.parquet",
        columns=["block", "variant", "mode", "start", "end", "failed"],
    )
    own = frame[
        (frame["variant"] == arm) & (frame["mode"] == "closed") & ~frame["failed"]
    ]
    took = own["end"] - own["start"]
    return Times(
        took.to_numpy(dtype=float),
        took.groupby(own["block"]).mean().to_numpy(dtype=float),
    )


def missing(
    run: RunDirectory,
    noise: str,
    identical: Sequence[Pair],
    slower: Mapping[str, Pair],
    wanted: Mapping[str, int],
) -> list[Pair]:
    """Return the pairs of arms that still need launches.

    Args:
        run: The launches so far.
        noise: Their condition.
        identical: Pairs of identical arms.
        slower: Effect to its pair.
        wanted: Effect (`A/A` too) to the number of comparisons wanted.
    """
    pairs = [("A/A", pair) for pair in identical] + list(slower.items())
    counts = dict.fromkeys(wanted, 0)
    for stream in streams(run, noise, pairs):
        found = judged(stream, SETTINGS.margin, DECIDING_METRICS)
        counts[stream.effect] += sum(1 for item in found if item.metric == ANY)
    return [pair for effect, pair in pairs if counts[effect] < wanted[effect]]


def all_outcomes(
    output: Path,
    noise: str,
    identical: Sequence[Pair],
    slower: Mapping[str, Pair],
    runs: Sequence[Outcome],
) -> list[Outcome]:
    """Judge everything that is known of a condition.

    Args:
        output: The study's folder.
        noise: The condition.
        identical: Pairs of identical arms.
        slower: Effect to its pair.
        runs: Outcomes of whole runs. They replace what the arms' launches say of
            the whole comparison of their effect, because they know its time.
    """
    if not (output / noise / "plan.json").exists():
        return list(runs)
    run = RunDirectory.open(output / noise)
    each = _seconds_per_launch(runs, ASSAY)
    whole = {item.effect for item in runs if item.rule == ASSAY}
    found = list(runs)
    pairs = [("A/A", pair) for pair in identical] + list(slower.items())
    for stream in streams(run, noise, pairs):
        for item in judged(stream, SETTINGS.margin, DECIDING_METRICS):
            if item.metric != ANY:
                found.append(item)
            elif item.effect not in whole:
                seconds = None if each is None else item.launches * each
                found.append(replace(item, seconds=seconds))
        if stream.effect == "A/A":
            found += tight(stream, _seconds_per_launch(runs, MARGIN_RULE))
        found += by_rivals(run, stream)
    return found


def _seconds_per_launch(runs: Sequence[Outcome], rule: str) -> float | None:
    """Return what a launch took in whole runs of a rule, start and end included."""
    own = [o.seconds / o.launches for o in runs if o.rule == rule and o.seconds]
    return float(np.median(own)) if own else None
