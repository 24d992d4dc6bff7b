"""Which changes does `assay history` find, and how often does it find false ones?

Series of 60 runs are drawn with noise of several kinds. One run of each series is an
outlier. Some series never change, some change from run 20 and back from run 45, and
some grow steadily. So the study knows which changes are there.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.analysis import change_points
from assay.analysis.change_points import Findings
from assay.analysis.statistics import binomial_interval
from assay.wording import percent
from scripts.studies.pages import markdown_table, publish

Floats = NDArray[np.float64]

RUNS = 60
CHANGES = (20, 45)
OUTLIER, OUTLIER_FACTOR = 33, 1.3
NORMAL, HEAVY, CORRELATED = "normal", "heavy tails", "correlated"
NOISES = {
    NORMAL: "the normal distribution",
    HEAVY: "Student's t with 3 degrees of freedom, scaled to this deviation",
    CORRELATED: "the normal distribution, neighbouring runs correlated by 0.3",
}
CORRELATION = 0.3
DEVIATIONS = (0.01, 0.02)
SIZES = (0.03, 0.05, 0.10)
DRIFT = 0.10


@dataclass(frozen=True)
class Cell:
    """The findings in many series with the same noise and standard deviation.

    Attributes:
        series: The number of series.
        false: How many series that never change had a finding.
        exact: For each size of the changes, the number of series in which both were
            found and nothing else.
        found: For each size, the number of changes that were found, over all series.
        other: For each size, the number of all other findings, changes or trends.
        drifts: How many steadily growing series were found to have a trend.
    """

    noise: str
    deviation: float
    series: int
    false: int
    exact: dict[float, int]
    found: dict[float, int]
    other: dict[float, int]
    drifts: int


def draw(noise: str, deviation: float, seed: Sequence[int]) -> Floats:
    """Return the logs of a series that never changes, with its outlier."""
    random = np.random.default_rng(seed)
    if noise == HEAVY:
        logs = random.standard_t(3, RUNS) / math.sqrt(3)
    else:
        logs = random.normal(0, 1, RUNS)
    if noise == CORRELATED:
        for run in range(1, RUNS):
            new = math.sqrt(1 - CORRELATION**2) * logs[run]
            logs[run] = CORRELATION * logs[run - 1] + new
    logs = deviation * logs
    logs[OUTLIER] += math.log(OUTLIER_FACTOR)
    return logs


def changed(logs: Floats, size: float) -> Floats:
    """Return the logs with a change of this size, and the change back."""
    logs = logs.copy()
    logs[slice(*CHANGES)] += math.log1p(size)
    return logs


def count(findings: Findings) -> tuple[int, int]:
    """Return how many true changes were found, and how many other findings there are.

    A change is found if its place is in the range that Assay names.
    """
    found = {
        change
        for change in CHANGES
        for shift in findings.shifts
        if shift.earliest <= change <= shift.latest
    }
    others = len(findings.shifts) - len(found) + bool(findings.trend)
    return len(found), others


def measure(noise: str, deviation: float, series: int) -> Cell:
    """Examine many series with this noise, without and with changes."""
    false = drifts = 0
    exact, found, other = (dict.fromkeys(SIZES, 0) for _ in range(3))
    for seed in range(series):
        logs = draw(noise, deviation, (seed, 0))
        nothing = change_points.examine(logs)
        false += bool(nothing.shifts or nothing.trend)
        for size in SIZES:
            hits, others = count(change_points.examine(changed(logs, size)))
            found[size] += hits
            other[size] += others
            exact[size] += hits == len(CHANGES) and not others
        growth = np.linspace(0, math.log1p(DRIFT), RUNS)
        drifts += bool(change_points.examine(logs + growth).trend)
    return Cell(noise, deviation, series, false, exact, found, other, drifts)


def share(number: int, total: int) -> str:
    """Return a share with its 95 % interval."""
    low, high = binomial_interval(number, total)
    return f"{percent(number / total)} [{percent(low)}, {percent(high)}]"


def tables(cells: Sequence[Cell]) -> str:
    """Return the table of the findings, with a row for each cell."""
    rows = []
    for cell in cells:
        row = [cell.noise, percent(cell.deviation), share(cell.false, cell.series)]
        for size in SIZES:
            found = percent(cell.found[size] / (len(CHANGES) * cell.series))
            other = percent(cell.other[size] / cell.series)
            exact = percent(cell.exact[size] / cell.series)
            row.append(f"{exact} ({found}; {other})")
        rows.append([*row, percent(cell.drifts / cell.series)])
    header = ["noise", "deviation", "no change: something found"]
    header += [f"two changes of {percent(size)}" for size in SIZES]
    return markdown_table([*header, f"drift of {percent(DRIFT)}: named"], rows)


def page(cells: Sequence[Cell]) -> str:
    """Return the page."""
    kinds = "\n".join(f"- *{name}*: {text}" for name, text in NOISES.items())
    return (
        "# Which changes does `assay history` find?\n\n"
        f"Each row has {cells[0].series} series of {RUNS} runs, drawn with noise of a "
        "known standard deviation. One run of each is an outlier, "
        f"{OUTLIER_FACTOR:g} times the others.\n\n"
        "- *No change*: the share of series in which anything was found, with its 95 % "
        "interval.\n"
        f"- *Two changes*: the level changes from run {CHANGES[0]}, and back from run "
        f"{CHANGES[1]}. The share of series in which both were found and nothing "
        "else; in brackets the share of the changes that were found, and how many "
        "others were found for each hundred series. A change counts as found if the "
        "range of runs that Assay names contains it; most of the others are true "
        "changes whose range is wrong.\n"
        f"- *Drift*: the share of series growing steadily by {percent(DRIFT)} that "
        "were said to drift. Most of the others were described by levels.\n\n"
        f"Noise:\n\n{kinds}\n\n{tables(cells)}\n\n"
        "## How to repeat it\n\n```console\n$ ./scripts/study_history\n```\n"
    )


def main() -> None:
    """Examine series of all kinds, print the page, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=400, help="of each kind")
    parser.add_argument("--page", type=Path, help="also write the page to this file")
    options = parser.parse_args()
    cells = [
        measure(noise, deviation, options.series)
        for noise in NOISES
        for deviation in DEVIATIONS
    ]
    publish(page(cells), options.page)


if __name__ == "__main__":
    main()
