"""Reads what a history needs of a run: its date, machine, method, commits and numbers.

A later version of Assay may have written the files. As long as `schema` stays the same,
that version may add fields, but the fields that are read here keep their meaning. So
the types here ignore unknown fields, unlike the types that read a run directory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from assay.load_results import LOAD_SCHEMA
from assay.metrics import SPREAD_FIELDS
from assay.plan import Data
from assay.results import SCHEMA
from assay.run_directory.directory import ENVIRONMENT, RESULTS, NotARunError
from assay.run_directory.load_run import CAPACITY, SWEEP, LoadRun
from assay.run_directory.places import Place
from assay.run_directory.run import RunDirectory
from assay.system import redaction

# The metrics that a history shows for each request of a load test.
LOAD_TEST_METRICS = (*(f"latency.{name}" for name in SPREAD_FIELDS), "service.p50")
MANY_TESTS = "it has many load tests; a history needs runs of a single test"


class Measured(Data):
    """One number of a run, with its load; the other fields are as in `Series`."""

    kind: Literal["values", "comparisons"]
    topic: str
    test: str = ""
    variant: str
    baseline: str = ""
    metric: str
    load: str
    value: float
    low: float | None
    high: float | None


class Record(Data):
    """What a history needs of one run.

    Attributes:
        run: The name of the run.
        date: The time when it began.
        machine: The machine, in words.
        assay: Assay's version and the schema of its results, in words.
        commits: Commits by the name of a topic, a locustfile or a side.
        versions: Versions of packages, of the system and of Python, by their names.
        measured: All finite numbers of the run that are not only bounds.
    """

    run: str
    date: datetime
    machine: str
    assay: str
    commits: dict[str, str]
    versions: dict[str, str]
    measured: tuple[Measured, ...]

    def commit(self, topic: str, variant: str) -> str:
        """Return the commit of a variant of a topic; empty if it is unknown.

        If neither the variant nor the topic has a commit, return the run's commit,
        provided that the run has exactly one.
        """
        for name in (variant, topic):
            if name in self.commits:
                return self.commits[name]
        commits = set(self.commits.values())
        return commits.pop() if len(commits) == 1 else ""


class _Read(BaseModel):
    """The base of all types that are read here; they ignore unknown fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Cores(_Read):
    target: tuple[int, ...] = ()
    generator: tuple[int, ...] = ()


class _Environment(_Read):
    started: AwareDatetime
    platform: str = "unknown system"
    cpu: str = "unknown CPU"
    cores: _Cores = _Cores()
    memory: int = 0
    python: str = ""
    versions: dict[str, str] = {}
    commits: dict[str, str] = {}

    def machine(self) -> str:
        """Return a text that identifies the machine.

        The text has the CPU, the numbers of pinned cores, the memory in GiB, the main
        version of the kernel, and the Python version without its patch number.
        """
        system, _, rest = self.platform.partition("-")
        kernel = f"{system} {rest.partition('.')[0]}" if rest[:1].isdigit() else system
        target, generator = len(self.cores.target), len(self.cores.generator)
        parts = [
            self.cpu or "unknown CPU",
            f"{target} + {generator} cores" if target else "cores not pinned",
            f"{self.memory / 2**30:.0f} GiB",
            kernel,
        ]
        if self.python:
            parts.append(f"Python {_without_patch(self.python)}")
        return ", ".join(parts)

    def all_versions(self) -> dict[str, str]:
        """Return the versions of all software that may explain a change."""
        return {"system": self.platform, "Python": self.python, **self.versions}


class _Value(_Read):
    topic: str
    test: str = ""
    variant: str
    metric: str
    value: float
    low: float | None
    high: float | None
    censored: bool = False


class _Comparison(_Read):
    topic: str
    test: str = ""
    baseline: str
    candidate: str
    metric: str
    ratio: float | None
    low: float | None
    high: float | None
    censored: str = ""


class _Results(_Read):
    run: str
    partial: bool
    comparisons: tuple[_Comparison, ...] = ()
    values: tuple[_Value, ...] = ()


class _Scenario(_Read):
    locustfile: str | None = None
    load: dict[str, Any] = {}


class _Topic(_Read):
    name: str
    scenario: _Scenario

    def load(self) -> str:
        """Return the load in words; for benchmarks, `pytest-benchmark`."""
        if self.scenario.locustfile is None:
            return "pytest-benchmark"
        settings = sorted(self.scenario.load.items())
        return ", ".join(
            f"{name} {_as_text(setting)}" for name, setting in settings if setting
        )


class _Plan(_Read):
    topics: tuple[_Topic, ...]


class _Spread(_Read):
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p999: float | None


class _Row(_Read):
    name: str
    kind: str = "request"
    method: str = ""
    latency: _Spread
    service: _Spread


class _LoadResults(_Read):
    kind: str
    run: str
    partial: bool
    host: str
    bound: bool = False
    incomplete: str = ""
    rows: tuple[_Row, ...] = ()


class _LoadPlan(_Read):
    locustfile: str
    shape: str = ""
    arrivals: str = ""
    users: int = 0
    rates: tuple[float, ...] = ()

    def load(self) -> str:
        """Return the load in words."""
        if not self.rates:
            return f"{self.users} users"
        return f"{self.shape or self.rates}, {self.arrivals}"


class _Schema(_Read):
    schema_: Annotated[int, Field(alias="schema")]


def read(place: Place) -> Record:
    """Read what a history needs of a run.

    Raises:
        NotARunError: The run cannot be part of a history. The message says why, but
            does not name the directory.
    """
    if place.has(CAPACITY) or place.has(SWEEP):
        raise NotARunError(MANY_TESTS)
    is_load_test = place.has(LoadRun.PLAN)
    plan_file = LoadRun.PLAN if is_load_test else RunDirectory.PLAN
    if missing := [n for n in (plan_file, ENVIRONMENT, RESULTS) if not place.has(n)]:
        advice = ""
        if missing == [RESULTS]:
            advice = f"; it did not finish; type: assay report {place.name}"
        raise NotARunError(f"there is no {' and no '.join(missing)}{advice}")
    fields = _fields(place, RESULTS)
    _check_schema(fields, LOAD_SCHEMA if is_load_test else SCHEMA)
    environment = _parse(ENVIRONMENT, _Environment, _fields(place, ENVIRONMENT))
    plan = _fields(place, plan_file)
    results: _LoadResults | _Results
    if is_load_test:
        results = _parse(RESULTS, _LoadResults, fields)
        _check_load_test(results)
        measured = _of_load_test(results, _parse(plan_file, _LoadPlan, plan))
    else:
        results = _parse(RESULTS, _Results, fields)
        measured = _of_run(results, _parse(plan_file, _Plan, plan))
    if results.partial:
        raise NotARunError("it is partial: it ended before everything was measured")
    numbers = tuple(number for number in measured if math.isfinite(number.value))
    if not numbers:
        raise NotARunError("it has no numbers")
    version = environment.versions.get("assay", "of unknown version")
    return Record(
        run=results.run,
        date=environment.started,
        machine=environment.machine(),
        assay=f"Assay {_without_patch(version)}, schema {fields['schema']}",
        commits=environment.commits,
        versions=environment.all_versions(),
        measured=numbers,
    )


def _fields(place: Place, file: str) -> dict[str, Any]:
    try:
        fields = json.loads(place.read(file))
    except (OSError, ValueError, RecursionError) as error:
        raise NotARunError(f"{file} cannot be read: {error}") from error
    if not isinstance(fields, dict):
        raise NotARunError(f"{file} is damaged: expected a JSON object")
    return fields


def _parse[Model: _Read](  # noqa: D103 (pydocstyle misreads generics)
    file: str, model: type[Model], fields: Mapping[str, Any]
) -> Model:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NotARunError(f"{file} is damaged: {where}: {first['msg']}") from error


def _check_schema(fields: Mapping[str, Any], known: int) -> None:
    schema = _parse(RESULTS, _Schema, fields).schema_
    if schema > known:
        raise NotARunError(
            f"{RESULTS} has schema {schema}, from a later version of Assay; this one "
            f"reads schema {known}: update Assay"
        )
    if schema < known:
        raise NotARunError(
            f"{RESULTS} has schema {schema}, from an earlier version of Assay; this "
            f"one reads schema {known}"
        )


def _check_load_test(results: _LoadResults) -> None:
    if results.kind != "load":
        raise NotARunError(MANY_TESTS)
    if results.bound:
        raise NotARunError("the generator was the limit, so all times are only bounds")
    if results.incomplete:
        raise NotARunError(f"it is incomplete: {results.incomplete}")


def _of_run(results: _Results, plan: _Plan) -> Iterator[Measured]:
    loads = {topic.name: topic.load() for topic in plan.topics}
    for value in results.values:
        if not value.censored:
            yield Measured(
                kind="values",
                topic=value.topic,
                test=value.test,
                variant=value.variant,
                metric=value.metric,
                load=loads.get(value.topic, ""),
                value=value.value,
                low=value.low,
                high=value.high,
            )
    for one in results.comparisons:
        if one.ratio is not None and not one.censored:
            yield Measured(
                kind="comparisons",
                topic=one.topic,
                test=one.test,
                variant=one.candidate,
                baseline=one.baseline,
                metric=one.metric,
                load=loads.get(one.topic, ""),
                value=one.ratio,
                low=one.low,
                high=one.high,
            )


def _of_load_test(results: _LoadResults, plan: _LoadPlan) -> Iterator[Measured]:
    for row in results.rows:
        if row.kind not in ("request", "task"):
            continue
        label = " ".join(filter(None, (row.method, row.name))) or "all requests"
        for metric in LOAD_TEST_METRICS:
            group, _, name = metric.partition(".")
            value = getattr(row.latency if group == "latency" else row.service, name)
            if value is not None:
                yield Measured(
                    kind="values",
                    topic=PurePath(plan.locustfile).name,
                    test=label,
                    variant=redaction.text(results.host),
                    metric=metric,
                    load=plan.load(),
                    value=value,
                    low=None,
                    high=None,
                )


def _without_patch(version: str) -> str:
    """Return `1.2` for `1.2.3`: a patch does not change how Assay measures."""
    return ".".join(version.split(".")[:2])


def _as_text(setting: object) -> str:
    if isinstance(setting, list | tuple):
        return "/".join(map(_as_text, setting))
    return f"{setting:g}" if isinstance(setting, float) else str(setting)
