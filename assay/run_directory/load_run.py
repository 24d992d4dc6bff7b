"""The directory of a load test: the only place that knows its files.

    load.json            the plan as understood
    environment.json     machine, versions, commits; secrets redacted
    samples/*.parquet    one file for every few seconds: `requests-*` has a row for
                         each request, `iterations-*` for each task that is recorded
                         as a whole
    ticks.jsonl          the generator's report of each second
    names.json           kind, method and name of each number in the samples
    warnings.json        which parts of the locustfile have no effect
    end.json             the exit code that the locustfile has set
    baseline.json        the results of a former test, which is shown beside this one
    reason.json          why the test ended before it was complete
    results.json         numbers, requirements, warnings
    capacity.json        the result of a capacity search; its trials are load tests in
                         directories below
    sweep.json           the same for a sweep of users
    index.html …         the reports

The files are written during the test. So a test that died can be reported up to the
point where it ended.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from assay.load_plan import LoadPlan
from assay.load_results import CapacityResults, LoadResults, Name, SweepResults
from assay.plan import Data
from assay.run_directory.directory import (
    RESULTS,
    Directory,
    NotARunError,
    reading,
    to_json,
    writing,
)
from assay.system import redaction

if TYPE_CHECKING:
    import pyarrow as pa

CAPACITY = "capacity.json"
SWEEP = "sweep.json"
TICKS = "ticks.jsonl"
NAMES = "names.json"
WARNINGS = "warnings.json"
END = "end.json"
FORMER = "baseline.json"
REASON = "reason.json"
# The two kinds of sample files.
REQUESTS = "requests"
ITERATIONS = "iterations"
BATCH_ROWS = 1 << 18  # samples that are read at once
# The fields that hold a number in every tick.
TICK_NUMBERS = ("at", "planned", "requests", "generator_cpu")
MADE_BY_OLDER_VERSION = (
    "an older version of Assay made this file, and this version cannot read it: run "
    "the test again, or build the report with the older version"
)


def redacted(plan: LoadPlan) -> LoadPlan:
    """Return the plan with passwords and keys replaced by `***`."""
    return plan.model_copy(
        update={
            "host": redaction.text(plan.host),
            "locust": tuple(redaction.arguments(plan.locust)),
            "command": redaction.command(plan.command),
            "title": redaction.text(plan.title),
            "tags": redaction.tags(plan.tags),
        }
    )


class LoadRun(Directory):
    """One directory with everything of one load test."""

    PLAN = "load.json"
    FOLDERS = ("samples",)

    @classmethod
    def create(cls, path: Path, plan: Data, environment: Mapping[str, object]) -> Self:
        """Create the directory with a redacted plan; see `Directory.create`."""
        if isinstance(plan, LoadPlan):
            redaction.learn(commands=(plan.host, plan.command), words=plan.locust)
            plan = redacted(plan)
        return super().create(path, plan, environment)

    def began(self) -> bool:
        """Say whether anything was measured, in this test or in a trial of it."""
        return any(self.path.rglob(TICKS))

    def plan(self) -> LoadPlan:
        """Read the plan.

        Raises:
            NotARunError: The file is missing or damaged.
        """
        return self.read(self.PLAN, LoadPlan)

    def append_tick(self, tick: Mapping[str, Any]) -> None:
        """Keep the generator's report of one second.

        Raises:
            MeasureError: The file cannot be written.
        """
        path = self.path / TICKS
        with writing(path), path.open("a", encoding="utf-8") as file:
            file.write(redaction.json_text(json.dumps(tick)) + "\n")

    def ticks(self) -> list[dict[str, Any]]:
        """Return the generator's reports of all seconds; empty if there are none.

        Raises:
            NotARunError: The file cannot be read, or a report lacks a number.
        """
        path = self.path / TICKS
        if not path.is_file():
            return []
        ticks: list[dict[str, Any]] = []
        with reading(path):
            for line in self.text(path).splitlines():
                try:
                    tick = json.loads(line)
                except ValueError:
                    break  # the last line of a test that died is incomplete
                ticks.append(
                    {**tick, **{name: tick[name] + 0 for name in TICK_NUMBERS}}
                )
        return ticks

    def write_names(self, names: Sequence[Name]) -> None:
        """Keep the names that the samples refer to by number.

        Raises:
            MeasureError: The file cannot be written.
        """
        self.keep(NAMES, json.dumps(list(names)))

    def names(self) -> list[Name]:
        """Return the names that the samples refer to by number.

        Raises:
            NotARunError: The file is damaged, or an older version of Assay wrote it.
        """
        path = self.path / NAMES
        if not path.is_file():
            return []
        with reading(path):
            entries = list(json.loads(self.text(path)))
            if entries and all(isinstance(entry, str) for entry in entries):
                raise NotARunError(f"{path}: {MADE_BY_OLDER_VERSION}")
            return [Name.from_list(entry) for entry in entries]

    def write_warnings(self, warnings: Sequence[str]) -> None:
        """Keep the warnings about the locustfile.

        Raises:
            MeasureError: The file cannot be written.
        """
        self.keep(WARNINGS, json.dumps(list(warnings)))

    def warnings(self) -> list[str]:
        """Return the warnings about the locustfile; empty if none were kept.

        Raises:
            NotARunError: The file is damaged.
        """
        path = self.path / WARNINGS
        if not path.is_file():
            return []
        with reading(path):
            return [str(text) for text in json.loads(self.text(path))]

    def write_end(self, exit_code: int | None) -> None:
        """Keep the exit code that the locustfile has set; None if it set none.

        Raises:
            MeasureError: The file cannot be written.
        """
        self.keep(END, json.dumps({"exit_code": exit_code}))

    def exit_code(self) -> int | None:
        """Return the exit code that the locustfile has set; None if it set none.

        Raises:
            NotARunError: The file is damaged.
        """
        path = self.path / END
        if not path.is_file():
            return None
        with reading(path):
            code = json.loads(self.text(path))["exit_code"]
            return None if code is None else int(code)

    def write_reason(self, reason: str) -> None:
        """Keep why the test ended before it was complete, as a sentence.

        Raises:
            MeasureError: The file cannot be written.
        """
        self.keep(REASON, json.dumps(reason))

    def reason(self) -> str:
        """Return why the test ended before it was complete; empty if it is unknown.

        Raises:
            NotARunError: The file is damaged.
        """
        path = self.path / REASON
        if not path.is_file():
            return ""
        with reading(path):
            return str(json.loads(self.text(path)))

    def write_samples(self, kind: str, number: int, table: pa.Table) -> None:
        """Write one file of samples completely or not at all.

        Args:
            kind: `REQUESTS` or `ITERATIONS`.
            number: The number of the file among those of its kind.
            table: The columns of `assay.load.protocol.COLUMNS`. Points in time are in
                seconds since the test began.

        Raises:
            MeasureError: The file cannot be written.
        """
        from pyarrow import parquet

        path = self.path / "samples" / f"{kind}-{number:05d}.parquet"
        part = path.with_name(path.name + ".part")
        with writing(path):
            try:
                with part.open("wb") as file:  # Arrow needs a path in UTF-8
                    parquet.write_table(table, file, compression="zstd")
            except OSError:
                part.unlink(missing_ok=True)  # makes room for the results
                raise
            os.replace(part, path)

    def batches(
        self, kind: str, columns: Sequence[str], optional: Sequence[str] = ()
    ) -> Iterator[pa.RecordBatch]:
        """Yield the samples in batches, so that memory holds only one at a time.

        Args:
            kind: `REQUESTS` or `ITERATIONS`.
            columns: The columns to read.
            optional: Columns to read, too, where a file has them.

        Raises:
            NotARunError: A file is damaged, or an older version of Assay wrote it.
        """
        from pyarrow import parquet

        for path in sorted((self.path / "samples").glob(f"{kind}-*.parquet")):
            with (
                reading(path),
                path.open("rb") as opened,
                parquet.ParquetFile(opened) as file,
            ):
                names = file.schema_arrow.names
                missing = set(columns) - set(names)
                if "waited" in missing:
                    raise NotARunError(f"{path}: {MADE_BY_OLDER_VERSION}")
                if missing:
                    absent = ", ".join(sorted(missing))
                    raise NotARunError(f"{path}: missing columns: {absent}")
                found = [*columns, *(name for name in optional if name in names)]
                yield from file.iter_batches(BATCH_ROWS, columns=found)

    def write_former(self, results: LoadResults) -> None:
        """Keep the results of a former test.

        Raises:
            MeasureError: The file cannot be written.
        """
        self.keep(FORMER, to_json(results))

    def former(self) -> LoadResults | None:
        """Return the results of the former test; None if none was named.

        Raises:
            NotARunError: The file is damaged.
        """
        if not (self.path / FORMER).is_file():
            return None
        return self.read(FORMER, LoadResults)

    def write_results(self, results: LoadResults) -> None:
        """Write results.json.

        Raises:
            MeasureError: The file cannot be written.
        """
        self.keep(RESULTS, to_json(results))

    def results(self) -> LoadResults:
        """Read results.json.

        Raises:
            NotARunError: The file is missing or damaged.
        """
        return self.read(RESULTS, LoadResults)

    def trials(self) -> CapacityResults | SweepResults | None:
        """Read the results of a test of many trials; None if this is a single test.

        Raises:
            NotARunError: The file is damaged, or missing although the plan has trials.
        """
        if (self.path / CAPACITY).is_file():
            return self.read(CAPACITY, CapacityResults)
        if (self.path / SWEEP).is_file():
            return self.read(SWEEP, SweepResults)
        if self.plan().trials:
            raise NotARunError(f"{self.path}: ended before its first trial began")
        return None

    def write_trials(self, results: CapacityResults | SweepResults) -> None:
        """Write the results of a test of many trials.

        Raises:
            MeasureError: The file cannot be written.
        """
        name = CAPACITY if isinstance(results, CapacityResults) else SWEEP
        self.keep(name, to_json(results))
