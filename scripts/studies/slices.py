"""How much a launch knows, by the length of its slices, at the same measuring time.

Launches of two identical variants, with slices as long as Assay's and with longer
but fewer ones, in random order: what their log ratios scatter by is noise and
nothing else. How much it matters depends on how fast the machine's speed changes.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from assay.analysis import measurements, power
from assay.analysis.statistics import Floats
from assay.experiment import calibration
from assay.metrics import DECIDING_METRICS
from assay.plan import Load, Variant
from assay.run_directory.run import RunDirectory
from assay.system import processes
from scripts.studies import judging
from scripts.studies.bench import Bench, opened
from scripts.studies.pages import put, table_of
from scripts.studies.verdicts import APP, ROUNDS

TIMES = (1, 2, 4)  # as long as Assay's own
LOAD = Load(users=4, connections=32)
PAIR = ("a0", "a1")
ARMS = tuple(Variant(name=n, env={"ROUNDS": str(ROUNDS)}) for n in PAIR)
RESAMPLES = 2000
FEWEST = 10  # launches; of fewer, resamples can be all alike


@dataclass(frozen=True)
class Found:
    """The launches whose slices have one length.

    Attributes:
        lengths: Of a closed and of an open slice, in seconds.
        ratios: Metric to the log ratios of the launches that count.
        lost: How many launches were too disturbed to count.
    """

    lengths: tuple[float, float]
    ratios: Mapping[str, Floats]
    lost: int


def longer(schedule: calibration.Schedule, times: int) -> calibration.Schedule:
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
                return _measured(bench, folder, launches, rng, say)


def _measured(
    bench: Bench,
    folder: Path,
    launches: int,
    rng: random.Random,
    say: Callable[[str], None],
) -> dict[int, Found]:
    bench.launch(ARMS, LOAD)  # which chooses the rate, one for all
    usual = bench.schedule
    assert usual is not None
    runs = {times: judging.directory(folder, f"times-{times}") for times in TIMES}
    for number in range(launches):
        for times in rng.sample(TIMES, len(TIMES)):
            bench.schedule = longer(usual, times)
            began = time.monotonic()
            measured = bench.launch(ARMS, LOAD)
            judging.append(runs[times], measured, time.monotonic() - began)
        say(f"{number + 1} of {launches} launches of each length")
    closed = min(usual.closed_seconds.values())
    return {
        times: read(run, (times * closed, times * usual.open_seconds))
        for times, run in runs.items()
    }


def read(run: RunDirectory, lengths: tuple[float, float]) -> Found:
    """Return what the launches of one length say, as Assay reads them."""
    measured = measurements.Measurements(run.slices(), run.launches())
    ratios = {
        metric: measurements.log_ratios(measured, judging.TOPIC, *PAIR, metric)
        for metric in DECIDING_METRICS
    }
    return Found(lengths, ratios, measurements.uncounted(measured, judging.TOPIC)[0])


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
    for metric in DECIDING_METRICS:
        head += [f"`{metric}`: spread", "against the longest"]
    lines: list[Sequence[str]] = [head, ["---"] * len(head)]
    longest = found[max(found)]
    for item in found.values():
        closed, open_ = item.lengths
        count = len(item.ratios["cpu_per_request"])
        cells = [f"{1e3 * closed:g} ms, {1e3 * open_:g} ms", str(count), str(item.lost)]
        for metric in DECIDING_METRICS:
            x, y = item.ratios[metric], longest.ratios[metric]
            spread = power.spread(x)
            cells.append("–" if spread is None else f"{100 * spread:.2f} %")
            if item is longest or min(len(x), len(y)) < FEWEST:
                cells.append("–")
            else:
                ratio, low, high = compared(x, y)
                cells.append(f"{ratio:.2f}× [{low:.2f}, {high:.2f}]")
        lines.append(cells)
    return table_of(lines)


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
        "of the launches. How much the length matters depends on how fast the "
        "machine's speed changes.\n\n"
        f"{table(found)}\n\n## How to repeat it\n\n"
        "```console\n$ ./scripts/study_slices\n```\n"
    )
    put(text, options.page)


if __name__ == "__main__":
    main()
