"""The evidence of one pair of variants: charts, flame graph, changed functions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.analysis.attribution.stacks import (
    Attribution,
    FunctionChange,
    attribute,
    compare_memory,
    from_rounds,
)
from assay.analysis.measurements import latency
from assay.metrics import METRICS
from assay.observations import Round
from assay.report import charts, curves, flamegraph
from assay.results import Profile, Stacks, Timeline
from assay.run_directory.run import RunDirectory
from assay.wording import clean, quantity, signed_quantity, unit_of

if TYPE_CHECKING:
    import pandas as pd

FUNCTIONS_SHOWN = 12
_SAMPLE_COLUMNS = [
    *("launch", "block", "variant", "mode", "scheduled", "waited", "start", "end"),
    "disturbed",
]


@dataclass(frozen=True)
class FunctionRow:
    """One changed function, as text, with the lengths of its two bars in percent."""

    name: str
    baseline: str
    candidate: str
    change: str
    direction: str
    baseline_bar: float
    candidate_bar: float


@dataclass(frozen=True)
class StacksView:
    """The comparison of both sides' stacks, which one preset recorded."""

    preset: str
    basis: str
    attribution: Attribution
    graph: flamegraph.FlameGraph
    functions: tuple[FunctionRow, ...]


@dataclass(frozen=True)
class Measured:
    """The measurements and profiles of one pair.

    Attributes:
        samples: See `usable_samples`.
        launches: The launches of the topic.
        profiles: The profiles of the topic.
        rounds: The rounds of profiling of the pair.
    """

    samples: pd.DataFrame
    launches: pd.DataFrame
    profiles: Sequence[Profile] = ()
    rounds: Sequence[Round] = ()


@dataclass(frozen=True)
class Pictures:
    """The evidence that the page shows for a pair besides its numbers.

    Attributes:
        charts: The charts of percentiles, time, memory and launches, without those that
            have no data.
        memory: Sentences about memory.
        notes: Notes for the reader on how the profiles were taken.
        missing: Why no profiles can be compared; empty if some can.
    """

    charts: tuple[charts.Chart, ...]
    stacks: tuple[StacksView, ...]
    memory: tuple[str, ...]
    notes: tuple[str, ...]
    missing: str


def usable_samples(run: RunDirectory, topic: str) -> pd.DataFrame:
    """Return the undisturbed open-loop requests of a topic, with their latency.

    Latency is in seconds, and NaN if there was no answer: see `measurements.latency`.
    """
    samples = run.samples(topic, columns=_SAMPLE_COLUMNS)
    if samples.empty:
        return samples
    usable = samples[(samples["mode"] == "open") & ~samples["disturbed"].astype(bool)]
    return usable.assign(latency=latency(usable))


def pictures_of_pair(
    pair: tuple[str, str],
    measured: Measured,
    busy_cores: tuple[float, float] | None,
    claimed_metrics: Sequence[str],
    prefix: str,
) -> Pictures:
    """Return all pictures of a pair for which the run has data.

    Args:
        pair: Baseline and candidate.
        measured: The measurements and profiles of the pair.
        busy_cores: How many cores each side kept busy at capacity; None if unknown.
        claimed_metrics: Metrics that claims name. If there are no latencies to draw,
            the first of these metrics with data is drawn launch by launch.
        prefix: Prefix of all ids in the charts, unique on the page.
    """
    drawn = _from_samples(pair, measured.samples)
    if not drawn:
        drawn = _from_launches(pair, measured.launches, claimed_metrics)
    baseline_profiles, candidate_profiles = (
        _profiles_of_side(name, pair, measured.profiles, measured.rounds)
        for name in pair
    )
    stacks, memory, notes = [], [], []
    for preset in sorted(set(baseline_profiles) & set(candidate_profiles)):
        baseline, candidate = baseline_profiles[preset], candidate_profiles[preset]
        if isinstance(baseline, Stacks) and isinstance(candidate, Stacks):
            if baseline.stacks or candidate.stacks:
                stacks.append(_stacks(baseline, candidate, busy_cores))
                notes += _notes(baseline, candidate)
        elif isinstance(baseline, Timeline) and isinstance(candidate, Timeline):
            if baseline.values and candidate.values:
                drawn.append(
                    charts.memory(_curve(baseline), _curve(candidate), baseline.unit)
                )
                # If there are rounds, they show growth better than the timelines do.
                compared = compare_memory(baseline, candidate, not measured.rounds)
                memory.append(compared.sentence)
                notes += _notes(baseline, candidate)
    missing = ""
    if not stacks and not memory:
        missing = _missing({*baseline_profiles, *candidate_profiles})
    drawn = [charts.with_prefix(chart, prefix) for chart in drawn]
    return Pictures(tuple(drawn), tuple(stacks), tuple(memory), tuple(notes), missing)


def _profiles_of_side(
    name: str,
    pair: tuple[str, str],
    profiles: Sequence[Profile],
    rounds: Sequence[Round],
) -> dict[str, Profile]:
    """Return a variant's profiles by preset; rounds of the pair take precedence."""
    of_pair = [item for item in profiles if _pair_of(item) in (None, pair)]
    of_pair.sort(key=lambda item: _pair_of(item) is not None)
    by_preset = {item.preset: item for item in of_pair if item.variant == name}
    sampled = from_rounds([one for one in rounds if one.variant == name])
    if sampled:
        by_preset[sampled.preset] = sampled
    return by_preset


def _missing(presets: Collection[str]) -> str:
    """Return why no profiles can be compared."""
    if not presets:
        return "No profiles were taken, so this run cannot say why."
    names = clean(", ".join(sorted(presets)))
    return f"There are profiles of one side only ({names}), so none can be compared."


def _pair_of(profile: Profile) -> tuple[str, str] | None:
    """Return the pair in whose rounds a profile was taken; None if in none."""
    return profile.pair if isinstance(profile, Timeline) else None


def _notes(baseline: Profile, candidate: Profile) -> list[str]:
    """Return the notes of both profiles, each with its preset and side."""
    shared = [note for note in baseline.notes if note in candidate.notes]
    sides = (("A and B", shared), ("A", baseline.notes), ("B", candidate.notes))
    return [
        f"{baseline.preset}, {side}: {note}"
        for side, notes in sides
        for note in notes
        if side == "A and B" or note not in shared
    ]


def _from_samples(pair: tuple[str, str], samples: pd.DataFrame) -> list[charts.Chart]:
    if samples.empty:
        return []
    sides = [samples[samples["variant"] == name] for name in pair]
    drawn = []
    baseline, candidate = (
        curves.percentile_curve(side["latency"].to_numpy(float)) for side in sides
    )
    if baseline and candidate:
        drawn.append(charts.percentiles(baseline, candidate))
    baseline_timeline, candidate_timeline = (curves.timeline(side) for side in sides)
    if baseline_timeline and candidate_timeline:
        tail = min(baseline_timeline[1], candidate_timeline[1])
        drawn.append(
            charts.over_time(baseline_timeline[0], candidate_timeline[0], tail)
        )
    return drawn


def _from_launches(
    pair: tuple[str, str], launches: pd.DataFrame, claimed_metrics: Sequence[str]
) -> list[charts.Chart]:
    """Draw one metric by launch: a claimed one, or the first that both sides have."""
    if launches.empty:
        return []
    present = set(launches["metric"])
    preferred = [*claimed_metrics, *(name for name in METRICS if name in present)]
    for metric in dict.fromkeys(preferred):
        sides = [
            launches[
                (launches["variant"] == name) & (launches["metric"] == metric)
            ].dropna(subset=["value"])
            for name in pair
        ]
        if all(len(side) >= 2 for side in sides):
            baseline, candidate = (
                curves.Curve(
                    side["launch"].to_numpy(float), side["value"].to_numpy(float)
                )
                for side in sides
            )
            return [
                charts.by_launch(
                    baseline, candidate, clean(str(metric)), unit_of(str(metric))
                )
            ]
    return []


def _curve(profile: Timeline) -> curves.Curve:
    import numpy as np

    return curves.Curve(
        np.asarray(profile.seconds, dtype=float) - profile.seconds[0],
        np.asarray(profile.values, dtype=float),
    )


def _stacks(
    baseline: Stacks, candidate: Stacks, busy_cores: tuple[float, float] | None
) -> StacksView:
    attribution = attribute(baseline, candidate, busy_cores)
    shown = [change for change in attribution.changes if change.significant]
    shown = shown[:FUNCTIONS_SHOWN]
    longest = max((max(c.baseline, c.candidate) for c in shown), default=0.0) or 1.0
    unit = baseline.unit
    return StacksView(
        preset=baseline.preset,
        basis="; ".join(
            f"{side} {quantity(profile.total, unit)} per request over "
            f"{profile.requests:,} requests ({profile.samples:,} samples)"
            for side, profile in (("A", baseline), ("B", candidate))
        ),
        attribution=attribution,
        graph=flamegraph.draw(baseline, candidate),
        functions=tuple(_function(change, longest, unit) for change in shown),
    )


def _function(change: FunctionChange, longest: float, unit: str) -> FunctionRow:
    file = f" ({change.file})" if change.file else ""
    return FunctionRow(
        name=f"{change.function}{file}",
        baseline=quantity(change.baseline, unit) if change.baseline else "0",
        candidate=quantity(change.candidate, unit) if change.candidate else "0",
        change=signed_quantity(change.change, unit),
        direction="more" if change.change > 0 else "less",
        baseline_bar=round(100 * change.baseline / longest, 1),
        candidate_bar=round(100 * change.candidate / longest, 1),
    )
