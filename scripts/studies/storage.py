"""The files of studies: rows of results, notes of machines, and scratch folders."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from assay.plan import Plan
from assay.system import processes
from assay.system.environment import describe


def append_row(path: Path, row: Mapping[str, object]) -> None:
    """Append a row to a file as one line of JSON, and write it through to the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file; none if there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def describe_machine() -> str:
    """Describe this machine and the commit of Assay, in one line."""
    machine = describe(Plan(topics=()), {"assay": Path()})
    commit = cast(Mapping[str, str], machine["commits"]).get("assay", "unknown")
    return (
        f"{os.cpu_count()} cores ({machine['cpu']}), Python {machine['python']}, "
        f"commit {commit}"
    )


def note_machine(output: Path, noise: str) -> None:
    """Note this machine and commit for a condition, unless they are noted already.

    A study that was stopped may continue on another machine or commit. Its page names
    all of them.

    Args:
        output: The study's folder.
        noise: The name of the condition; the study's name if it has one condition.
    """
    description = describe_machine()
    noted = machines(output, noise)
    if description not in noted:
        text = "".join(f"{line}\n" for line in [*noted, description])
        output.mkdir(parents=True, exist_ok=True)
        _machines_file(output, noise).write_text(text, encoding="utf-8")


def machines(output: Path, noise: str) -> list[str]:
    """Return the machines and commits that are noted for a condition."""
    path = _machines_file(output, noise)
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _machines_file(output: Path, noise: str) -> Path:
    return output / f"machines-{noise}.txt"


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder for one measurement.

    At the end the folder is deleted. Processes that `assay.system.processes` started
    and that still run are ended, even if this process dies.
    """
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        with processes.guarded([Path(name)]):
            yield Path(name)
