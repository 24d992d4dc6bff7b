"""Assay's plugin for the user's own pytest: it chooses tests, and reports on them.

It runs in the interpreter of the measured project, so it imports nothing but the
standard library and that project's pytest. It supports Python 3.9 and newer.

Two environment variables control it:

    ASSAY_TESTS    a file with a JSON list of the node ids to run; without this
                   variable all benchmarks run
    ASSAY_REPORT   the JSON file that the plugin writes its report to
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import pytest

FIXTURES = {"benchmark", "benchmark_weave"}
MOST_TEXT = 2000  # characters of a failure's text that are kept

# Options that a project sets for its test suite. Here they would distort the times
# (coverage, parallel workers), stop the run early, or change how benchmarks are run.
UNWANTED = (
    *("--benchmark", "--cache", "--cov", "--dist", "--durations", "--exitfirst"),
    *("--failed-first", "--ff", "--html", "--junit", "--last-failed", "--lf"),
    *("--maxfail", "--maxprocesses", "--new-first", "--nf", "--no-cov"),
    *("--numprocesses", "--random-order", "--reruns", "--stepwise", "--sw", "--tx"),
)
# The unwanted options, long and short, that can have their value in the next word.
WITH_VALUE = (
    *("--cov", "--cov-config", "--cov-context", "--cov-fail-under", "--cov-report"),
    *("--dist", "--durations", "--durations-min", "--html", "--junit-prefix"),
    *("--junit-xml", "--junitxml", "--maxfail", "--maxprocesses", "--numprocesses"),
    *("--random-order-bucket", "--random-order-seed", "--reruns", "--reruns-delay"),
    *("--tx", "-n", "--benchmark-calibration-precision", "--benchmark-columns"),
    *("--benchmark-compare-fail", "--benchmark-group-by", "--benchmark-max-time"),
    *("--benchmark-min-rounds", "--benchmark-min-time", "--benchmark-name"),
    *("--benchmark-save", "--benchmark-sort", "--benchmark-storage"),
    *("--benchmark-timer", "--benchmark-time-unit", "--benchmark-warmup-iterations"),
)


def without_unwanted(options: Sequence[str]) -> list[str]:
    """Return a project's options without those that benchmarks must not run with."""
    kept, value_follows = [], False
    for word in options:
        if value_follows and not word.startswith("-"):
            value_follows = False
            continue
        value_follows = word in WITH_VALUE
        if not (word.startswith(UNWANTED) or word == "-x" or _is_workers(word)):
            kept.append(word)
    return kept


def _is_workers(word: str) -> bool:
    """Say whether an option is ``-n``, ``-n4`` or ``-nauto``."""
    value = word[2:]
    return word.startswith("-n") and (
        value in ("", "auto", "logical") or value.isdigit()
    )


@pytest.hookimpl(hookwrapper=True)
def pytest_load_initial_conftests(early_config: Any, args: list[str]) -> Any:
    """Remove the unwanted options of the project's `addopts`.

    In `args`, the project's options come before Assay's own. The first of Assay's
    options loads this plugin. This hook is a wrapper, so that it runs before the hook
    of pytest-cov, which would begin to measure coverage.
    """
    if __name__ in args:
        own = args.index(__name__) - 1
        args[:] = without_unwanted(args[:own]) + args[own:]
    early_config.known_args_namespace.cov_source = None
    yield


class Recorder:
    """Records the results of this process's tests."""

    def __init__(self) -> None:
        """Begin without results."""
        self.collected: list[str] = []
        self.failed: dict[str, str] = {}
        self.skipped: dict[str, str] = {}
        self.seconds: dict[str, float] = {}

    def choose(self, config: Any, items: list[Any]) -> None:
        """Keep the chosen benchmarks, in pytest's order."""
        chosen = None
        if os.environ.get("ASSAY_TESTS"):
            with open(os.environ["ASSAY_TESTS"], encoding="utf-8") as file:
                chosen = set(json.load(file))
        kept: list[Any] = []
        left: list[Any] = []
        for item in items:
            is_benchmark = FIXTURES & set(getattr(item, "fixturenames", ()))
            wanted = is_benchmark and (chosen is None or item.nodeid in chosen)
            (kept if wanted else left).append(item)
        if left:
            config.hook.pytest_deselected(items=left)
        items[:] = kept
        self.collected = [item.nodeid for item in kept]

    def report(self, report: Any) -> None:
        """Add the report on one phase of a test: setup, call or teardown."""
        spent = self.seconds.get(report.nodeid, 0.0)
        self.seconds[report.nodeid] = spent + report.duration
        if report.failed:
            text = report.longreprtext.strip()
            self.failed.setdefault(report.nodeid, text[-MOST_TEXT:])
        elif report.skipped:
            self.skipped[report.nodeid] = str(report.longreprtext)[-MOST_TEXT:]


recorder = Recorder()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Keep the chosen benchmarks."""
    recorder.choose(config, items)


def pytest_runtest_logreport(report: Any) -> None:
    """Record how long a test took, and why it failed."""
    recorder.report(report)


def pytest_collectreport(report: Any) -> None:
    """Record that a file could not be imported, and why."""
    if report.failed:
        recorder.failed[report.nodeid] = report.longreprtext.strip()[-MOST_TEXT:]


def pytest_unconfigure() -> None:
    """Write the report."""
    path = os.environ.get("ASSAY_REPORT")
    if not path:
        return
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    written = {
        "collected": recorder.collected,
        "failed": recorder.failed,
        "skipped": recorder.skipped,
        "seconds": recorder.seconds,
        "files": sorted(file for file in files if isinstance(file, str)),
        "python": sys.version.split()[0],
        "executable": sys.executable,
    }
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(written, file)
    os.replace(path + ".part", path)
