"""What studies keep: rows of JSON, the machines that measured, scratch folders."""

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
    """Append a row to a file as one line of JSON; it is on disk on return."""
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
    """Return the machine and the commit that measure, in words."""
    machine = describe(Plan(topics=()), {"assay": Path()})
    commit = cast(Mapping[str, str], machine["commits"]).get("assay", "unknown")
    return (
        f"{os.cpu_count()} cores ({machine['cpu']}), Python {machine['python']}, "
        f"commit {commit}"
    )


def note_machine(output: Path, noise: str) -> None:
    """Note the machine and the commit that measure this condition, if they are new.

    A study that was stopped may go on with another machine or commit, and its page is
    written later. The page names all of them.
    """
    description = describe_machine()
    noted = machines(output, noise)
    if description not in noted:
        text = "".join(f"{line}\n" for line in [*noted, description])
        output.mkdir(parents=True, exist_ok=True)
        _machines_file(output, noise).write_text(text, encoding="utf-8")


def machines(output: Path, noise: str) -> list[str]:
    """Return the machines and commits that measured a condition."""
    path = _machines_file(output, noise)
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _machines_file(output: Path, noise: str) -> Path:
    return output / f"machines-{noise}.txt"


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder for one measurement.

    At the end the folder is deleted, and processes that still run in it are stopped.
    """
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        with processes.guarded([Path(name)]):
            yield Path(name)
