"""Under which conditions it was measured: load, noise, machine, how to repeat it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from assay.plan import Plan, Topic
from assay.report.text import counted, one_line, percent, quantity, significant
from assay.results import Results

if TYPE_CHECKING:
    import pandas as pd


def repeat_command(plan: Plan, results: Results) -> str:
    """Return the command that measures the same again, with the same seed."""
    command = one_line(plan.command) or shlex.join(
        ["assay", "run", *(topic.name for topic in plan.topics)]
    )
    return command if "--seed" in command else f"{command} --seed {results.seed}"


def flatten(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested values as rows of dotted name and text."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            rows += flatten(value, f"{name}.")
        elif isinstance(value, list | tuple):
            rows.append((name, ", ".join(str(item) for item in value) or "none"))
        elif isinstance(value, bool):
            rows.append((name, "yes" if value else "no"))
        elif isinstance(value, float):
            rows.append((name, significant(value)))
        else:
            rows.append((name, "unknown" if value is None else str(value)))
    return rows


def load(topic: Topic) -> str:
    """Return the load of a topic in words."""
    if topic.scenario.benchmarks:
        return (
            f"pytest-benchmark tests ({one_line(topic.scenario.benchmarks)}), both "
            "sides launched in random alternation"
        )
    planned = topic.scenario.load
    rate = (
        f"{significant(planned.arrival_rate)} arrivals per second"
        if planned.arrival_rate is not None
        else f"arrivals at {percent(planned.utilisation)} of the slower side's capacity"
    )
    return f"closed loop: {counted(planned.users, 'user')}; open loop: {rate}"


def noise(slices: pd.DataFrame) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return for each topic what disturbed the measuring, as rows of name and text."""
    if slices.empty:
        return []
    found = []
    for topic, of_topic in slices.groupby("topic", sort=False):
        columns = {name: of_topic[name] for name in of_topic.columns}
        rows = [("slices", f"{len(of_topic):,}")]
        if "launch" in columns:
            rows.append(("launches", f"{columns['launch'].nunique():,}"))
        if "disturbed" in columns:
            share = float(columns["disturbed"].astype(bool).mean())
            rows.append(("slices disturbed, left out", percent(share)))
        for name, words in (
            ("planned", "arrivals planned"),
            ("dropped", "dropped"),
            ("unserved", "never served"),
            ("failed", "requests failed"),
        ):
            if name in columns:
                rows.append((words, f"{columns[name].fillna(0).sum():,.0f}"))
        # Only an open loop has a schedule to be late for.
        lag = of_topic.loc[of_topic["mode"] == "open", "lag_p99"].dropna()
        if len(lag):
            rows.append(
                (
                    "generator lag p99, typical slice",
                    quantity(float(lag.median()), "s"),
                )
            )
        if {"generator_cpu", "duration"} <= set(columns):
            duration = float(columns["duration"].sum())
            if duration > 0:
                share = float(columns["generator_cpu"].fillna(0).sum()) / duration
                rows.append(("generator busy", f"{percent(share)} of a core"))
        found.append((str(topic), rows))
    return found
