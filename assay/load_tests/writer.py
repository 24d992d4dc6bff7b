"""Write samples to disk: collect them until there are enough for a file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.run_directory.load_run import LoadRun

if TYPE_CHECKING:
    import pyarrow as pa

# A file is complete when it reaches one of these limits. A crash loses at most the
# samples of one file.
FILE_ROWS = 500_000
FILE_SECONDS = 5.0


@dataclass
class Writer:
    """Collects samples of one kind until there are enough for a file.

    Attributes:
        run: The directory of the test.
        kind: `load_run.REQUESTS` or `load_run.ITERATIONS`.
        number: The number of the last file that was written.
        rows: The number of collected samples.
        since: `time.monotonic` when the collection began.
        parts: The collected samples, in columns.
    """

    run: LoadRun
    kind: str
    number: int = 0
    rows: int = 0
    since: float = field(default_factory=time.monotonic)
    parts: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, columns: Mapping[str, Any], began: float) -> None:
        """Add the samples of a second; their times become relative to `began`."""
        if len(columns["end"]):
            times = {
                name: columns[name] - began for name in ("scheduled", "start", "end")
            }
            self.parts.append({**columns, **times})
            self.rows += len(columns["end"])
        if self.rows >= FILE_ROWS or time.monotonic() - self.since > FILE_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the collected samples to a file."""
        self.since = time.monotonic()
        if not self.parts:
            return
        self.number += 1
        self.run.write_samples(self.kind, self.number, _table(self.parts))
        self.parts, self.rows = [], 0


def _table(parts: Sequence[Mapping[str, Any]]) -> pa.Table:
    import pyarrow as pa

    return pa.table(
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    )
