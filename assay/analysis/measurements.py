"""What the tables of a run say of one metric: numbers and ratios by launch."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from assay.analysis.statistics import Floats
from assay.metrics import BLOCK_COLUMNS, METRICS

if TYPE_CHECKING:
    import pandas as pd

Ratios = tuple[NDArray[np.int64], Floats]

# The share of its core that the generator used in the closed loop of a variant, in the
# first trial of it: the same number in every launch.
GENERATOR = "generator.closed"
# Above it what was counted is what the generator could send, not what the variant could
# serve: whatever it says, the same on both sides says nothing.
BUSY = 0.9
# Where the time of a launch went: value rows without a variant, in seconds.
PARTS = ("starts", "log_ins", "warm_up", "slices", "rest")


@dataclass(frozen=True)
class Measurements:
    """The tables of a run so far: see `RunDirectory.slices` and `launches`.

    Attributes:
        found: Ratios that were asked for before: at a look they are again and again.
        parts: Parts of the tables that were, by topic, or topic and metric.
    """

    slices: pd.DataFrame
    launches: pd.DataFrame
    found: dict[tuple[str, ...], Ratios] = field(default_factory=dict, repr=False)
    parts: dict[tuple[str, ...], pd.DataFrame] = field(default_factory=dict, repr=False)


def latency(columns: Mapping[str, Any] | pd.DataFrame) -> Any:
    """Return the latencies of requests, in seconds; NaN for those without an answer.

    What the target made an arrival wait for a user, and the time from sent to answered:
    what the generator itself was late by is no part of it. Samples of before there was
    the column `waited` tell only when an arrival was due.

    Args:
        columns: Of samples: a table, or arrays by name.
    """
    if "waited" not in columns:
        return columns["end"] - columns["scheduled"]
    return columns["waited"] + (columns["end"] - columns["start"])


def log_ratios(
    measured: Measurements, topic: str, baseline: str, candidate: str, metric: str
) -> Floats:
    """Return log(candidate / baseline), one number for each launch that counts.

    Where one side's number is only a lower bound, the ratio is infinite on that
    side; where both are, the launch says nothing and is left out.
    """
    return by_launch(measured, topic, baseline, candidate, metric)[1]


def by_launch(
    measured: Measurements, topic: str, baseline: str, candidate: str, metric: str
) -> Ratios:
    """Return the numbers of the launches, ascending, and their log ratios."""
    key = topic, baseline, candidate, metric
    if key not in measured.found:
        measured.found[key] = _by_launch(measured, *key)
    return measured.found[key]


def _by_launch(
    measured: Measurements, topic: str, baseline: str, candidate: str, metric: str
) -> Ratios:
    nothing = np.empty(0, dtype=np.int64), np.empty(0)
    if measured.launches.empty:
        return nothing
    column = BLOCK_COLUMNS.get(metric)
    if column in measured.slices:
        blocks = _undisturbed(measured, topic)
        if column not in blocks:
            return nothing
        wide = cast("pd.DataFrame", blocks[column])
        if not {baseline, candidate} <= set(wide.columns):
            return nothing
        ratio = _log_ratio(wide[baseline], wide[candidate])
        found = ratio.groupby("launch").median().dropna()
        if metric == "throughput":  # the others carry their infinities themselves
            pair = baseline, candidate
            found = _open_ended(measured, topic, pair, metric, found)
    else:
        wide = _of_metric(measured, topic, metric).pivot_table(
            index="launch", columns="variant", values="value"
        )
        if not {baseline, candidate} <= set(wide.columns):
            return nothing
        found = _log_ratio(wide[baseline], wide[candidate])
        found = _open_ended(measured, topic, (baseline, candidate), metric, found)
    return found.index.to_numpy(dtype=np.int64), found.to_numpy(dtype=float)


def _undisturbed(measured: Measurements, topic: str) -> pd.DataFrame:
    """Return what the blocks of the launches that count say, a column a variant."""
    if (topic,) not in measured.parts:
        slices = measured.slices
        chosen = slices[
            (slices["topic"] == topic)
            & slices["launch"].isin(counted(measured, topic))
            & ~slices["disturbed"]
        ].set_index(["launch", "mode", "block", "variant"])
        columns = [name for name in BLOCK_COLUMNS.values() if name in chosen]
        measured.parts[(topic,)] = cast("pd.DataFrame", chosen[columns].unstack())
    return measured.parts[(topic,)]


def log_bounds(
    measured: Measurements, topic: str, baseline: str, candidate: str, metric: str
) -> Floats:
    """Return the ratio of the sides' lower bounds where `log_ratios` are infinite.

    The true ratio lies beyond it, on the side of the infinity. The array is as
    long as that of `log_ratios`, and the same where both sides are known. Where a
    launch has no bound, because it held too few requests to pool, the ratio is
    beyond the other infinity: nothing is known of it.
    """
    launches, x = by_launch(measured, topic, baseline, candidate, metric)
    if np.isfinite(x).all():
        return x
    wide = _of_metric(measured, topic, metric).pivot_table(
        index="launch", columns="variant", values="value"
    )
    bounds = np.full(len(x), math.nan)
    if {baseline, candidate} <= set(wide.columns):
        ratios = _log_ratio(wide[baseline], wide[candidate]).reindex(launches)
        bounds = ratios.to_numpy(dtype=float)
    bounds = np.where(np.isnan(bounds), -x, bounds)
    return np.where(np.isfinite(x), x, bounds)


def log_spans(
    measured: Measurements, topic: str, baseline: str, candidate: str, metric: str
) -> Floats:
    """Return the least and the greatest that each launch's log ratio can be.

    Shape (2, launches): the same twice where both sides are known.
    """
    where = measured, topic, baseline, candidate, metric
    x, bounds = log_ratios(*where), log_bounds(*where)
    return np.stack([np.minimum(x, bounds), np.maximum(x, bounds)])


def censored_launches(
    measured: Measurements, topic: str, variant: str, metric: str
) -> set[int]:
    """Return the launches in which a number is only a lower bound.

    Whether the generator is the limit of a variant's throughput is asked of all its
    launches together: one that is nearly the limit would be it now and then by chance,
    and a bound in one launch of twelve leaves the interval open.
    """
    table = _of_metric(measured, topic, metric)
    if "censored" not in table:  # a run of before there was the column
        return set()
    own = table[table["variant"] == variant]
    marked = own["censored"].astype(bool)
    if metric != "throughput":
        return set(own.loc[marked, "launch"])
    return set(own["launch"]) if 2 * marked.sum() > len(own) else set()


def _open_ended(
    measured: Measurements,
    topic: str,
    pair: tuple[str, str],
    metric: str,
    ratios: pd.Series,
) -> pd.Series:
    unknown_a, unknown_b = (
        censored_launches(measured, topic, name, metric) for name in pair
    )
    kept = ratios[[launch not in unknown_a & unknown_b for launch in ratios.index]]
    kept = kept.mask(kept.index.isin(list(unknown_b)), math.inf)
    return kept.mask(kept.index.isin(list(unknown_a)), -math.inf)


def _log_ratio(baseline: pd.Series, candidate: pd.Series) -> pd.Series:
    both = (baseline > 0) & (candidate > 0)
    # Infinite on both sides is not a number, on the baseline's minus infinity.
    with np.errstate(invalid="ignore", divide="ignore"):
        return (candidate[both] / baseline[both]).map(np.log)


def _of_metric(measured: Measurements, topic: str, metric: str) -> pd.DataFrame:
    table = measured.launches
    if table.empty:
        return table
    if (topic, metric) not in measured.parts:
        own = (table["topic"] == topic) & (table["metric"] == metric)
        measured.parts[topic, metric] = table[own]
    return measured.parts[topic, metric]


def numbers(measured: Measurements, topic: str, variant: str, metric: str) -> Floats:
    """Return one number for each launch that counts.

    What a launch says of the machine (`spin`, `seconds`) has no variant: "".
    """
    table = _of_metric(measured, topic, metric)
    if table.empty:
        return np.empty(0)
    return table.loc[table["variant"] == variant, "value"].to_numpy(dtype=float)


def metrics_of(measured: Measurements, topic: str) -> set[str]:
    """Return the metrics that a topic has."""
    table = measured.launches
    if table.empty:
        return set()
    own = table[(table["topic"] == topic) & (table["variant"] != "")]
    return set(own["metric"].unique())


def dropped_blocks(
    measured: Measurements, topic: str, pair: tuple[str, str], metric: str
) -> int:
    """Return how many blocks were left out of a metric, one side being disturbed."""
    slices = measured.slices
    if slices.empty:
        return 0
    chosen = slices[
        (slices["topic"] == topic)
        & slices["mode"].isin(METRICS[metric].slices)
        & slices["disturbed"]
        & slices["variant"].isin(pair)
    ]
    return len(chosen[["launch", "mode", "block"]].drop_duplicates())


def requests_held(measured: Measurements, topic: str, variant: str) -> int:
    """Return how many latencies a typical launch held of one variant.

    Requests that failed have none; those that were given up have a bound.
    """
    slices = measured.slices
    if slices.empty:
        return 0
    own = slices[
        (slices["topic"] == topic)
        & (slices["variant"] == variant)
        & (slices["mode"] == "open")
        & ~slices["disturbed"]
    ]
    if own.empty:
        return 0
    # A run of before there was the column knows only how many requests there were.
    column = "latencies" if "latencies" in own else "requests"
    return int(own.groupby("launch")[column].sum().median())


def seconds_per_launch(measured: Measurements, topic: str) -> float | None:
    """Return the measuring time that a launch which counts takes, start included.

    Those that were too disturbed to count take their time as well. None where
    fewer than three launches tell.
    """
    took = numbers(measured, topic, "", "seconds")
    if len(took) < 3:
        return None
    lost, _ = uncounted(measured, topic)
    return float(np.median(took)) * (1 + lost / len(took))


def mostly(measured: Measurements, topic: str, launches: Collection[int]) -> str:
    """Return what disturbed most slices of some launches, or nothing if nothing did."""
    slices = measured.slices
    own = slices[(slices["topic"] == topic) & slices["launch"].isin(launches)]
    why = own.loc[own["why"].fillna("") != "", "why"]
    return str(why.mode().iloc[0]) if len(why) else ""


def counted(measured: Measurements, topic: str) -> set[int]:
    """Return the launches that count: those that have a number of some variant.

    Where its time went is known of any launch.
    """
    table = measured.launches
    if table.empty:
        return set()
    own = (table["topic"] == topic) & (table["variant"] != "")
    return set(table.loc[own, "launch"])


def uncounted(measured: Measurements, topic: str) -> tuple[int, int]:
    """Return how many launches were too disturbed to count, and all of them.

    One that the end of the time budget cut short says nothing of the machine.
    """
    slices = measured.slices
    if slices.empty:
        return 0, 0
    own = slices[slices["topic"] == topic]
    count = counted(measured, topic)
    if "cut" in own:
        own = own[~own["cut"].fillna(False).astype(bool) | own["launch"].isin(count)]
    every = set(own["launch"])
    return len(every - count), len(every)


def outrun(measured: Measurements, topic: str, variants: Iterable[str]) -> list[str]:
    """Return the variants whose throughput the generator limits, by its first trial.

    Runs of before this was kept have none.
    """
    found = []
    for variant in variants:
        shares = numbers(measured, topic, variant, GENERATOR)
        if len(shares) and shares[0] > BUSY:
            found.append(variant)
    return found


def unanswered(measured: Measurements, topic: str, variant: str) -> tuple[int, int]:
    """Return the arrivals of a variant that nobody answered, and all of them."""
    slices = measured.slices
    if slices.empty:
        return 0, 0
    own = slices[(slices["topic"] == topic) & (slices["variant"] == variant)]
    return int(own["unserved"].sum()), int(own["planned"].sum())


def spent(measured: Measurements, topic: str) -> dict[str, float]:
    """Return the seconds of all launches by what they went to; empty if unknown."""
    found = {
        part: float(numbers(measured, topic, "", f"seconds.{part}").sum())
        for part in PARTS
    }
    return found if any(found.values()) else {}
