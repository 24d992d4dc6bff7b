"""Micro-benchmarks: ordinary pytest-benchmark tests, one launch at a time.

A launch runs each side once, in a fresh pytest process, and gives one number for each
side: the median time. Comparing two medians of single runs, as pytest-benchmark's own
``--benchmark-compare-fail`` does, raises a false alarm on identical code in 15 to
26 % of cases. Therefore there are many launches, each with the sides in random order,
and the scatter between launches decides, not the rounds inside one launch.
"""

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from assay.errors import MeasureError
from assay.experiment import pytest_process, suite
from assay.experiment.context import Experiment
from assay.experiment.deadlines import NEVER, Deadline
from assay.experiment.pytest_process import Ran, Selection
from assay.plan import Preset, Topic, Variant
from assay.run_directory import rows

# Seconds of measuring per test. Most noise is slow drift of the host. More launches
# average it out; more rounds in one launch do not.
MEASURING_SECONDS = 0.2
LAUNCH_TIMEOUT = 120.0

# Importing these plugins takes longer than a benchmark, and coverage slows benchmarks
# down. (Hypothesis tests also run without their plugin, which only reports on them.)
SLOW_PLUGINS = ("pytest_cov", "hypothesispytest", "schemathesis", "playwright")

OPTIONS = (
    # The project's own options are meant for its test suite. Coverage or parallel
    # workers would distort the times, and -x would end the run early.
    "--override-ini=addopts=",
    *(f"-pno:{plugin}" for plugin in SLOW_PLUGINS),
    *suite.OPTIONS,
    f"--benchmark-max-time={MEASURING_SECONDS}",
    # With five rounds, a slow test (0.1 s a call) stays near `MEASURING_SECONDS`. Five
    # is the default of pytest-benchmark, too, but a project may set another number.
    "--benchmark-min-rounds=5",
)


@dataclass
class BenchmarkSession:
    """Launches of pytest-benchmark tests.

    Attributes:
        experiment: The running experiment.
        topic: The topic with the benchmarks.
        folder: A folder for temporary files.
        cut: Whether the deadline cut the last launch short: always False here.
    """

    experiment: Experiment
    topic: Topic
    folder: Path
    cut: bool = False

    def launch(self, number: int, deadline: Deadline = NEVER) -> bool:
        """Run every side once, in random order; return True, since the launch counts.

        The deadline does not cut a launch short.
        """
        order = list(self.topic.variants)
        self.experiment.rng(self.topic, number).shuffle(order)
        values: dict[tuple[str, str], tuple[float, bool]] = {}
        began = time.perf_counter()
        for variant in order:
            seconds = measure(
                self.topic, variant, self.folder, self.experiment.cores.target
            )
            values[variant.name, "time"] = seconds, False
        values["", "seconds"] = time.perf_counter() - began, False
        table = rows.values(self.topic.name, number, values)
        self.experiment.run.append_launch(self.topic.name, number, [], table, None)
        return True

    def profile(self) -> None:
        """Do nothing: micro-benchmarks have no server to attach a profiler to."""

    def profile_variant(
        self, name: str, presets: Sequence[Preset], rate: float | None
    ) -> NoReturn:
        """Refuse: there is no server.

        Raises:
            MeasureError: Always.
        """
        raise MeasureError(
            f"{self.topic.file}: profiles need a server under load, and this topic "
            "has benchmarks"
        )


def measure(
    topic: Topic, variant: Variant, folder: Path, cores: Sequence[int] = ()
) -> float:
    """Run one side of a launch.

    Args:
        topic: A topic with benchmarks.
        variant: The side. Its own `tests` are run, or else all benchmarks of the topic,
            with the variant's environment variables.
        folder: A folder for temporary files.
        cores: Cores to pin pytest to; empty means no pinning.

    Returns:
        The median seconds of one call; for several tests, the geometric mean of their
        medians, so that a ratio gives each test the same weight, whatever its duration.

    Raises:
        MeasureError: A test fails, none is selected, or pytest cannot run.
    """
    nodes = suite.paths_of(topic, variant)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="launch-", dir=folder) as name:
        ran = pytest_process.run(
            suite.place_of(topic, variant),
            Selection(nodes, OPTIONS),
            Path(name),
            LAUNCH_TIMEOUT,
            cores=cores,
        )
    if ran.exit_code or not ran.medians:
        raise MeasureError(_failure_message(topic, variant, ran, nodes))
    logs = [math.log(median) for median in ran.medians.values()]
    return math.exp(math.fsum(logs) / len(logs))


def _failure_message(
    topic: Topic, variant: Variant, ran: Ran, nodes: Sequence[str]
) -> str:
    """Say why pytest gave no result, and how to solve the problem."""
    side = f"{topic.name}, variant {variant.name}"
    chosen = " ".join(nodes)
    if ran.exit_code in pytest_process.NOTHING_RAN or "ERROR: not found" in ran.said:
        return (
            f"{side}: no benchmark was run by {chosen}; a benchmark is a test that "
            f"uses the fixture `benchmark`, and takes time; its last lines:\n{ran.said}"
        )
    return (
        f"{side}: pytest failed (exit code {ran.exit_code}); run it alone: python -m "
        f"pytest {chosen}; its last lines:\n{ran.said}"
    )
