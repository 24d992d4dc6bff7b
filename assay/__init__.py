"""Assay: is a Python web service faster, by how much, and why?

For scripts and notebooks:

    import assay

    run = assay.measure(["perf"], time_budget=120)
    print(run.results.pairs)
    run.slices.groupby("variant")["cpu_per_request"].median()

The command line does the same, with live progress: see `assay --help`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from assay.cli.load_request import LoadRequest
    from assay.load_results import LoadResults
    from assay.plan import Plan
    from assay.results import Results
    from assay.run_directory.run import RunDirectory

    __version__: str

__all__ = ["LoadTest", "Run", "__version__", "load_test", "measure", "open_run"]

# The options of `assay load` that ask for many tests.
_OF_MANY_TESTS = ("find_capacity", "slo", "most", "sweep")


@dataclass(frozen=True)
class Run:
    """A run on disk.

    Attributes:
        path: Its directory.
    """

    path: Path

    @property
    def plan(self) -> Plan:
        """The plan of the run: what was to be measured, and how."""
        return self._directory().plan()

    @property
    def results(self) -> Results:
        """The results, judged anew from the run's tables."""
        from assay.experiment.run import judge

        return judge(self._directory())

    @property
    def launches(self) -> pd.DataFrame:
        """One row per topic, launch, variant and metric; empty if nothing was measured.

        Columns: topic, launch, variant, metric, value (in the metric's unit), censored
        (whether the value is only a lower bound).
        """
        return self._directory().launches()

    @property
    def slices(self) -> pd.DataFrame:
        """One row per slice; empty if nothing was measured.

        Columns: topic, launch, and the attributes of
        `assay.run_directory.rows.SliceRow`.
        """
        return self._directory().slices()

    def samples(self, topic: str) -> pd.DataFrame:
        """Return one row per request of a topic; empty if there is none.

        Columns: launch, block, variant, mode (closed, open), scheduled, waited, start,
        end, name, user, failed, disturbed. `scheduled`, `start` and `end` are seconds
        since the run began, and `end` is NaN without an answer. `waited` is how many
        seconds an arrival waited for a user because all users waited for the target.
        """
        return self._directory().samples(topic)

    def report(self, formats: Sequence[str] = ("html",)) -> list[Path]:
        """Judge the run anew, write its reports, and return their paths.

        Args:
            formats: Some of html, markdown, junit, csv, json, pytest-benchmark.

        Raises:
            InputError: A format does not exist, or the run has no data for it.
            NotARunError: A file of the run is damaged.
        """
        from assay import report

        directory = self._directory()
        directory.write_results(self.results)
        return report.write(directory, formats)

    def _directory(self) -> RunDirectory:
        from assay.run_directory.run import RunDirectory

        return RunDirectory.open(self.path)


@dataclass(frozen=True)
class LoadTest:
    """A load test on disk.

    Attributes:
        path: Its directory.
    """

    path: Path

    @property
    def results(self) -> LoadResults:
        """The results of a single load test; times in seconds."""
        from assay.run_directory.load_run import LoadRun

        return LoadRun(self.path).results()

    def report(self, formats: Sequence[str] = ("html",)) -> list[Path]:
        """Write reports into the directory, and return their paths.

        Args:
            formats: Some of html, markdown, junit, csv, json.

        Raises:
            InputError: A format does not exist.
            NotARunError: A file of the load test is damaged.
        """
        from assay.report import load
        from assay.run_directory.load_run import LoadRun

        return load.write(LoadRun(self.path), formats)


def open_run(path: str | Path) -> Run:
    """Open the directory of a run.

    Raises:
        NotARunError: The directory has no plan.json.
    """
    from assay.run_directory.run import RunDirectory

    return Run(RunDirectory.open(Path(path)).path)


def measure(
    topics: Sequence[str | Path] | str | Path,
    output: str | Path | None = None,
    **settings: Any,
) -> Run:
    """Measure the claims of some topics, print nothing, and return the run.

    Args:
        topics: Names under `scenarios/`, folders with a claims.toml, or paths of
            claims.toml files; every topic of the working directory if empty.
        output: The run directory; a new one under `reports/` if None.
        settings: The fields of `assay.plan.Settings`: `seed`, `margin`, `confidence`,
            `time_budget` (seconds per topic), `looks` (numbers of launches),
            `profile`, `allow_hosts`. They override `[tool.assay]`.

    Raises:
        InputError: A topic does not exist, a file has mistakes, or a setting does not
            exist, has the wrong type or is out of range.
        NotARunError: `output` exists and is not empty.
        MeasureError: Something could not be measured; what was measured is kept.
    """
    import secrets

    from assay.experiment import run
    from assay.experiment.progress import Quiet
    from assay.inputs import loader
    from assay.inputs.hosts import check_hosts
    from assay.run_directory.run import RunDirectory
    from assay.system import environment

    names = [topics] if isinstance(topics, str | Path) else list(topics)
    settings = loader.check_settings(settings)
    settings.setdefault("seed", secrets.randbelow(2**32))
    folder = Path.cwd()
    plan = loader.load([str(name) for name in names], settings, "", folder)
    check_hosts(plan)
    path = Path(output) if output else _path(folder, "run")
    directory = RunDirectory.create(path, plan, environment.describe(plan))
    run.measure(plan, directory, Quiet())
    return Run(path)


def load_test(
    locustfile: str | Path,
    host: str = "",
    output: str | Path | None = None,
    **options: Any,
) -> LoadTest:
    """Run a single load test, print nothing, and return it.

    Locust's own configuration files are not read for the options of the load.

    Args:
        locustfile: An ordinary locustfile.
        host: URL that the load goes to; if empty, the host of the user class.
        output: The run directory; a new one under `reports/` if None.
        options: The options of `assay load`, with underscores: `rate="200"`,
            `users=20`, `duration="30s"`, `require="latency.p99 <= 50ms"`,
            `baseline="reports/before"`. Options that can be given several times
            (`require`, `tag`, `allow_host`) and `arguments`, which follow `--`, are a
            string or a sequence of strings. The options of a capacity search or a sweep
            are not allowed.

    Raises:
        InputError: An option is invalid or belongs to a capacity search or a sweep,
            `output` exists and is not empty, the locustfile is missing or cannot be
            imported, or `baseline` has no results of a single load test.
        TypeError: An option does not exist.
        MeasureError: The test failed; what was measured is kept.
    """
    from assay.cli import load, load_request
    from assay.errors import InputError
    from assay.load_tests import run
    from assay.load_tests.progress import Quiet

    other = [name for name in _OF_MANY_TESTS if options.get(name) not in (None, False)]
    if other:
        raise InputError(
            f"load_test: {', '.join(other)}: this function runs a single test; leave "
            "out the options of a capacity search or a sweep, or type: assay load FILE "
            "--find-capacity --slo OBJECTIVE, or --sweep 1,2,4,8"
        )
    request = _load_request(str(locustfile), host, options)
    plan = load_request.make_plan(request, None)
    former = load.read_former(request)
    path = Path(output) if output else _path(Path.cwd(), "load")
    run.measure(plan, load.create_run(plan, path, former), Quiet())
    return LoadTest(path)


def _load_request(locustfile: str, host: str, options: dict[str, Any]) -> LoadRequest:
    """Return the options of a load test in the form that the command line uses.

    Raises:
        InputError: The number of users is invalid.
        TypeError: An option does not exist.
    """
    import secrets

    from assay.cli.load_request import LoadRequest, parse_users

    given = {"seed": secrets.randbelow(2**32), **options}
    if given.get("users") is not None:
        given["users"] = parse_users(str(given["users"]))
    if given.get("baseline") is not None:
        given["baseline"] = Path(given["baseline"])
    for name in ("allow_host", "arguments", "require", "tag"):
        texts = given.get(name) or ()
        given[name] = (texts,) if isinstance(texts, str) else tuple(texts)
    return LoadRequest(locustfile, host=host, **given)


def _path(folder: Path, kind: str) -> Path:
    from datetime import datetime

    return folder / "reports" / f"{datetime.now():%Y-%m-%dT%H-%M-%S}-{kind}"


def __getattr__(name: str) -> str:
    """Return `__version__`. It is looked up on demand: the look-up reads files."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("assay")
