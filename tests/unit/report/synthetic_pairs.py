"""A synthetic run with every kind of result of pairs without claims."""

from pathlib import Path
from typing import Any

from assay.plan import AA_SUFFIX
from assay.results import Comparison, Control, PairVerdict, Results, Value
from assay.run_directory.run import RunDirectory
from tests.unit.report.synthetic import HOSTILE, build

FAILURES = (
    "failure rates differ beyond chance: sleep-in-async 0.00%, to-thread 2.00%; "
    "speed is not compared where one side fails more often"
)
MEAN_DIFFERS = (
    "cpu_per_request, throughput and latency.p50 are the same within 5 %, but "
    "latency.mean (1.52× [1.31, 1.7]) differs"
)
WHOLES: dict[str, tuple[str, str]] = {
    "sync_async": ("undecided", MEAN_DIFFERS),
    "blocking": (
        "undecided",
        f"cpu_per_request, throughput and latency.p50 are undecided; {FAILURES}",
    ),
    "aiosqlite": (
        "slower",
        "slower by throughput (0.76× [0.738, 0.783]) and cpu_per_request (1.28× "
        "[1.23, 1.33]); latency.p50 is undecided",
    ),
}
ACROSS = (
    "the interval includes 1 and extends beyond the margin of 5 % " "after 12 launches"
)
# (topic, metric) -> changed fields of the comparison.
CHANGES: dict[tuple[str, str], dict[str, object]] = {
    ("sync_async", "cpu_per_request"): {
        "verdict": "same",
        "ratio": 1.003,
        "low": 0.991,
        "high": 1.014,
    },
    ("sync_async", "throughput"): {"verdict": "same"},
    ("sync_async", "latency.p50"): {"verdict": "same"},
    ("sync_async", "latency.mean"): {
        "ratio": 1.52,
        "low": 1.31,
        "high": 1.7,
        "differs": True,
    },
    ("sync_async", "latency.p95"): {"seconds_to_see": 9 * 60.0},
    ("sync_async", "latency.p99"): {"seconds_to_see": 1e9},
    ("blocking", "cpu_per_request"): {"verdict": "undecided", "reason": FAILURES},
    ("blocking", "throughput"): {"verdict": "undecided", "reason": FAILURES},
    ("blocking", "latency.p50"): {
        "verdict": "undecided",
        "reason": FAILURES,
        "ratio": 0.08,
        "low": 0.0,
        "high": 0.1,
        "censored": "baseline",
    },
    ("blocking", "latency.mean"): {
        "ratio": None,
        "low": None,
        "high": None,
        "censored": "both",
    },
    ("aiosqlite", "latency.p50"): {
        "verdict": "undecided",
        "reason": ACROSS,
        "ratio": 12.0,
        "low": 3.1,
        "high": None,
        "censored": "candidate",
        "seconds_to_see": 100.0 * 60,
    },
    ("n_plus_one", "latency.p99"): {"seconds_to_see": 40 * 60.0},
    ("n_plus_one", "memory.peak"): {"differs": True},
}


def build_pairs(path: Path, *, hostile: bool = False) -> RunDirectory:
    """Write a run of three pairs without claims and one with them.

    Args:
        path: The path of the directory; it must not exist.
        hostile: Whether names and texts contain an attack.
    """
    run = build(path, topics=[*WHOLES, "n_plus_one"], profiled=False, hostile=hostile)
    plan, results = run.plan(), run.results()
    topics = tuple(
        topic.model_copy(update={"claims": ()}) if topic.name in WHOLES else topic
        for topic in plan.topics
    )
    run.write_text(
        "plan.json", plan.model_copy(update={"topics": topics}).model_dump_json()
    )
    wrong = HOSTILE if hostile else ""
    names = {topic.name: topic.pairs()[0] for topic in topics}
    run.write_results(
        results.model_copy(
            update={
                "claims": tuple(c for c in results.claims if c.topic not in WHOLES),
                "comparisons": tuple(
                    Comparison.model_validate(
                        c.model_dump() | CHANGES.get((c.topic, c.metric), {})
                    )
                    for c in results.comparisons
                ),
                "pairs": tuple(
                    PairVerdict.model_validate(
                        {
                            "topic": topic,
                            "baseline": names[topic][0],
                            "candidate": names[topic][1],
                            "verdict": verdict,
                            "reason": reason + wrong,
                        }
                    )
                    for topic, (verdict, reason) in WHOLES.items()
                ),
                "controls": tuple(
                    Control(
                        topic=topic,
                        variant=names[topic][0],
                        metric=metric + wrong,
                        ratio=ratio,
                        launches=3,
                        failed=ratio > 1.05,
                    )
                    for topic in ("sync_async", "aiosqlite")
                    for metric, ratio in (
                        ("cpu_per_request", 1.003),
                        ("throughput", 0.9984),
                        ("latency.p50", 1.31 if topic == "aiosqlite" else 1.011),
                    )
                ),
                "values": tuple(map(_censored, results.values)),
            }
        )
    )
    _watch_noise(run)
    return run


def alone(results: Results, topic: str) -> Results:
    """Keep only the results of one topic."""
    fields = ("comparisons", "pairs", "controls", "values", "claims", "budgets")
    kept: dict[str, Any] = {
        name: tuple(item for item in getattr(results, name) if item.topic == topic)
        for name in fields
    }
    return results.model_copy(update={**kept, "warnings": ()})


def _censored(value: Value) -> Value:
    """Make the latency of the blocking topic a bound, because of a timeout of 10 s."""
    of = value.topic, value.metric
    if of == ("blocking", "latency.mean") or (
        of == ("blocking", "latency.p50") and value.variant.startswith("sleep")
    ):
        known = {"value": 10.0, "low": 8.2, "high": None, "censored": True}
        return value.model_copy(update=known)
    return value


def _watch_noise(run: RunDirectory) -> None:
    """Add columns of newer runs to the slices, and the A/A arm of one topic."""
    import pandas as pd

    slices = run.slices()
    why = pd.Series("", index=slices.index)
    why[slices["disturbed"]] = "generator"
    # Neighbours hit one variant of one topic much more often than the other.
    hit = slices["variant"].str.startswith("aiosqlite") & (slices["block"] < 2)
    why[hit] = "neighbour"
    why[slices.index[:3]] = "stall"
    slices = slices.assign(
        why=why, disturbed=why != "", foreign=slices["duration"] * 0.012, stall=0.0004
    )
    slices.loc[slices.index[:3], "stall"] = 0.031
    again = slices[slices["variant"].str.startswith("def-sqlite")]
    again = again[again["launch"] <= 3]
    again = again.assign(variant=again["variant"] + AA_SUFFIX)
    everything = pd.concat([slices, again], ignore_index=True)
    everything.to_parquet(run.path / "slices.parquet", index=False)
