"""Write the benchmarks of a run as files of pytest-benchmark, one for each side.

`pytest-benchmark compare` and related tools read them. Each round in a file is one
launch of Assay: the median that one process measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.commits import CommitSide
from assay.errors import InputError
from assay.plan import Plan, Topic
from assay.run_directory.run import RunDirectory

FOLDER = "pytest-benchmark"


def write(run: RunDirectory) -> list[Path]:
    """Write a file for each side of each suite; return the files.

    Raises:
        InputError: The run has no benchmarks that were judged test by test.
        NotARunError: The run directory is damaged.
    """
    plan, sides = run.plan(), _sides(run)
    if not sides:
        raise InputError(
            f"{run.path}: no times of single benchmarks are in it, so there is nothing "
            "for the format pytest-benchmark; expected a run of assay compare "
            "--benchmarks, or of a topic with benchmarks and without claims"
        )
    return [
        run.write_text(
            f"{FOLDER}/{topic}.{variant}.json",
            json.dumps(_file(run, plan, topic, variant, launches), indent=4),
        )
        for (topic, variant), launches in sides.items()
    ]


def _sides(run: RunDirectory) -> dict[tuple[str, str], dict[str, list[float]]]:
    """Return the seconds of each launch, by (topic, variant), then by test."""
    frame = run.tests()
    sides: dict[tuple[str, str], dict[str, list[float]]] = {}
    if frame.empty:
        return sides
    kept = frame.dropna(subset=["seconds"]).sort_values("launch", kind="stable")
    for topic, variant, test, seconds in zip(
        kept["topic"], kept["variant"], kept["test"], kept["seconds"], strict=True
    ):
        tests = sides.setdefault((topic, variant), {})
        tests.setdefault(test, []).append(float(seconds))
    return sides


def _file(
    run: RunDirectory,
    plan: Plan,
    topic: str,
    variant: str,
    tests: Mapping[str, Sequence[float]],
) -> dict[str, object]:
    """Return the content of one side's file."""
    environment = run.environment()
    side = _commit_of(plan, plan.topic(topic), variant)
    versions = environment.get("versions")
    version = versions.get(FOLDER, "") if isinstance(versions, dict) else ""
    return {
        "machine_info": _machine(environment, side),
        "commit_info": _commit(side),
        "benchmarks": [_benchmark(test, data) for test, data in tests.items()],
        "datetime": environment.get("started"),
        "version": version,
        # This entry tells `assay compare` that the file is not a single run.
        "assay": {"run": run.name, "launches": max(map(len, tests.values()))},
    }


def _commit_of(plan: Plan, topic: Topic, variant: str) -> CommitSide | None:
    """Return the commit of a side; None if no commits were compared."""
    if plan.subject is None:
        return None
    is_base = variant == topic.variants[0].name
    return plan.subject.base if is_base else plan.subject.head


def _machine(
    environment: Mapping[str, object], side: CommitSide | None
) -> dict[str, object]:
    """Return the known facts about the machine, by the names of pytest-benchmark."""
    system, _, rest = str(environment.get("platform", "")).partition("-")
    cores = environment.get("cores")
    numbers = list(cores.values()) if isinstance(cores, dict) else []
    return {
        "system": system,
        "release": rest,
        # If no commits were compared, the Python of the benchmarks is unknown.
        **({"python_version": side.python} if side else {}),
        "cpu": {
            "brand_raw": environment.get("cpu", ""),
            "count": sum(len(one) for one in numbers if isinstance(one, list)),
        },
    }


def _commit(side: CommitSide | None) -> dict[str, object]:
    return {
        "id": side.sha if side else "unversioned",
        "time": None,
        "author_time": None,
        "dirty": bool(side and side.dirty),
        "project": "",
        "branch": side.name if side else "(unknown)",
    }


def _benchmark(test: str, data: Sequence[float]) -> dict[str, object]:
    """Return a test and its statistics, in the structure of pytest-benchmark."""
    from pytest_benchmark import stats

    module: Any = stats
    computed = module.Stats()
    for seconds in data:
        computed.update(seconds)
    path, bracket, rest = test.partition("[")
    return {
        "group": None,
        "name": path.rpartition("::")[2] + bracket + rest,
        "fullname": test,
        "params": None,
        "param": rest.removesuffix("]") or None,
        "extra_info": {"a round is": "the median of one launch of Assay"},
        "options": {},
        "stats": {**computed.as_dict(), "data": list(data), "iterations": 1},
    }
