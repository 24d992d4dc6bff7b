"""What studies keep as they go, one JSON object a line, and where they work."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from assay.system import processes


def keep(path: Path, row: Mapping[str, object]) -> None:
    """Append a row to a file; it is on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
        file.flush()
        os.fsync(file.fileno())


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file; none if there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@contextlib.contextmanager
def workshop() -> Iterator[Path]:
    """Make a folder for one measurement; it goes, and so do processes left in it."""
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        with processes.guarded([Path(name)]):
            yield Path(name)
