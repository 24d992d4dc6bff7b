"""Under which conditions it was measured: load, noise, machine, how to repeat it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from assay.plan import AA_SUFFIX, Plan, Topic
from assay.results import Results, Spent
from assay.wording import (
    DISTURBANCES,
    counted,
    fixed,
    one_line,
    percent,
    quantity,
    significant,
)

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
        elif name == "memory" and isinstance(value, int):
            rows.append((name, quantity(value, "B")))
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
        else f"arrivals at up to {percent(planned.utilisation)} of the slower side's "
        "capacity"
    )
    if planned.shape:
        rate += f" times {one_line(planned.shape)}"
    wait = " with think time" if planned.think_time else ""
    return f"closed loop: {counted(planned.users, 'user')}{wait}; open loop: {rate}"


def noise(slices: pd.DataFrame) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return for each topic what disturbed the measuring, as rows of name and text."""
    if slices.empty:
        return []
    found = []
    for topic, of_topic in slices.groupby("topic", sort=False):
        # A column that older runs lack is empty for them, where runs are joined.
        columns = {name: of_topic[name] for name in of_topic.columns}
        rows = [("slices", f"{len(of_topic):,}")]
        if "launch" in columns:
            rows.append(("launches", f"{columns['launch'].nunique():,}"))
        if "disturbed" in columns:
            share = float(columns["disturbed"].astype(bool).mean())
            rows.append(("slices disturbed, left out", percent(share)))
        if "why" in columns:
            rows += _causes(of_topic)
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
        if "stall" in columns and columns["stall"].notna().any():
            longest = quantity(float(columns["stall"].max()), "s")
            rows.append(("generator stopped at most for", longest))
        for name, words in (
            ("generator_cpu", "generator busy"),
            ("foreign", "others on the target's cores"),
        ):
            if {name, "duration"} <= set(columns):
                known = of_topic[of_topic[name].notna()]
                duration = float(known["duration"].sum())
                if duration > 0:
                    share = float(known[name].sum()) / duration
                    rows.append((words, f"{percent(share)} of a core"))
        found.append((str(topic), rows))
    return found


def spent(found: Sequence[Spent]) -> str:
    """Return where the time of all launches went, in a sentence; empty if unknown."""
    parts = {
        words: sum(getattr(item, part) for item in found)
        for part, words in (
            ("starts", "starts took"),
            ("log_ins", "log-ins"),
            ("warm_up", "warm-up"),
            ("slices", "slices"),
            ("rest", "all else"),
        )
    }
    whole = sum(parts.values())
    if not whole:
        return ""
    each = ", ".join(f"{words} {_seconds(took)}" for words, took in parts.items())
    return f"Of {_seconds(whole)} that the launches took, {each}."


def _seconds(value: float) -> str:
    return f"{fixed(value, 0 if value >= 10 else 1)} s"


def _causes(slices: pd.DataFrame) -> list[tuple[str, str]]:
    """Return how many slices of a topic each cause cost, by variant if that differs."""
    why = slices["why"].fillna("")
    rows = []
    for cause in sorted(set(why) - {""}):
        hit = why == cause
        text = f"{int(hit.sum()):,}"
        groups = hit.groupby(slices["variant"], sort=False)
        shares = [
            (_arm(str(name)), float(own.mean()), len(own)) for name, own in groups
        ]
        if _unlike(shares):
            each = ", ".join(f"{name} {percent(share)}" for name, share, _ in shares)
            text += f" ({each})"
        rows.append((f"– for {DISTURBANCES.get(cause, one_line(cause))}", text))
    return rows


def _unlike(shares: Sequence[tuple[str, float, int]]) -> bool:
    """Say whether the least and the greatest share differ beyond chance.

    Three standard errors of a difference of shares: a hint for the reader, and
    not a test, since slices that follow each other are disturbed together.
    """
    _, least, few = min(shares, key=lambda item: item[1])
    _, most, many = max(shares, key=lambda item: item[1])
    pooled = (least * few + most * many) / (few + many)
    error = math.sqrt(pooled * (1 - pooled) * (1 / few + 1 / many))
    return most - least > 3 * error


def _arm(variant: str) -> str:
    """Return a variant's name in words, the A/A arm's too."""
    name = variant.removesuffix(AA_SUFFIX)
    return one_line(name) + (" (again)" if name != variant else "")


def controls(results: Results) -> dict[str, list[str]]:
    """Return what the A/A arm says, as lines by topic."""
    found: dict[str, list[str]] = {}
    arms = dict.fromkeys((item.topic, item.variant) for item in results.controls)
    for topic, variant in arms:
        own = [i for i in results.controls if (i.topic, i.variant) == (topic, variant)]
        numbers = ", ".join(
            f"{one_line(item.metric)} {fixed(item.ratio, 3)}×"
            + (" (more than chance explains)" if item.failed else "")
            for item in own
        )
        fewest, most = min(i.launches for i in own), max(i.launches for i in own)
        launches = counted(most, "launch", "launches")
        if fewest < most:
            launches = f"{fewest} to {launches}"
        name = f"the baseline {one_line(variant)}"
        line = f"{name} against itself: {numbers} in {launches}"
        found.setdefault(topic, []).append(line)
    return found
