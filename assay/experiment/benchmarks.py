"""Micro-benchmarks: ordinary pytest-benchmark tests, one launch at a time.

A launch is a fresh pytest process that runs the tests of one side; its median is one
number. Comparing two medians of single runs, as pytest-benchmark's own
``--benchmark-compare-fail`` does, raises a false alarm on identical code in 15 to
26 % of cases. Therefore the sides are launched in random alternation, and the launches
decide, not the rounds inside one launch.
"""

import json
import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from assay.errors import MeasureError
from assay.experiment.context import Experiment
from assay.experiment.deadlines import NEVER, Deadline
from assay.inputs.benchmark_nodes import nodes_of
from assay.plan import Preset, Topic, Variant
from assay.run_directory import rows
from assay.system import processes

# Seconds of measuring per test. Within a launch the noise is slow drift of the host,
# which more launches average out, but more rounds do not.
MEASURING_SECONDS = 0.2
LAUNCH_TIMEOUT = 120.0

# Importing these plugins takes longer than a benchmark, and coverage slows it down.
# (Hypothesis tests run without their plugin, too: it only reports on them.)
SLOW_PLUGINS = ("pytest_cov", "hypothesispytest", "schemathesis", "playwright")

OPTIONS = (
    "-q",
    "-p",
    "no:cacheprovider",
    # Options of the surrounding project are for its test suite: coverage, parallel
    # workers or -x would be measured too.
    "--override-ini=addopts=",
    *(f"-pno:{plugin}" for plugin in SLOW_PLUGINS),
    "--benchmark-only",
    f"--benchmark-max-time={MEASURING_SECONDS}",
    # Keeps a slow test (0.1 s a call) near the time above. It is the default, too, but
    # a project may set another.
    "--benchmark-min-rounds=5",
    # A garbage collection walks pytest's heap, not the tested function's, and would
    # fall into some rounds and not others. A test can turn it on by its own marker.
    "--benchmark-disable-gc",
    "--benchmark-warmup=off",
)


@dataclass
class BenchmarkSession:
    """Launches of pytest-benchmark tests.

    Attributes:
        experiment: The running experiment.
        topic: The topic with the benchmarks.
        folder: A folder for temporary files.
        cut: Whether the deadline cut the last launch short, which never happens.
    """

    experiment: Experiment
    topic: Topic
    folder: Path
    cut: bool = False

    def launch(self, number: int, deadline: Deadline = NEVER) -> bool:
        """Run every side once, in random order; no launch is cut short."""
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
        """Micro-benchmarks have no server to attach a profiler to."""

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
    """Run one launch of one side.

    Args:
        topic: A topic with benchmarks.
        variant: The side: its `tests`, or all the topic's benchmarks with its
            environment variables.
        folder: A folder for temporary files.
        cores: Cores to pin it to; empty means no pinning.

    Returns:
        The median seconds of one call; for several tests, the geometric mean of their
        medians, so that each test counts by its ratio and not by its duration.

    Raises:
        MeasureError: A test fails, none is selected, or pytest cannot run.
    """
    nodes = [str(topic.folder / node) for node in nodes_of(topic, variant)]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="launch-", dir=folder) as name:
        out = Path(name, "benchmark.json")
        command = [sys.executable, "-m", "pytest", *OPTIONS]
        command += [f"--rootdir={topic.folder}", f"--benchmark-json={out}", *nodes]
        child = processes.start(
            f"{topic.name}, variant {variant.name}",
            command,
            log=Path(name, "pytest.log"),
            cwd=topic.target.cwd,
            env=_environment(topic, variant),
            cores=cores,
        )
        try:
            finished = child.wait(LAUNCH_TIMEOUT)
        finally:
            child.stop()
        if not finished:
            raise MeasureError(
                f"{child.name}: pytest did not end within {LAUNCH_TIMEOUT:g} s; a "
                "launch should take about a second, so name fewer or quicker tests; "
                f"its last lines:\n{child.last_lines()}"
            )
        if child.exit_code() != 0 or not out.is_file():
            raise MeasureError(_failure_message(child, nodes))
        return _geometric_mean(out, child.name)


def _environment(topic: Topic, variant: Variant) -> dict[str, str]:
    environment = {**os.environ, **topic.target.env, **variant.env}
    # A surrounding pytest would add options to the command above, or have
    # pytest-benchmark take this one for a parallel worker, which it does not time.
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        environment.pop(name, None)
    return environment


def _failure_message(child: processes.Child, nodes: Sequence[str]) -> str:
    """Say why pytest gave no result, and what to do about it."""
    log = child.log.read_text(encoding="utf-8", errors="replace")
    log_tail = f"; its last lines:\n{child.last_lines(20)}"
    chosen = " ".join(nodes)
    if "No module named pytest" in log or re.search(
        r"unrecognized arguments:.*--benchmark-only", log
    ):
        return (
            f"{child.name}: pytest-benchmark is not active in Assay's environment; "
            "type: python -m pip install pytest-benchmark, and check that "
            f"PYTEST_DISABLE_PLUGIN_AUTOLOAD is not set{log_tail}"
        )
    if child.exit_code() in (0, 5) or "ERROR: not found" in log:
        return (
            f"{child.name}: no benchmark was run by {chosen}; a benchmark is a test "
            f"that uses the fixture `benchmark`{log_tail}"
        )
    return (
        f"{child.name}: pytest failed (exit code {child.exit_code()}); run it alone: "
        f"python -m pytest {chosen}{log_tail}"
    )


def _geometric_mean(out: Path, name: str) -> float:
    try:
        result = json.loads(out.read_text(encoding="utf-8"))
        medians = [float(test["stats"]["median"]) for test in result["benchmarks"]]
    except (ValueError, KeyError, TypeError) as error:
        raise MeasureError(
            f"{name}: pytest-benchmark's result cannot be read: {error}; Assay needs "
            "pytest-benchmark 5.1 or newer"
        ) from error
    if not medians or min(medians) <= 0:
        raise MeasureError(
            f"{name}: pytest-benchmark gave no time greater than 0; is the test empty?"
        )
    return math.exp(math.fsum(map(math.log, medians)) / len(medians))
