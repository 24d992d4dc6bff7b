"""Reads the files that pytest-benchmark writes with `--benchmark-json`."""

import contextlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from assay.errors import InputError
from assay.single_runs import SingleRun
from assay.wording import clean, one_line

EXPECTED = "expected a file of `pytest --benchmark-json=FILE`"
# Seconds of one call; a median outside this range is not usable.
SHORTEST, LONGEST = 1e-12, 1e9
MOST_SHOWN = 100  # characters of a value in a message
# The properties that identify a machine, and their keys in pytest-benchmark's files.
MACHINE = {
    "CPU": ("cpu", "brand_raw"),
    "cores": ("cpu", "count"),
    "architecture": ("machine",),
    "system": ("system",),
    "kernel": ("release",),
    "host": ("node",),
}


class _Read(BaseModel):
    """Base of the parts of a file; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)


class _Stats(_Read):
    median: float


class _Benchmark(_Read):
    fullname: str
    stats: _Stats


class _File(_Read):
    benchmarks: list[_Benchmark]
    machine_info: dict[str, object] | None = None
    commit_info: dict[str, object] | None = None
    datetime: str | None = None
    assay: dict[str, object] | None = None


def read(file: Path, name: str = "") -> SingleRun:
    """Read a file of pytest-benchmark.

    Args:
        file: The file.
        name: The name that the user typed; if empty, the path is used.

    Raises:
        InputError: The file cannot be read, is not from pytest-benchmark, or has no
            usable median.
    """
    name = name or str(file)
    try:
        content = file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no valid path
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{name}: cannot be read: {reason}; {EXPECTED}") from error
    return parse(content, name)


def read_folder(folder: Path) -> list[SingleRun]:
    """Read the files of pytest-benchmark in a folder and below it.

    Files that `read` refuses are left out, because such folders also have other files.

    Raises:
        InputError: The folder has no file of pytest-benchmark.
    """
    runs = []
    for file in sorted(folder.rglob("*.json")) if folder.is_dir() else ():
        with contextlib.suppress(InputError):
            runs.append(read(file))
    if not runs:
        raise InputError(
            f"{folder}: there is no file of pytest-benchmark in it; expected a folder "
            "such as .benchmarks, which pytest --benchmark-autosave writes"
        )
    return runs


def parse(content: bytes, name: str) -> SingleRun:
    """Return the single run in the content of a file of pytest-benchmark.

    Raises:
        InputError: The content is not from pytest-benchmark, is damaged, or has no
            usable median. The message begins with `name`.
    """
    if not content.strip():
        raise InputError(
            f"{name}: the file is empty, as pytest-benchmark leaves it if no benchmark "
            f"ran; {EXPECTED}"
        )
    written = _validated(content, name)
    measured = [(clean(one.fullname), one.stats.median) for one in written.benchmarks]
    counts = Counter(test for test, _ in measured)
    medians: dict[str, float] = {}
    unusable: dict[str, str] = {}
    for test, median in measured:
        if counts[test] > 1:
            unusable[test] = f"it is there {counts[test]} times"
        elif not SHORTEST <= median <= LONGEST:  # also NaN
            unusable[test] = f"its median is {median:g} s"
        else:
            medians[test] = median
    if not medians:
        raise InputError(
            f"{name}: no test in it has a usable median; {EXPECTED}, of a run with "
            "at least one benchmark"
        )
    machine = written.machine_info or {}
    commit = written.commit_info or {}
    sha = _word(commit, ("id",))
    return SingleRun(
        file=clean(name),
        medians=medians,
        unusable=unusable,
        machine=_words(machine),
        python=" ".join(
            filter(
                None,
                (
                    _word(machine, ("python_implementation",)),
                    _word(machine, ("python_version",)),
                ),
            )
        ),
        # Without a repository, the field has a word such as "unversioned".
        commit=sha if re.fullmatch("[0-9a-f]{7,64}", sha) else "",
        dirty=bool(commit.get("dirty")),
        date=_date(written.datetime or ""),
        launches=_launches(written.assay or {}),
    )


def _validated(content: bytes, name: str) -> _File:
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        detail = one_line(str(error))[:MOST_SHOWN]
        raise InputError(f"{name}: no JSON ({detail}); {EXPECTED}") from error
    if not isinstance(fields, dict) or "benchmarks" not in fields:
        raise InputError(f"{name}: it has no `benchmarks`; {EXPECTED}")
    try:
        return _File.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{name}: it is damaged: {one_line(where)[:MOST_SHOWN]}: {first['msg']}; "
            f"{EXPECTED}"
        ) from error


def _words(machine: Mapping[str, object]) -> dict[str, str]:
    words = {name: _word(machine, place) for name, place in MACHINE.items()}
    if not words["CPU"]:  # older versions of py-cpuinfo have another key
        words["CPU"] = _word(machine, ("cpu", "brand"))
    return {name: word for name, word in words.items() if word}


def _word(fields: Mapping[str, object], place: tuple[str, ...]) -> str:
    """Return a nested string or integer as text; empty if there is none.

    Args:
        fields: The fields.
        place: The keys that lead to the value.
    """
    value: object = fields
    for part in place:
        value = value.get(part) if isinstance(value, dict) else None
    if not isinstance(value, str | int):
        return ""
    return one_line(str(value))[:MOST_SHOWN]


def _date(text: str) -> datetime | None:
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _launches(exported: Mapping[str, object]) -> int:
    """Return the number of launches in a file that Assay exported; otherwise 0."""
    launches = exported.get("launches")
    return launches if isinstance(launches, int) and launches > 0 else 0
