"""The directory of a load test: the only place that knows its files.

    load.json            the plan as understood
    environment.json     machine, versions, commits; secrets redacted
    samples/*.parquet    requests, in the order in which they ended, a file for
                         some seconds; `iterations-*` hold tasks of several
    ticks.jsonl          what the generator said of each second
    names.json           kind, method and name of each number in the samples
    warnings.json        what of the locustfile has no effect
    end.json             the exit code that the locustfile has set
    results.json         numbers, requirements, warnings
    capacity.json        what a search for the capacity found, or
    sweep.json           a sweep of users: their trials are in directories below
    index.html …         the reports

It is written as it goes, so a test that died can be reported as far as it went.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from assay.errors import MeasureError
from assay.load_plan import LoadPlan
from assay.load_results import CapacityResults, LoadResults, Name, SweepResults
from assay.plan import Data
from assay.run_directory.directory import (
    RESULTS,
    Directory,
    NotARunError,
    reading,
    to_json,
)
from assay.system import redaction

if TYPE_CHECKING:
    import pyarrow as pa

CAPACITY, SWEEP, TICKS = "capacity.json", "sweep.json", "ticks.jsonl"
NAMES, WARNINGS, END = "names.json", "warnings.json", "end.json"
REQUESTS, ITERATIONS = "requests", "iterations"
BATCH = 1 << 18  # rows that are read at once
COUNTED = ("at", "planned", "requests", "generator_cpu")  # numbers of every tick
OLDER = (
    "an older version of Assay made this, and this one cannot read it: run the test "
    "again, or build the report with that version"
)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of whatever goes wrong within that a file cannot be written.

    Raises:
        MeasureError: The disk is full, or does not take it.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise MeasureError(
            f"{path}: cannot be written: {reason}; make room there, or name a folder "
            "on another disk with --output. What was written before is kept."
        ) from error


def redacted(plan: LoadPlan) -> LoadPlan:
    """Return the plan without what must not be shown: passwords and keys."""
    return plan.model_copy(
        update={
            "host": redaction.url(plan.host),
            "locust": tuple(redaction.arguments(plan.locust)),
            "command": redaction.command(plan.command),
        }
    )


class LoadRun(Directory):
    """One directory with everything of one load test."""

    PLAN = "load.json"
    FOLDERS = ("samples",)

    @classmethod
    def create(cls, path: Path, plan: Data, environment: Mapping[str, object]) -> Self:
        """Make the directory; see `Directory.create`. The plan is redacted."""
        shown = redacted(plan) if isinstance(plan, LoadPlan) else plan
        return super().create(path, shown, environment)

    def began(self) -> bool:
        """Say whether anything was measured, in this test or a trial of it."""
        return any(self.path.rglob(TICKS))

    def plan(self) -> LoadPlan:
        """Read the plan.

        Raises:
            NotARunError: It is missing or damaged.
        """
        return self.read(self.PLAN, LoadPlan)

    def append_tick(self, tick: Mapping[str, Any]) -> None:
        """Keep what the generator said of a second.

        Raises:
            MeasureError: It cannot be written.
        """
        path = self.path / TICKS
        with writing(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(tick) + "\n")

    def ticks(self) -> list[dict[str, Any]]:
        """Return what the generator said, second by second.

        Raises:
            NotARunError: It is damaged.
        """
        path = self.path / TICKS
        if not path.is_file():
            return []
        found: list[dict[str, Any]] = []
        with reading(path):
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    tick = json.loads(line)
                except ValueError:
                    break  # the last line of a test that died
                found.append({**tick, **{name: tick[name] + 0 for name in COUNTED}})
        return found

    def write_names(self, names: Sequence[Name]) -> None:
        """Keep the names that the samples number.

        Raises:
            MeasureError: They cannot be written.
        """
        self._write(NAMES, json.dumps(list(names)))

    def names(self) -> list[Name]:
        """Return the names that the samples number.

        Raises:
            NotARunError: They are damaged, or of an older version of Assay.
        """
        path = self.path / NAMES
        if not path.is_file():
            return []
        with reading(path):
            given = list(json.loads(path.read_text(encoding="utf-8")))
            if given and all(isinstance(name, str) for name in given):
                raise NotARunError(f"{path}: {OLDER}")
            return [Name.of(name) for name in given]

    def write_warnings(self, warnings: Sequence[str]) -> None:
        """Keep what the locustfile's readers must know.

        Raises:
            MeasureError: It cannot be written.
        """
        self._write(WARNINGS, json.dumps(list(warnings)))

    def warnings(self) -> list[str]:
        """Return what the locustfile's readers must know.

        Raises:
            NotARunError: It is damaged.
        """
        path = self.path / WARNINGS
        if not path.is_file():
            return []
        with reading(path):
            return [str(text) for text in json.loads(path.read_text(encoding="utf-8"))]

    def write_end(self, exit_code: int | None) -> None:
        """Keep the exit code that the locustfile has set; None if it set none.

        Raises:
            MeasureError: It cannot be written.
        """
        self._write(END, json.dumps({"exit_code": exit_code}))

    def exit_code(self) -> int | None:
        """Return the exit code that the locustfile has set; None if it set none.

        Raises:
            NotARunError: It is damaged.
        """
        path = self.path / END
        if not path.is_file():
            return None
        with reading(path):
            code = json.loads(path.read_text(encoding="utf-8"))["exit_code"]
            return None if code is None else int(code)

    def _write(self, name: str, text: str) -> None:
        with writing(self.path / name):
            self.write_text(name, text)

    def write_samples(self, kind: str, number: int, table: pa.Table) -> None:
        """Write one file of samples whole or not at all.

        Args:
            kind: `REQUESTS` or `ITERATIONS`.
            number: Of the file.
            table: The columns of `assay.load.protocol`; times since the start.

        Raises:
            MeasureError: It cannot be written.
        """
        from pyarrow import parquet

        path = self.path / "samples" / f"{kind}-{number:05d}.parquet"
        part = path.with_name(path.name + ".part")
        with writing(path):
            try:
                parquet.write_table(table, part, compression="zstd")
            except OSError:
                part.unlink(missing_ok=True)  # room for what sums up the rest
                raise
            os.replace(part, path)

    def batches(self, kind: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the samples piece by piece: memory holds only one of them.

        Raises:
            NotARunError: A file of them is damaged, or of an older version of Assay.
        """
        from pyarrow import parquet

        for path in sorted((self.path / "samples").glob(f"{kind}-*.parquet")):
            with reading(path), parquet.ParquetFile(path) as file:
                missing = set(columns) - set(file.schema_arrow.names)
                if "waited" in missing:
                    raise NotARunError(f"{path}: {OLDER}")
                if missing:
                    raise NotARunError(f"{path}: without {', '.join(sorted(missing))}")
                yield from file.iter_batches(BATCH, columns=list(columns))

    def write_results(self, results: LoadResults) -> None:
        """Write results.json.

        Raises:
            MeasureError: It cannot be written.
        """
        self._write(RESULTS, to_json(results))

    def results(self) -> LoadResults:
        """Read results.json.

        Raises:
            NotARunError: It is missing or damaged.
        """
        return self.read(RESULTS, LoadResults)

    def trials(self) -> CapacityResults | SweepResults | None:
        """Read what a test in many trials came to; None if this is a single one.

        Raises:
            NotARunError: It is damaged, or missing.
        """
        if (self.path / CAPACITY).is_file():
            return self.read(CAPACITY, CapacityResults)
        if (self.path / SWEEP).is_file():
            return self.read(SWEEP, SweepResults)
        if self.plan().trials:
            raise NotARunError(f"{self.path}: ended before its first trial had begun")
        return None

    def write_trials(self, results: CapacityResults | SweepResults) -> None:
        """Write what a test in many trials came to.

        Raises:
            MeasureError: It cannot be written.
        """
        name = CAPACITY if isinstance(results, CapacityResults) else SWEEP
        self._write(name, to_json(results))
