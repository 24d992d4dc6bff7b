"""How much a launch knows, by the length of its slices, at the same measuring time.

Launches of two identical variants, with slices as long as Assay's and with longer
but fewer ones, in random order: what their log ratios scatter by is noise and
nothing else. How much it matters hangs on how fast the machine's speed changes.
"""

import argparse
import math
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from assay import launch, power, processes
from assay.plan import Load, Variant
from assay.statistics import Floats
from scripts.studies.bench import Bench, opened
from scripts.studies.verdicts import APP, ROUNDS

TIMES = (1, 2, 4)  # as long as Assay's own
LOAD = Load(users=4, connections=32)
ARMS = tuple(Variant(name=n, env={"ROUNDS": str(ROUNDS)}) for n in ("a", "b"))
# Metric: the load that it is measured under, and its column in a slice's row.
COLUMNS = {
    "cpu_per_request": ("closed", "cpu_per_request"),
    "throughput": ("closed", "throughput"),
    "latency.p50": ("open", "latency_p50"),
}
RESAMPLES = 2000

Ratios = Mapping[str, list[float]]  # metric to one log ratio a launch


@dataclass(frozen=True)
class Found:
    """The launches whose slices have one length.

    Attributes:
        lengths: Of a closed and of an open slice, in seconds.
        ratios: Of the launches that count.
        lost: How many launches were too disturbed to count.
    """

    lengths: tuple[float, float]
    ratios: Ratios
    lost: int


def longer(schedule: launch.Schedule, times: int) -> launch.Schedule:
    """Return a schedule of slices so many times as long, and as much fewer."""
    return replace(
        schedule,
        closed_seconds={
            name: times * seconds for name, seconds in schedule.closed_seconds.items()
        },
        open_seconds=times * schedule.open_seconds,
        closed_blocks=schedule.closed_blocks // times,
        open_blocks=schedule.open_blocks // times,
    )


def study(
    launches: int, rng: random.Random, say: Callable[[str], None]
) -> dict[int, Found]:
    """Measure so many launches of each length."""
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        folder = Path(name)
        with processes.guarded([folder]):
            with opened(folder, APP, processes.split_cores()) as bench:
                return _measured(bench, launches, rng, say)


def _measured(
    bench: Bench, launches: int, rng: random.Random, say: Callable[[str], None]
) -> dict[int, Found]:
    bench.launch(ARMS, LOAD)  # which chooses the rate, one for all
    usual = bench.schedule
    assert usual is not None
    ratios: dict[int, dict[str, list[float]]] = {
        times: {metric: [] for metric in COLUMNS} for times in TIMES
    }
    lost = dict.fromkeys(TIMES, 0)
    for number in range(launches):
        for times in rng.sample(TIMES, len(TIMES)):
            bench.schedule = longer(usual, times)
            measured = bench.launch(ARMS, LOAD)
            lost[times] += not measured.counts
            if measured.counts:
                for metric, found in ratios[times].items():
                    found.append(log_ratio(measured, metric))
        say(f"{number + 1} of {launches} launches of each length")
    closed = min(usual.closed_seconds.values())
    return {
        times: Found(
            (times * closed, times * usual.open_seconds), ratios[times], lost[times]
        )
        for times in TIMES
    }


def log_ratio(measured: launch.Launch, metric: str) -> float:
    """Return a launch's number: the median over its undisturbed blocks."""
    mode, column = COLUMNS[metric]
    blocks: dict[int, dict[str, float]] = {}
    for row in measured.slices:
        if row["mode"] == mode and not row["disturbed"]:
            blocks.setdefault(row["block"], {})[row["variant"]] = row[column]
    both = [values for values in blocks.values() if len(values) == len(ARMS)]
    return float(np.median([math.log(values["b"] / values["a"]) for values in both]))


def compared(first: Floats, second: Floats) -> tuple[float, float, float]:
    """Return spread / spread with its bootstrap interval of 95 %.

    The percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap,
    1993, chapter 13), over launches.
    """
    rng = np.random.default_rng(1)

    def spread(x: Floats) -> float:
        found = power.spread(x)
        assert found is not None
        return found

    drawn = [
        spread(rng.choice(first, len(first))) / spread(rng.choice(second, len(second)))
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return spread(first) / spread(second), float(low), float(high)


def table(found: Mapping[int, Found]) -> str:
    """Return the Markdown table of all lengths."""
    head = ["slices: closed, open", "launches", "lost"]
    for metric in COLUMNS:
        head += [f"`{metric}`: spread", "against the longest"]
    lines: list[Sequence[str]] = [head, ["---"] * len(head)]
    longest = found[max(found)]
    for item in found.values():
        closed, open_ = item.lengths
        count = len(item.ratios["throughput"])
        cells = [f"{1e3 * closed:g} ms, {1e3 * open_:g} ms", str(count), str(item.lost)]
        for metric in COLUMNS:
            x, y = np.array(item.ratios[metric]), np.array(longest.ratios[metric])
            spread = power.spread(x)
            cells.append("–" if spread is None else f"{100 * spread:.2f} %")
            if item is longest or spread is None or power.spread(y) is None:
                cells.append("–")
            else:
                ratio, low, high = compared(x, y)
                cells.append(f"{ratio:.2f}× [{low:.2f}, {high:.2f}]")
        lines.append(cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--launches", type=int, default=40, help="of each length")
    parser.add_argument("--page", type=Path, help="write the table to this file, too")
    options = parser.parse_args()
    found = study(
        options.launches, random.Random(), lambda words: print(words, file=sys.stderr)
    )
    text = (
        "# How long should a slice be?\n\n"
        "Launches of two identical variants, with slices as long as Assay's and with "
        "longer but fewer ones, in random order, at the same measuring time and the "
        "same arrival rate. The spread is that of the launches' log ratios, without "
        "outliers: what a verdict has to see through. Half the spread takes a quarter "
        "of the launches. How much the length matters hangs on how fast the machine's "
        "speed changes.\n\n"
        f"{table(found)}\n\n## How to repeat it\n\n"
        "```console\n$ ./scripts/study_slices\n```\n"
    )
    print(text)
    if options.page:
        options.page.parent.mkdir(parents=True, exist_ok=True)
        options.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
