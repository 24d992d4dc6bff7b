"""One pytest process that runs benchmarks in the measured project's interpreter."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from assay.errors import MeasureError
from assay.system import processes

PLUGIN = "assay_benchmark_plugin"
PLUGIN_FOLDER = Path(__file__).parent / "benchmark_plugin"
# pytest's exit codes if all tests that ran passed (0), or if no test was found (5). If
# no benchmark has a time and the exit code is one of these, no benchmark ran.
NOTHING_RAN = (0, 5)
USAGE_ERROR = 4
# If Assay itself runs under pytest, these variables would add options, or would make
# pytest-benchmark take this process for a parallel worker, in which it times nothing.
UNWANTED_VARIABLES = (
    "PYTEST_ADDOPTS",
    "PYTEST_XDIST_WORKER",
    "PYTEST_XDIST_WORKER_COUNT",
    "PYTEST_CURRENT_TEST",
)


@dataclass(frozen=True)
class Place:
    """The interpreter and the folders in which the benchmarks of one side run.

    Attributes:
        name: The name of the side in messages.
        python: The interpreter.
        cwd: The working directory.
        env: All environment variables.
        rootdir: The folder that node ids are relative to; if None, pytest finds one.
    """

    name: str
    python: Path
    cwd: Path
    env: Mapping[str, str]
    rootdir: Path | None = None


@dataclass(frozen=True)
class Ran:
    """The results of one process.

    Attributes:
        medians: The median seconds of one call, by node id.
        failed: Why a test or the import of its file failed, by node id.
        skipped: Why a test was skipped, by node id.
        collected: Node ids of the chosen benchmarks, in pytest's order.
        seconds: How long each test took in total.
        files: The files of the modules that were imported.
        python: The version of the interpreter.
        exit_code: pytest's exit code.
        said: The last lines of pytest's output.
    """

    medians: Mapping[str, float] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    collected: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    python: str = ""
    exit_code: int = 0
    said: str = ""


@dataclass(frozen=True)
class Selection:
    """The benchmarks of one process, and how they run.

    Attributes:
        paths: The files, folders or nodes to collect.
        options: Options of pytest and of pytest-benchmark.
        tests: Node ids of the tests to run; None for all.
    """

    paths: Sequence[str]
    options: Sequence[str]
    tests: Sequence[str] | None = None


class _Report(BaseModel):
    """The file that Assay's plugin writes."""

    collected: tuple[str, ...]
    failed: dict[str, str]
    skipped: dict[str, str]
    seconds: dict[str, float]
    files: tuple[str, ...]
    python: str
    executable: str


class _Stats(BaseModel):
    model_config = ConfigDict(extra="ignore")
    median: float


class _Benchmark(BaseModel):
    model_config = ConfigDict(extra="ignore")
    fullname: str
    stats: _Stats


class _Benchmarks(BaseModel):
    """The file that pytest-benchmark writes."""

    model_config = ConfigDict(extra="ignore")
    benchmarks: tuple[_Benchmark, ...]


def collect(place: Place, paths: Sequence[str], folder: Path, timeout: float) -> Ran:
    """Find the benchmarks of one side without running them.

    Raises:
        MeasureError: pytest cannot run.
    """
    return _run(place, [*paths, "--collect-only"], folder, timeout, None, None, ())


def run(
    place: Place,
    selection: Selection,
    folder: Path,
    timeout: float,
    hash_seed: int | None = None,
    cores: Sequence[int] = (),
) -> Ran:
    """Run benchmarks once.

    Args:
        place: The interpreter and the folders in which the benchmarks run.
        selection: The benchmarks to run.
        folder: The folder for the files of this process.
        timeout: Seconds after which the process is ended.
        hash_seed: The seed of the hashes of strings, which decides the order of sets.
        cores: Cores to pin the process to; empty means no pinning.

    Raises:
        MeasureError: pytest cannot run, or does not end in time.
    """
    words = [*selection.paths, *selection.options]
    words.append(f"--benchmark-json={folder / 'benchmark.json'}")
    return _run(place, words, folder, timeout, selection.tests, hash_seed, cores)


def _run(
    place: Place,
    words: Sequence[str],
    folder: Path,
    timeout: float,
    tests: Sequence[str] | None,
    hash_seed: int | None,
    cores: Sequence[int],
) -> Ran:
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report.json"
    env = {
        name: value
        for name, value in place.env.items()
        if name not in UNWANTED_VARIABLES
    }
    env["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(PLUGIN_FOLDER), env.get("PYTHONPATH", "")])
    )
    env["ASSAY_REPORT"] = str(report)
    if tests is not None:
        chosen = folder / "tests.json"
        chosen.write_text(json.dumps(list(tests)), encoding="utf-8")
        env["ASSAY_TESTS"] = str(chosen)
    if hash_seed is not None:
        env["PYTHONHASHSEED"] = str(hash_seed)
    command = [str(place.python), "-m", "pytest", "-p", PLUGIN, "-q"]
    command += ["-p", "no:cacheprovider"]
    command += [f"--rootdir={place.rootdir}"] if place.rootdir else []
    child = processes.start(
        place.name,
        [*command, *words],
        log=folder / "pytest.log",
        cwd=place.cwd,
        env=env,
        cores=cores,
    )
    try:
        ended = child.wait(timeout)
    finally:
        child.stop()
    if not ended:
        raise MeasureError(
            f"{place.name}: pytest did not end within {timeout:g} s; its last "
            f"lines:\n{child.last_lines()}"
        )
    if not report.is_file():
        raise MeasureError(_reason_for_nothing(child, place))
    ran = _read(report, folder / "benchmark.json", place.name)
    code = child.exit_code() or 0
    return replace(ran, exit_code=code, said=child.last_lines(20))


def _read(report: Path, benchmarks: Path, name: str) -> Ran:
    """Read the files that a process wrote.

    Raises:
        MeasureError: A file cannot be read.
    """
    try:
        told = _Report.model_validate_json(report.read_bytes())
        medians = {}
        if benchmarks.is_file() and benchmarks.stat().st_size:
            timed = _Benchmarks.model_validate_json(benchmarks.read_bytes())
            medians = {one.fullname: one.stats.median for one in timed.benchmarks}
    except ValidationError as error:
        raise MeasureError(
            f"{name}: pytest-benchmark's result cannot be read: {error}; Assay needs "
            "pytest-benchmark 4 or newer"
        ) from error
    return Ran(
        medians={
            test: median
            for test, median in medians.items()
            if median > 0 and test not in told.failed
        },
        failed=told.failed,
        skipped=told.skipped,
        collected=told.collected,
        seconds=told.seconds,
        files=told.files,
        python=told.python,
    )


def _reason_for_nothing(child: processes.Child, place: Place) -> str:
    """Say why pytest wrote no report, and how to solve the problem."""
    log = child.log.read_text(encoding="utf-8", errors="replace")
    tail = f"; its last lines:\n{child.last_lines(20)}"
    if "No module named pytest" in log or re.search(
        r"unrecognized arguments:.*--benchmark", log
    ):
        return (
            f"{place.name}: pytest-benchmark is not active in {place.python}; type: "
            f"{place.python} -m pip install pytest-benchmark, and check that "
            f"PYTEST_DISABLE_PLUGIN_AUTOLOAD is not set{tail}"
        )
    return (
        f"{place.name}: pytest ended with exit code {child.exit_code()} before it ran "
        f"a test{tail}"
    )
