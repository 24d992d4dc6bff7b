"""Slices, plans and tables that are made without measuring, for many tests."""

import math
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.analysis import measurements
from assay.experiment.sessions import CONTROL_EVERY
from assay.inputs.expectations import parse
from assay.load.answers import Slice
from assay.metrics import BLOCK_COLUMNS, Mode
from assay.plan import (
    AA_SUFFIX,
    Budget,
    Claim,
    Plan,
    Scenario,
    Settings,
    Target,
    Topic,
    Variant,
)

OPEN = ("latency_p50",)  # columns of a slice that only the open loop has
BLOCKS = 4
SECONDS = 4.0  # the length of a launch


def taken(
    mode: Mode = "closed",
    ends: Sequence[float] = (1.0,),
    starts: Sequence[float] | None = None,
    scheduled: Sequence[float] | None = None,
    failed: Sequence[int] | None = None,
    variant: str = "a",
    waited: Sequence[float] | None = None,
    users: Sequence[int] | None = None,
    **changes: Any,
) -> Slice:
    """A slice from 0 to 1 s; by default requests begin at 0 s, each of another user."""
    count = len(ends)
    columns = {
        "scheduled": np.array(scheduled or [0.0] * count, dtype=float),
        "start": np.array(starts or [0.0] * count, dtype=float),
        "end": np.array(ends, dtype=float),
        "waited": np.array(waited or [0.0] * count, dtype=float),
        "name": np.zeros(count, int),
        "user": np.array(users or range(count), dtype=int),
        "failed": np.array(failed or [0] * count, dtype=int),
    }
    numbers: dict[str, Any] = {
        "began": 0.0,
        "ended": 1.0,
        "planned": count,
        "done": count,
        "dropped": 0,
        "unserved": 0,
        "requests": count,
        "lag_p99": 0.0,
        "stall": 0.0,
        "cpu": 0.5,
        "run_delay": 0.0,
        "foreign": 0.0,
        "generator_cpu": 0.1,
        "generator_run_delay": 0.0,
        "names": [("request", "GET", "/")],
        "errors": {},
    }
    return Slice(
        variant=variant, mode=mode, request_columns=columns, **{**numbers, **changes}
    )


def claim(expect: str, metric: str = "cpu_per_request") -> Claim:
    """A claim on candidate b against baseline a."""
    return Claim(
        says="it is so",
        baseline="a",
        candidate="b",
        metric=metric,
        expect=parse(expect, metric),
    )


def plan(*claims: Claim, budgets: Sequence[Budget] = (), variants: str = "ab") -> Plan:
    """A plan of one topic, `shop`, with one variant for each letter."""
    topic = Topic(
        name="shop",
        title="Shop",
        file=Path("scenarios/shop/claims.toml"),
        target=Target(cwd=Path(".")),
        scenario=Scenario(locustfile=Path("locustfile.py")),
        variants=tuple(Variant(name=name) for name in variants),
        claims=claims,
        budgets=tuple(budgets),
    )
    return Plan(topics=(topic,), settings=Settings(seed=3))


def measured(
    ratios: Mapping[str, float],
    launches: int = 12,
    *,
    variants: str = "ab",
    noise: float = 0.01,
    failed: Mapping[str, int] | None = None,
    dropped: Mapping[str, int] | None = None,
    disturbed: Mapping[str, float] | None = None,
    again: float | None = None,
    censored: Mapping[tuple[str, str], Container[int]] | None = None,
    lost: int = 0,
    generator: Mapping[str, float] | None = None,
    cores: Mapping[str, float] | None = None,
) -> measurements.Measurements:
    """Tables in which variant b is `ratios[metric]` times any other variant.

    Args:
        ratios: For each metric, that ratio.
        launches: The number of launches that count.
        variants: The variants; each letter is one.
        noise: Standard deviation of the logs, for each variant and launch.
        failed: Requests of each slice's 100 that failed, by variant.
        dropped: Arrivals of each open slice that were dropped, by variant.
        disturbed: For a variant, the factor by which its last block of each launch is
            wrong; this block is marked as disturbed.
        again: The ratio of the A/A arm to variant a; None for no such arm.
        censored: For a variant and metric, the launches in which it is only a bound.
        lost: Launches at the end that are too disturbed to count.
        generator: The share of its core that the generator took, by variant.
        cores: The cores that the target used, by variant.
    """
    rng = np.random.default_rng(1)
    slices: list[dict[str, Any]] = []
    values: list[dict[str, Any]] = []
    for number in range(1, launches + lost + 1):
        if number <= launches:
            took = {"topic": "shop", "launch": number, "variant": "", "value": SECONDS}
            values.append(took | {"metric": "seconds", "censored": False})
        names = list(variants)
        if again is not None and (number - 1) % CONTROL_EVERY == 0:
            names.append("a" + AA_SUFFIX)
        for variant in names:
            key = {"topic": "shop", "launch": number, "variant": variant}
            for metric, shares in (
                (measurements.GENERATOR_SHARE, generator or {}),
                (measurements.TARGET_CORES, cores or {}),
            ):
                if number <= launches and variant in shares:
                    share = {"value": shares[variant], "censored": False}
                    values.append(key | share | {"metric": metric})
            own: dict[str, float] = {}
            for metric, ratio in ratios.items():
                factor = {"b": ratio, "a" + AA_SUFFIX: again}.get(variant) or 1.0
                own[metric] = factor * math.exp(rng.normal(0, noise))
                cut = number in (censored or {}).get((variant, metric), ())
                value = {"metric": metric, "value": own[metric], "censored": cut}
                if number <= launches:
                    values.append(key | value)
                if cut and metric != "throughput":  # throughput stays a finite number
                    own[metric] = math.inf
            slices += [
                key | row
                for row in _slices(
                    own,
                    (failed or {}).get(variant, 0),
                    (dropped or {}).get(variant, 0),
                    (disturbed or {}).get(variant, 0.0),
                )
            ]
    return measurements.Measurements(pd.DataFrame(slices), pd.DataFrame(values))


def _slices(
    own: Mapping[str, float], failed: int, dropped: int, wrong: float
) -> list[dict[str, Any]]:
    """The slices of one variant in one launch: four of each mode."""
    rows = []
    for mode in ("closed", "open"):
        for block in range(BLOCKS):
            hit = bool(wrong) and block == BLOCKS - 1
            row: dict[str, Any] = {
                "mode": mode,
                "block": block,
                "requests": 100,
                "planned": 100 + (dropped if mode == "open" else 0),
                "failed": failed,
                "latencies": 100 - failed if mode == "open" else 0,
                "dropped": dropped if mode == "open" else 0,
                "unserved": 0,
                "disturbed": hit,
            }
            for metric, column in BLOCK_COLUMNS.items():
                if metric in own:
                    there = (column in OPEN) == (mode == "open")
                    row[column] = own[metric] if there else math.nan
                    row[column] *= wrong if hit else 1.0
            rows.append(row)
    return rows
