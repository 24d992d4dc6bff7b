"""The conditions of a run: load, noise, machine, and the command to repeat it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from assay.commits import Subject
from assay.plan import AA_SUFFIX, Plan, Topic
from assay.results import Results, TimeSpent
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

SHOWN_PACKAGES = 10  # at most this many packages that differ are shown


def repeat_command(plan: Plan, results: Results) -> str:
    """Return the command that repeats the run with the same seed."""
    command = one_line(plan.command) or shlex.join(
        ["assay", "run", *(topic.name for topic in plan.topics)]
    )
    return command if "--seed" in command else f"{command} --seed {results.seed}"


def flatten(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested values as rows of a dotted name and a text."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            rows += flatten(value, f"{name}.")
        elif isinstance(value, list | tuple):
            items = (significant(x) if isinstance(x, float) else str(x) for x in value)
            rows.append((name, ", ".join(items) or "none"))
        elif isinstance(value, bool):
            rows.append((name, "yes" if value else "no"))
        elif isinstance(value, float):
            rows.append((name, significant(value)))
        elif name == "memory" and isinstance(value, int):
            rows.append((name, quantity(value, "B")))
        else:
            rows.append((name, "unknown" if value is None else str(value)))
    return rows


def load_text(topic: Topic) -> str:
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


def noise_rows(slices: pd.DataFrame) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the name of each topic, and its noise as rows of name and text."""
    if slices.empty:
        return []
    noise_by_topic = []
    for topic, topic_slices in slices.groupby("topic", sort=False):
        # Older runs lack some columns. If runs were joined, such columns have gaps.
        columns = {name: topic_slices[name] for name in topic_slices.columns}
        rows = [("slices", f"{len(topic_slices):,}")]
        if "launch" in columns:
            rows.append(("launches", f"{columns['launch'].nunique():,}"))
        if "disturbed" in columns:
            share = float(columns["disturbed"].astype(bool).mean())
            rows.append(("slices left out as disturbed", percent(share)))
        if "why" in columns:
            rows += _disturbances(topic_slices)
        for name, label in (
            ("planned", "arrivals planned"),
            ("dropped", "dropped"),
            ("unserved", "never served"),
            ("failed", "requests failed"),
        ):
            if name in columns:
                rows.append((label, f"{columns[name].fillna(0).sum():,.0f}"))
        # Only an open loop has a schedule, so only there can the generator be late.
        lag = topic_slices.loc[topic_slices["mode"] == "open", "lag_p99"].dropna()
        if len(lag):
            rows.append(
                (
                    "generator lag p99, median slice",
                    quantity(float(lag.median()), "s"),
                )
            )
        if "stall" in columns and columns["stall"].notna().any():
            longest = quantity(float(columns["stall"].max()), "s")
            rows.append(("longest stall of the generator", longest))
        for name, label in (
            ("generator_cpu", "generator CPU"),
            ("foreign", "other processes on the target's cores"),
        ):
            if {name, "duration"} <= set(columns):
                measured = topic_slices[topic_slices[name].notna()]
                duration = float(measured["duration"].sum())
                if duration > 0:
                    share = float(measured[name].sum()) / duration
                    rows.append((label, f"{percent(share)} of a core"))
        noise_by_topic.append((str(topic), rows))
    return noise_by_topic


def time_spent_text(topics: Sequence[TimeSpent]) -> str:
    """Return a sentence on where the time of the launches went; empty if unknown."""
    seconds_by_part = {
        label: sum(getattr(topic, part) for topic in topics)
        for part, label in (
            ("starts", "starts"),
            ("log_ins", "log-ins"),
            ("warm_up", "warm-up"),
            ("slices", "slices"),
            ("rest", "other"),
        )
    }
    total = sum(seconds_by_part.values())
    if not total:
        return ""
    parts = ", ".join(
        f"{label} {_seconds(seconds)}" for label, seconds in seconds_by_part.items()
    )
    return f"The launches took {_seconds(total)}: {parts}."


def _seconds(value: float) -> str:
    return f"{fixed(value, 0 if value >= 10 else 1)} s"


def _disturbances(slices: pd.DataFrame) -> list[tuple[str, str]]:
    """Return how many slices each disturbance cost, by variant if variants differ."""
    causes = slices["why"].fillna("")
    rows = []
    for cause in sorted(set(causes) - {""}):
        hit = causes == cause
        text = f"{int(hit.sum()):,}"
        groups = hit.groupby(slices["variant"], sort=False)
        shares = [
            (_arm_name(str(variant)), float(hits.mean()), len(hits))
            for variant, hits in groups
        ]
        if _differ_beyond_chance(shares):
            parts = [f"{name} {percent(share)}" for name, share, _ in shares]
            text += f" ({', '.join(parts)})"
        rows.append((f"– for {DISTURBANCES.get(cause, one_line(cause))}", text))
    return rows


def _differ_beyond_chance(shares: Sequence[tuple[str, float, int]]) -> bool:
    """Say whether the smallest and the largest share differ beyond chance.

    The limit is three standard errors of a difference of shares. It is a hint for the
    reader, not a test, since a disturbance often hits consecutive slices.
    """
    _, smallest, smallest_count = min(shares, key=lambda item: item[1])
    _, largest, largest_count = max(shares, key=lambda item: item[1])
    slices = smallest_count + largest_count
    pooled = (smallest * smallest_count + largest * largest_count) / slices
    variance = pooled * (1 - pooled) * (1 / smallest_count + 1 / largest_count)
    return largest - smallest > 3 * math.sqrt(variance)


def _arm_name(variant: str) -> str:
    """Return a variant's name; the A/A arm is marked as "again"."""
    name = variant.removesuffix(AA_SUFFIX)
    return one_line(name) + (" (again)" if name != variant else "")


def control_lines(results: Results) -> dict[str, list[str]]:
    """Return the results of the A/A arms as lines, by topic."""
    lines: dict[str, list[str]] = {}
    arms = dict.fromkeys((item.topic, item.variant) for item in results.controls)
    for topic, variant in arms:
        controls_of_arm = [
            control
            for control in results.controls
            if (control.topic, control.variant) == (topic, variant)
        ]
        numbers = ", ".join(
            f"{one_line(control.metric)} {fixed(control.ratio, 3)}×"
            + (" (more than chance explains)" if control.failed else "")
            for control in controls_of_arm
        )
        fewest = min(control.launches for control in controls_of_arm)
        most = max(control.launches for control in controls_of_arm)
        launches = counted(most, "launch", "launches")
        if fewest < most:
            launches = f"{fewest} to {launches}"
        name = f"the baseline {one_line(variant)}"
        line = f"{name} against itself: {numbers} in {launches}"
        lines.setdefault(topic, []).append(line)
    return lines


def commits_text(subject: Subject) -> str:
    """Return the two compared commits, and the packages that differ, in words."""
    sides = [
        f"{name}: {one_line(side.name)} {side.sha[:10]}"
        + (" with uncommitted changes" if side.dirty else "")
        for name, side in (("base", subject.base), ("head", subject.head))
    ]
    differing = [
        one_line(f"{name} {base or 'missing'} → {head or 'missing'}")
        for name, base, head in subject.packages[:SHOWN_PACKAGES]
    ]
    more = len(subject.packages) - len(differing)
    packages = ", ".join(differing) + (f" and {more} more" if more > 0 else "")
    return "; ".join([*sides, f"packages that differ: {packages or 'none'}"])
