"""How does the length of slices change the precision of a launch?

Two identical variants are measured in launches with slices as long as Assay's, and in
launches with longer but fewer slices. The measuring time is the same, and the order of
the lengths is random. All spread of the log ratios is noise. The effect of the length
depends on how fast the machine's speed changes.
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
from scripts.studies.bench import Bench, open_bench
from scripts.studies.pages import markdown_rows, publish
from scripts.studies.verdicts import APP, ROUNDS

LENGTHS = (1, 2, 4)  # slice lengths, as multiples of Assay's own
LOAD = Load(users=4, connections=32)
PAIR = ("a0", "a1")
ARMS = tuple(Variant(name=n, env={"ROUNDS": str(ROUNDS)}) for n in PAIR)
RESAMPLES = 2000
MIN_LAUNCHES = 10  # with fewer launches, a resample can consist of equal values


@dataclass(frozen=True)
class Launches:
    """The launches with slices of one length.

    Attributes:
        lengths: The lengths of a closed and of an open slice, in seconds. If closed
            slices of the two variants differ in length, the shorter one is given.
        ratios: For each metric, the log ratios of the launches that are used.
        lost: How many launches were too disturbed to count.
    """

    lengths: tuple[float, float]
    ratios: Mapping[str, Floats]
    lost: int


def lengthened(schedule: calibration.Schedule, factor: int) -> calibration.Schedule:
    """Return a schedule whose slices are longer and fewer by a factor."""
    return replace(
        schedule,
        closed_seconds={
            name: factor * seconds for name, seconds in schedule.closed_seconds.items()
        },
        open_seconds=factor * schedule.open_seconds,
        closed_blocks=schedule.closed_blocks // factor,
        open_blocks=schedule.open_blocks // factor,
    )


def study(
    launches: int, rng: random.Random, report: Callable[[str], None]
) -> dict[int, Launches]:
    """Measure this many launches of each length; return them by factor."""
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        folder = Path(name)
        with processes.guarded([folder]):
            with open_bench(folder, APP, processes.split_cores()) as bench:
                return _measure(bench, folder, launches, rng, report)


def _measure(
    bench: Bench,
    folder: Path,
    launches: int,
    rng: random.Random,
    report: Callable[[str], None],
) -> dict[int, Launches]:
    # The first launch calibrates the load; all others use the same arrival rate.
    bench.launch(ARMS, LOAD)
    usual = bench.schedule
    assert usual is not None
    runs = {
        factor: judging.open_or_create_run(folder, f"times-{factor}")
        for factor in LENGTHS
    }
    for number in range(launches):
        for factor in rng.sample(LENGTHS, len(LENGTHS)):
            bench.schedule = lengthened(usual, factor)
            began = time.monotonic()
            measured = bench.launch(ARMS, LOAD)
            judging.append_launch(runs[factor], measured, time.monotonic() - began)
        report(f"{number + 1} of {launches} launches of each length")
    closed = min(usual.closed_seconds.values())
    return {
        factor: read(run, (factor * closed, factor * usual.open_seconds))
        for factor, run in runs.items()
    }


def read(run: RunDirectory, lengths: tuple[float, float]) -> Launches:
    """Return the launches of one length, with the log ratios that Assay computes."""
    measured = measurements.Measurements(run.slices(), run.launches())
    ratios = {
        metric: measurements.log_ratios(measured, judging.TOPIC, *PAIR, metric)
        for metric in DECIDING_METRICS
    }
    lost = measurements.uncounted_launches(measured, judging.TOPIC)[0]
    return Launches(lengths, ratios, lost)


def spread_ratio(first: Floats, second: Floats) -> tuple[float, float, float]:
    """Return the ratio of two spreads, with its 95 % bootstrap interval.

    The interval is a percentile bootstrap over launches (Efron and Tibshirani, An
    Introduction to the Bootstrap, 1993, chapter 13).
    """
    rng = np.random.default_rng(1)

    def spread(x: Floats) -> float:
        sd = power.spread(x)
        assert sd is not None
        return sd

    resampled = [
        spread(rng.choice(first, len(first))) / spread(rng.choice(second, len(second)))
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return spread(first) / spread(second), float(low), float(high)


def table(launches: Mapping[int, Launches]) -> str:
    """Return the Markdown table of all lengths."""
    header = ["slices: closed, open", "launches", "lost"]
    for metric in DECIDING_METRICS:
        header += [f"`{metric}`: spread", "against the longest"]
    lines: list[Sequence[str]] = [header, ["---"] * len(header)]
    longest = launches[max(launches)]
    for item in launches.values():
        closed, open_ = item.lengths
        count = len(item.ratios["cpu_per_request"])
        cells = [f"{1e3 * closed:g} ms, {1e3 * open_:g} ms", str(count), str(item.lost)]
        for metric in DECIDING_METRICS:
            x, y = item.ratios[metric], longest.ratios[metric]
            spread = power.spread(x)
            cells.append("–" if spread is None else f"{100 * spread:.2f} %")
            if item is longest or min(len(x), len(y)) < MIN_LAUNCHES:
                cells.append("–")
            else:
                ratio, low, high = spread_ratio(x, y)
                cells.append(f"{ratio:.2f}× [{low:.2f}, {high:.2f}]")
        lines.append(cells)
    return markdown_rows(lines)


def main() -> None:
    """Measure, print the page, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--launches", type=int, default=40, help="of each length")
    parser.add_argument("--page", type=Path, help="also write the page to this file")
    options = parser.parse_args()
    launches = study(
        options.launches, random.Random(), lambda line: print(line, file=sys.stderr)
    )
    text = (
        "# How long should a slice be?\n\n"
        "Launches of two identical variants, in random order: with slices as long as "
        "Assay's, and with longer but fewer slices. Measuring time and arrival rate "
        "are the same. The spread is the standard deviation of the launches' log "
        "ratios, without outliers. It is the noise that a verdict has to overcome: "
        "half the spread takes a quarter of the launches. The effect of the length "
        "depends on how fast the machine's speed changes.\n\n"
        f"{table(launches)}\n\n## How to repeat it\n\n"
        "```console\n$ ./scripts/study_slices\n```\n"
    )
    publish(text, options.page)


if __name__ == "__main__":
    main()
