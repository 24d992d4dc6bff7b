"""Runs a package's benchmarks: to calibrate a slow-down, and as the rival does.

The benchmarks run in the checkouts and environments that `assay compare` makes.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from assay.experiment import pytest_process, suite
from assay.experiment.suite_schedule import Effort
from assay.plan import Topic, Variant
from assay.subject import questions, sides
from assay.subject.environments import Recipe
from scripts.studies.suites_packages import (
    BASE,
    PLANTED,
    PROBE,
    Package,
    slow_down,
)

SLOWDOWN = 0.10  # share of the benchmark's time that the planted loop adds to it
# A test to which the loop adds a smaller share does not count as one that runs it. The
# calibration is not precise enough for smaller shares.
MIN_SHARE = 0.01
CALIBRATION_LAUNCHES = 5
CALIBRATION_EFFORT = Effort(seconds=0.05, rounds=3)
# The least share that the probe's loop must add. A smaller one would be mostly noise.
MIN_PROBE_SHARE = 0.3
LIMIT = 0.05  # the largest increase of the median that the rival lets pass
RIVAL_OPTION = f"--benchmark-compare-fail=median:{LIMIT:.0%}"
TIMEOUT = 1200.0  # seconds of one run of the whole suite

Ratios = Mapping[str, float]


@dataclass(frozen=True)
class Planted:
    """A slow-down of a package, as it was calibrated.

    Attributes:
        rounds: The rounds of the loop.
        seconds: The time of the benchmark without the loop.
        shares: For each test, the share of its time that the loop adds; only tests with
            at least `MIN_SHARE`.
    """

    rounds: int
    seconds: float
    shares: Ratios


@dataclass(frozen=True)
class Rival:
    """The numbers of pytest-benchmark's own comparison.

    Attributes:
        ratios: For each test, the median of the head / the median of the base.
        seconds: Wall-clock time of both runs of the suite.
    """

    ratios: Ratios
    seconds: float


def topic_of(package: Package, place: Path, head: str) -> Topic:
    """Check out and build both sides; return the topic that `assay compare` measures.

    Args:
        package: The package.
        place: Its repository.
        head: The branch that is compared with `BASE`.
    """
    recipe = Recipe(build=package.build or None)
    both = sides.both(place, BASE, head, recipe, _note)
    question = questions.Question(benchmarks=package.benchmarks)
    (topic,) = questions.plan_of(both, question, {}, "", _note).topics
    return topic


def _note(text: str) -> None:
    print(f"  {text}")


def planted(package: Package, place: Path, output: Path) -> Planted:
    """Add the commit with the slow-down, and return the slow-down.

    The slow-down is calibrated once, and read from a file afterwards.

    Args:
        package: The package.
        place: Its repository.
        output: The study's folder.
    """
    file = output / "calibrations" / f"{package.name}-{package.version}.json"
    if not file.exists():
        calibrated = calibrate(package, place, output / "scratch")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(calibrated), indent=1), encoding="utf-8")
    stored = Planted(**json.loads(file.read_text(encoding="utf-8")))
    slow_down(package, place, PLANTED, stored.rounds)
    return stored


def calibrate(package: Package, place: Path, scratch: Path) -> Planted:
    """Measure what the probe's loop adds, and scale it to the slow-down.

    Args:
        package: The package.
        place: Its repository.
        scratch: A folder for temporary files.

    Raises:
        SystemExit: The loop adds too little to calibrate by.
    """
    slow_down(package, place, PROBE, package.probe_rounds)
    topic = topic_of(package, place, PROBE)
    medians: dict[str, list[Ratios]] = {variant.name: [] for variant in topic.variants}
    for launch in range(CALIBRATION_LAUNCHES):
        for variant in topic.variants:
            folder = scratch / f"{package.name}-{launch}-{variant.name}"
            medians[variant.name].append(_medians(topic, variant, folder))
    before, after = medians.values()
    return scaled(package, before, after)


def _medians(topic: Topic, variant: Variant, folder: Path) -> Ratios:
    """Run the whole suite once, and return the median of each test in seconds."""
    selection = pytest_process.Selection(
        suite.paths_of(topic, variant), [*suite.OPTIONS, *CALIBRATION_EFFORT.options]
    )
    place = suite.place_of(topic, variant)
    return pytest_process.run(place, selection, folder, TIMEOUT).medians


def scaled(
    package: Package, before: Sequence[Ratios], after: Sequence[Ratios]
) -> Planted:
    """Return the slow-down that adds `SLOWDOWN` to the package's benchmark.

    Args:
        package: The package, with the rounds of the probe.
        before: The medians of each launch without the probe's loop.
        after: The medians of each launch with it.

    Raises:
        SystemExit: The loop adds too little to calibrate by.
    """
    added = {
        test: statistics.median(b[test] / a[test] for a, b in zip(before, after)) - 1
        for test in before[0]
        if all(test in launch for launch in (*before, *after))
    }
    share = added.get(package.test, 0.0)
    if share < MIN_PROBE_SHARE:
        sys.exit(
            f"{package.full_name}: {package.probe_rounds} rounds add {share:.0%} to "
            f"{package.test}: give the probe more rounds"
        )
    scale = SLOWDOWN / share
    shares = {test: round(scale * x, 4) for test, x in added.items()}
    return Planted(
        max(1, round(scale * package.probe_rounds)),
        statistics.median(launch[package.test] for launch in before),
        {test: x for test, x in shares.items() if x >= MIN_SHARE},
    )


def compare_by_rival(topic: Topic, folder: Path) -> Rival:
    """Run the suite on the base and then on the head; pytest-benchmark compares them.

    Args:
        topic: What `topic_of` returned.
        folder: A folder for its files.

    Raises:
        SystemExit: A run of the suite wrote no results.
    """
    base, head = topic.variants
    folder.mkdir(parents=True, exist_ok=True)
    saved, new = folder / "base.json", folder / "head.json"
    began = time.monotonic()
    _run_suite(topic, base, saved)
    against = [f"--benchmark-compare={saved}", RIVAL_OPTION]
    _run_suite(topic, head, new, *against)
    seconds = round(time.monotonic() - began, 1)
    return Rival(ratios_of(_read(saved), _read(new)), seconds)


def _run_suite(topic: Topic, variant: Variant, result: Path, *more: str) -> None:
    """Run the suite as users of pytest-benchmark do, and write the results to a file.

    Raises:
        SystemExit: There are no results.
    """
    command = [str(suite.interpreter(topic, variant)), "-m", "pytest"]
    command += ["-p", "no:cacheprovider", *suite.paths_of(topic, variant)]
    # Some projects switch benchmarks off in their own options.
    command += ["--benchmark-only", "--benchmark-enable"]
    command += [f"--benchmark-storage=file://{result.parent}"]
    command += [f"--benchmark-json={result}", *more]
    result.unlink(missing_ok=True)
    ended = subprocess.run(
        command,
        cwd=topic.cwd_of(variant),
        env={**os.environ, **variant.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
    )
    if not result.exists() or not result.stat().st_size:
        sys.exit(f"pytest-benchmark gave no numbers:\n{ended.stdout[-2000:]}")


def _read(file: Path) -> Ratios:
    """Return the medians of a file that pytest-benchmark wrote, in seconds."""
    benchmarks = json.loads(file.read_text(encoding="utf-8"))["benchmarks"]
    return {one["fullname"]: one["stats"]["median"] for one in benchmarks}


def ratios_of(before: Ratios, after: Ratios) -> dict[str, float]:
    """Return after / before of the tests that both have, in the order of `after`."""
    return {
        test: round(value / before[test], 4)
        for test, value in after.items()
        if before.get(test)
    }
