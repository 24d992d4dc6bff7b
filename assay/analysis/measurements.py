"""Read the numbers and ratios of a metric, by launch, from the tables of a run."""

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

# Name of a metric: the share of its core that the generator used in a variant's closed
# loop. It was measured in the variant's first trial, so it is the same in all launches.
GENERATOR_SHARE = "generator.closed"
# Above this share, the throughput is what the generator could send, not what the
# variant could serve, so equal numbers on both sides mean nothing. The exception is a
# variant that uses up its own cores, too.
BUSY_GENERATOR = 0.9
# Name of a metric: the number of cores that the variant used in its first trial.
TARGET_CORES = "target.closed"
# A variant that uses at least this share of a whole number of cores is at its limit.
FULL_CORES = 0.9
# The parts of a launch's time, in seconds. Their rows in the table have no variant.
TIME_PARTS = ("starts", "log_ins", "warm_up", "slices", "rest")


@dataclass(frozen=True)
class Measurements:
    """The tables of a run so far: see the methods of `RunDirectory` with these names.

    Attributes:
        ratio_cache: Ratios by topic, pair and metric; every look reads them again.
        table_cache: Parts of the tables, by topic, or by topic and metric.
    """

    slices: pd.DataFrame
    launches: pd.DataFrame
    tests: pd.DataFrame | None = None
    requests: pd.DataFrame | None = None
    ratio_cache: dict[tuple[str, ...], Ratios] = field(default_factory=dict, repr=False)
    table_cache: dict[tuple[str, ...], pd.DataFrame] = field(
        default_factory=dict, repr=False
    )


def latency(columns: Mapping[str, Any] | pd.DataFrame) -> Any:
    """Return the latencies of requests, in seconds; NaN if there was no answer.

    A latency is the time that an arrival waited for a user, because all users waited
    for the target, plus the time from sending the request to its answer. The
    generator's own lateness is not part of it. Older samples have no column `waited`;
    their latency counts from the time at which the request was due.

    Args:
        columns: Columns of samples: a table, or arrays by name.
    """
    if "waited" not in columns:
        return columns["end"] - columns["scheduled"]
    return columns["waited"] + (columns["end"] - columns["start"])


def log_ratios(
    measured: Measurements, topic: str, baseline: str, candidate: str, metric: str
) -> Floats:
    """Return log(candidate / baseline), one number for each launch that counts.

    If the candidate's number is only a lower bound, the log ratio is plus infinity; if
    the baseline's is, minus infinity. If both are, the launch is left out.
    """
    return by_launch(measured, topic, baseline, candidate, metric)[1]


def by_launch(
    measured: Measurements, topic: str, baseline: str, candidate: str, metric: str
) -> Ratios:
    """Return the launches by number, ascending, and the log ratio of each."""
    key = topic, baseline, candidate, metric
    if key not in measured.ratio_cache:
        measured.ratio_cache[key] = _by_launch(measured, *key)
    return measured.ratio_cache[key]


def _by_launch(
    measured: Measurements, topic: str, baseline: str, candidate: str, metric: str
) -> Ratios:
    no_launches = np.empty(0, dtype=np.int64), np.empty(0)
    if measured.launches.empty:
        return no_launches
    column = BLOCK_COLUMNS.get(metric)
    if column in measured.slices:
        blocks = _undisturbed(measured, topic)
        if column not in blocks:
            return no_launches
        by_variant = cast("pd.DataFrame", blocks[column])
        if not {baseline, candidate} <= set(by_variant.columns):
            return no_launches
        block_ratios = _log_ratio(by_variant[baseline], by_variant[candidate])
        ratios = block_ratios.groupby("launch").median().dropna()
        if metric == "throughput":  # bounds of other metrics are infinite in the blocks
            pair = baseline, candidate
            ratios = _open_ended(measured, topic, pair, metric, ratios)
    else:
        by_variant = _of_metric(measured, topic, metric).pivot_table(
            index="launch", columns="variant", values="value"
        )
        if not {baseline, candidate} <= set(by_variant.columns):
            return no_launches
        ratios = _log_ratio(by_variant[baseline], by_variant[candidate])
        ratios = _open_ended(measured, topic, (baseline, candidate), metric, ratios)
    return ratios.index.to_numpy(dtype=np.int64), ratios.to_numpy(dtype=float)


def _undisturbed(measured: Measurements, topic: str) -> pd.DataFrame:
    """Return the undisturbed blocks of launches that count, one column per variant."""
    if (topic,) not in measured.table_cache:
        slices = measured.slices
        chosen = slices[
            (slices["topic"] == topic)
            & slices["launch"].isin(counted_launches(measured, topic))
            & ~slices["disturbed"]
        ].set_index(["launch", "mode", "block", "variant"])
        columns = [name for name in BLOCK_COLUMNS.values() if name in chosen]
        measured.table_cache[(topic,)] = cast("pd.DataFrame", chosen[columns].unstack())
    return measured.table_cache[(topic,)]


def log_bounds(
    measured: Measurements, topic: str, baseline: str, candidate: str, metric: str
) -> Floats:
    """Return `log_ratios`, with a bound in place of each infinite ratio.

    The bound is the log ratio of both sides' numbers, one of which is a lower bound.
    The true ratio lies between it and the infinite ratio that it replaces. A launch
    with too few requests to pool has no such bound. Then nothing is known about its
    ratio, and the bound is the opposite infinity.
    """
    launches, x = by_launch(measured, topic, baseline, candidate, metric)
    if np.isfinite(x).all():
        return x
    by_variant = _of_metric(measured, topic, metric).pivot_table(
        index="launch", columns="variant", values="value"
    )
    bounds = np.full(len(x), math.nan)
    if {baseline, candidate} <= set(by_variant.columns):
        ratios = _log_ratio(by_variant[baseline], by_variant[candidate])
        bounds = ratios.reindex(launches).to_numpy(dtype=float)
    bounds = np.where(np.isnan(bounds), -x, bounds)
    return np.where(np.isfinite(x), x, bounds)


def log_spans(
    measured: Measurements, topic: str, baseline: str, candidate: str, metric: str
) -> Floats:
    """Return the least and the greatest possible log ratio of each launch.

    The shape is (2, launches). Both rows are equal where both sides are known.
    """
    arguments = measured, topic, baseline, candidate, metric
    x, bounds = log_ratios(*arguments), log_bounds(*arguments)
    return np.stack([np.minimum(x, bounds), np.maximum(x, bounds)])


def censored_launches(
    measured: Measurements, topic: str, variant: str, metric: str
) -> set[int]:
    """Return the launches in which a variant's number is only a lower bound.

    For throughput, all launches count as bounds if the generator was the limit in more
    than half of them, and otherwise none. A generator close to its limit reaches it in
    some launch by chance, and a bound in one launch of twelve leaves the interval open.
    """
    table = _of_metric(measured, topic, metric)
    if "censored" not in table:  # an older run, without this column
        return set()
    rows = table[table["variant"] == variant]
    marked = rows["censored"].astype(bool)
    if metric != "throughput":
        return set(rows.loc[marked, "launch"])
    return set(rows["launch"]) if 2 * marked.sum() > len(rows) else set()


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
    positive = (baseline > 0) & (candidate > 0)
    # If both sides are infinite, this is NaN; if only the baseline is, minus infinity.
    with np.errstate(invalid="ignore", divide="ignore"):
        return (candidate[positive] / baseline[positive]).map(np.log)


def _of_metric(measured: Measurements, topic: str, metric: str) -> pd.DataFrame:
    table = measured.launches
    if table.empty:
        return table
    if (topic, metric) not in measured.table_cache:
        chosen = (table["topic"] == topic) & (table["metric"] == metric)
        measured.table_cache[topic, metric] = table[chosen]
    return measured.table_cache[topic, metric]


def numbers(measured: Measurements, topic: str, variant: str, metric: str) -> Floats:
    """Return one number for each launch that counts.

    Numbers of the machine (`spin`, `seconds`) have the variant "".
    """
    table = _of_metric(measured, topic, metric)
    if table.empty:
        return np.empty(0)
    return table.loc[table["variant"] == variant, "value"].to_numpy(dtype=float)


def metrics_of(measured: Measurements, topic: str) -> set[str]:
    """Return the metrics that were measured in a topic."""
    table = measured.launches
    if table.empty:
        return set()
    rows = table[(table["topic"] == topic) & (table["variant"] != "")]
    return set(rows["metric"].unique())


def dropped_blocks(
    measured: Measurements, topic: str, pair: tuple[str, str], metric: str
) -> int:
    """Return how many blocks a metric leaves out because one side was disturbed."""
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
    """Return the number of latencies of one variant in a typical launch.

    Failed requests have no latency. Requests that were given up count, with a bound.
    """
    slices = measured.slices
    if slices.empty:
        return 0
    chosen = slices[
        (slices["topic"] == topic)
        & (slices["variant"] == variant)
        & (slices["mode"] == "open")
        & ~slices["disturbed"]
    ]
    if chosen.empty:
        return 0
    # Older runs have no column of latencies, only one of requests.
    column = "latencies" if "latencies" in chosen else "requests"
    return int(chosen.groupby("launch")[column].sum().median())


def seconds_per_launch(measured: Measurements, topic: str) -> float | None:
    """Return how long it takes to get one launch that counts, including its start.

    This includes the time lost on launches that were too disturbed to count. None if
    fewer than three launches were timed.
    """
    seconds = numbers(measured, topic, "", "seconds")
    if len(seconds) < 3:
        return None
    lost, _ = uncounted_launches(measured, topic)
    return float(np.median(seconds)) * (1 + lost / len(seconds))


def main_disturbance(
    measured: Measurements, topic: str, launches: Collection[int]
) -> str:
    """Return the most frequent disturbance of some launches; empty if there is none."""
    slices = measured.slices
    chosen = slices[(slices["topic"] == topic) & slices["launch"].isin(launches)]
    reasons = chosen.loc[chosen["why"].fillna("") != "", "why"]
    return str(reasons.mode().iloc[0]) if len(reasons) else ""


def counted_launches(measured: Measurements, topic: str) -> set[int]:
    """Return the launches that count: those with a number of at least one variant.

    Every launch has rows without a variant, such as its times. They do not count.
    """
    table = measured.launches
    if table.empty:
        return set()
    of_variants = (table["topic"] == topic) & (table["variant"] != "")
    return set(table.loc[of_variants, "launch"])


def uncounted_launches(measured: Measurements, topic: str) -> tuple[int, int]:
    """Return how many launches were too disturbed to count, and how many there were.

    A launch that was cut short by the end of the time budget was not disturbed. It is
    left out of both numbers unless it counts.
    """
    slices = measured.slices
    if slices.empty:
        return 0, 0
    chosen = slices[slices["topic"] == topic]
    counted = counted_launches(measured, topic)
    if "cut" in chosen:
        chosen = chosen[
            ~chosen["cut"].fillna(False).astype(bool) | chosen["launch"].isin(counted)
        ]
    launches = set(chosen["launch"])
    return len(launches - counted), len(launches)


def limited_by_generator(
    measured: Measurements, topic: str, variants: Iterable[str]
) -> list[str]:
    """Return the variants whose throughput the generator limited in the first trial.

    Older runs did not keep that trial, so none of their variants is returned.
    """
    limited = []
    for variant in under_busy_generator(measured, topic, variants):
        cores = numbers(measured, topic, variant, TARGET_CORES)
        if not len(cores) or not is_full(cores[0]):
            limited.append(variant)
    return limited


def under_busy_generator(
    measured: Measurements, topic: str, variants: Iterable[str]
) -> list[str]:
    """Return the variants whose closed loop kept the generator's core busy.

    Their answers wait for the generator: the quicker the variant, the longer the wait.
    """
    return [
        variant
        for variant in variants
        if any(numbers(measured, topic, variant, GENERATOR_SHARE)[:1] > BUSY_GENERATOR)
    ]


def is_full(cores: float) -> bool:
    """Say whether a target that uses this number of cores has no CPU time left.

    Each Python process uses one core at most. So a target is at its limit if it uses
    nearly a whole number of cores.
    """
    return cores >= FULL_CORES * max(1, math.ceil(cores))


def unanswered(measured: Measurements, topic: str, variant: str) -> tuple[int, int]:
    """Return how many arrivals of a variant had no answer, and how many there were."""
    slices = measured.slices
    if slices.empty:
        return 0, 0
    chosen = slices[(slices["topic"] == topic) & (slices["variant"] == variant)]
    return int(chosen["unserved"].sum()), int(chosen["planned"].sum())


def time_by_part(measured: Measurements, topic: str) -> dict[str, float]:
    """Return how many seconds all launches took, by part; empty if unknown."""
    seconds = {
        part: float(numbers(measured, topic, "", f"seconds.{part}").sum())
        for part in TIME_PARTS
    }
    return seconds if any(seconds.values()) else {}
