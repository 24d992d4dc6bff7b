"""Files of JSON lines that studies append to, and scratch folders to measure in."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from assay.system import processes


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


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder for one measurement.

    At the end the folder is deleted, and processes that still run in it are stopped.
    """
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        with processes.guarded([Path(name)]):
            yield Path(name)
