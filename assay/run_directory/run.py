"""The run directory: the only place that knows its files.

The files are written during the run. Each launch is on disk as soon as it has finished,
so a run that died can be read up to that point.

    plan.json            the plan as understood
    environment.json     machine, versions, commits; secrets redacted
    samples/*.parquet    one file per topic and launch, one row per request
    slices.parquet       one row per slice
    launches.parquet     one row per topic, launch, variant and metric
    tests.parquet        one row per topic, launch, benchmark and variant
    requests.parquet     one row per topic, launch, request and variant
    profiles/*.json      one file per topic, variant and preset; also per pair, if the
                         profile was taken in the rounds of a pair
    rounds/*.json        one file per pair, purpose, round of profiling and side
    sources/*.json       one file per pair: the user's code around its causes
    results.json         comparisons, claims, budgets, causes, warnings
    exports/*            profiles in other tools' formats, causes.json
    logs/TOPIC/*         what the locustfile of a topic printed and logged
    index.html …         the reports
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import TypeAdapter

from assay.data import json_of
from assay.observations import Round, Source
from assay.plan import Data, Plan
from assay.results import Profile, Results, Stacks, Timeline
from assay.run_directory.directory import (
    DAMAGES,
    RESULTS,
    Directory,
    NotARunError,
    reading,
    to_json,
    writing,
)
from assay.system import environment as machine
from assay.system import redaction

if TYPE_CHECKING:
    import pandas as pd

_SOURCES = TypeAdapter(dict[str, Source])
# The columns that every table has.
COLUMNS = ("topic", "launch")
LATER_COLUMNS = {"waited", "user"}  # columns of samples that are missing in older runs


class RunDirectory(Directory):
    """One directory under `reports/` with everything of one run."""

    PLAN = "plan.json"
    FOLDERS = ("samples", "profiles")

    def __init__(self, path: Path) -> None:
        """Point at a directory; nothing is read or written yet."""
        super().__init__(path)
        self._knows_names = False

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Open the directory of a run that exists.

        Raises:
            NotARunError: The directory has no plan.json.
        """
        if not cls.recognises(path):
            raise NotARunError(
                f"{path}: not a run directory (no plan.json); runs are under reports/"
            )
        return cls(path)

    @classmethod
    def create(cls, path: Path, plan: Data, environment: Mapping[str, object]) -> Self:
        """Create the directory with a redacted plan; see `Directory.create`."""
        if isinstance(plan, Plan):
            machine.learn_secrets(plan)
            plan = machine.redacted(plan)
        return super().create(path, plan, environment)

    def learn_names(self) -> None:
        """Remember that the names of topics and variants are not secrets."""
        if self._knows_names or not self.recognises(self.path):
            return
        with contextlib.suppress(*DAMAGES, RecursionError):
            text = (self.path / self.PLAN).read_text(encoding="utf-8-sig")
            topics = json.loads(text)["topics"]
            parts = [part for one in topics for part in (one, *one["variants"])]
            redaction.learn(ordinary=[str(part["name"]) for part in parts])
            self._knows_names = True

    def plan(self) -> Plan:
        """Read plan.json.

        Raises:
            NotARunError: The file is missing or damaged.
        """
        return self.read(self.PLAN, Plan)

    def write_plan(self, plan: Plan) -> None:
        """Write plan.json again, for example when the tests of suites are known."""
        self.keep(self.PLAN, json_of(machine.redacted(plan), indent=1))

    def logs(self, topic: str) -> Path:
        """Return the folder for what a topic's locustfile prints and logs."""
        return self.path / "logs" / topic

    def append_launch(
        self,
        topic: str,
        launch: int,
        slices: Sequence[dict[str, object]],
        values: Sequence[dict[str, object]],
        samples: pd.DataFrame | None,
    ) -> None:
        """Keep one finished launch.

        Args:
            topic: Name of its topic.
            launch: Number of the launch, from 1.
            slices: Rows for slices.parquet; see `rows.slices`.
            values: Rows for launches.parquet; see `rows.values`.
            samples: One row per request; see `rows.samples`. None if there is none.
        """
        if samples is not None:
            self._write_frame(f"samples/{topic}-{launch:03d}.parquet", samples)
        self._append_rows("slices.parquet", slices)
        self._append_rows("launches.parquet", values)

    def slices(self) -> pd.DataFrame:
        """Return one row per slice; empty if nothing was measured.

        Raises:
            NotARunError: The file is damaged.
        """
        return self._read_frame("slices.parquet")

    def launches(self) -> pd.DataFrame:
        """Return rows (topic, launch, variant, metric, value, censored).

        A value is censored if it is only a lower bound. The table is empty if nothing
        was measured.

        Raises:
            NotARunError: The file is damaged.
        """
        return self._read_frame("launches.parquet")

    def append_tests(self, tests: Sequence[dict[str, object]]) -> None:
        """Keep the benchmarks of one finished launch; see `rows.tests`."""
        self._append_rows("tests.parquet", tests)

    def tests(self) -> pd.DataFrame:
        """Return rows (topic, launch, test, variant, seconds, problem).

        `seconds` is NaN if there is no number. The table is empty if no benchmark ran.

        Raises:
            NotARunError: The file is damaged.
        """
        return self._read_frame("tests.parquet")

    def append_requests(self, requests: Sequence[dict[str, object]]) -> None:
        """Keep the requests of one finished launch; see `rows.requests`."""
        self._append_rows("requests.parquet", requests)

    def requests(self) -> pd.DataFrame:
        """Return rows (topic, launch, request, variant, seconds, answers).

        `seconds` is the lower quartile of the response times. The table is empty if no
        request is judged by itself, and in older runs.

        Raises:
            NotARunError: The file is damaged.
        """
        return self._read_frame("requests.parquet")

    def samples(self, topic: str, columns: list[str] | None = None) -> pd.DataFrame:
        """Return the requests of all launches of a topic; empty if there are none.

        The columns are launch, block, variant, mode (closed, open), scheduled, waited,
        start, end, name, user, failed and disturbed. `scheduled`, `start` and `end` are
        in seconds since the run began. `waited` is the time in seconds that an arrival
        waited for a user because of the target. `start` is NaN for a request that was
        never sent, and `end` for one that was never answered. Older runs lack `waited`
        and `user`. See also `measurements.latency`.

        Args:
            topic: Name of the topic.
            columns: The columns to read, if the run has them; all if None.

        Raises:
            NotARunError: A file is damaged.
        """
        import pandas as pd

        self.learn_names()
        files = sorted((self.path / "samples").glob(f"{topic}-[0-9][0-9][0-9].parquet"))
        frames = [_read_parquet(file, columns) for file in files]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def write_profile(self, profile: Profile) -> None:
        """Keep one profile."""
        pair = profile.pair if isinstance(profile, Timeline) else None
        parts = (profile.topic, *(pair or ()), profile.variant, profile.preset)
        self.keep(f"profiles/{'.'.join(parts)}.json", json_of(profile))

    def profiles(self) -> tuple[Profile, ...]:
        """Return all profiles, in the order of their file names.

        Raises:
            NotARunError: A file is damaged.
        """
        kinds: dict[str, type[Stacks] | type[Timeline]] = {
            "stacks": Stacks,
            "timeline": Timeline,
        }
        profiles: list[Profile] = []
        for path in sorted((self.path / "profiles").glob("*.json")):
            with reading(path):
                text = self.text(path)
                kind = kinds[json.loads(text)["kind"]]
                profiles.append(kind.model_validate_json(text))
        return tuple(profiles)

    def write_round(self, one: Round) -> None:
        """Keep one side of a round of profiling."""
        pair = f"{one.topic}.{one.baseline}.{one.candidate}"
        name = f"{pair}.{one.purpose}.{one.number:02d}.{one.variant}"
        self.keep(f"rounds/{name}.json", json_of(one))

    def rounds(self) -> tuple[Round, ...]:
        """Return all rounds of profiling, in the order of their file names.

        Raises:
            NotARunError: A file is damaged.
        """
        rounds: list[Round] = []
        for path in sorted((self.path / "rounds").glob("*.json")):
            with reading(path):
                rounds.append(Round.model_validate_json(self.text(path)))
        return tuple(rounds)

    def write_sources(
        self, topic: str, pair: tuple[str, str], sources: Mapping[str, Source]
    ) -> None:
        """Keep the user's code around the causes of a pair, by place."""
        text = _SOURCES.dump_json(dict(sources)).decode("utf-8")
        self.keep(f"sources/{topic}.{pair[0]}.{pair[1]}.json", text)

    def sources(self, topic: str, pair: tuple[str, str]) -> dict[str, Source]:
        """Return the user's code around the causes of a pair; empty if none was kept.

        Raises:
            NotARunError: The file is damaged.
        """
        path = self.path / f"sources/{topic}.{pair[0]}.{pair[1]}.json"
        if not path.is_file():
            return {}
        with reading(path):
            return _SOURCES.validate_json(self.text(path))

    def write_results(self, results: Results) -> None:
        """Write results.json."""
        self.keep(RESULTS, to_json(results))

    def results(self) -> Results:
        """Read results.json.

        Raises:
            NotARunError: The file is missing or damaged.
        """
        return self.read(RESULTS, Results)

    def _append_rows(self, name: str, rows: Iterable[dict[str, object]]) -> None:
        """Add rows to a small table by rewriting it; the file is always complete."""
        import pandas as pd

        added = pd.DataFrame(list(rows))
        if added.empty:
            return
        before = self._read_frame(name)
        self._write_frame(
            name,
            pd.concat([before, added], ignore_index=True) if len(before) else added,
        )

    def _read_frame(self, name: str) -> pd.DataFrame:
        import pandas as pd

        path = self.path / name
        if not path.is_file():
            return pd.DataFrame()
        self.learn_names()
        frame = _read_parquet(path)
        if missing := [one for one in COLUMNS if one not in frame.columns]:
            raise NotARunError(
                f"{path}: cannot be read: missing columns: {', '.join(missing)}"
            )
        return frame

    def _write_frame(self, name: str, frame: pd.DataFrame) -> None:
        path = self.path / name
        part = path.with_name(path.name + ".part")
        with writing(path):
            try:
                table = _without_secrets(frame)
                with part.open("wb") as file:  # Arrow needs a path in UTF-8
                    table.to_parquet(file, compression="zstd", index=False)
                os.replace(part, path)
            except OSError:
                part.unlink(missing_ok=True)  # makes room for the results
                raise


def _without_secrets(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts are without secrets; see `redaction.text`."""
    import pandas as pd

    redacted = {}
    for name in frame.columns:
        if frame[name].dtype.kind in "biuf":  # most columns are numbers
            continue
        texts = [one for one in frame[name].unique() if isinstance(one, str)]
        shown = {one: redaction.text(one) for one in texts}
        if any(one != other for one, other in shown.items()):
            column = pd.Series(
                [shown.get(one, one) for one in frame[name]], index=frame.index
            )
            is_category = isinstance(frame[name].dtype, pd.CategoricalDtype)
            redacted[name] = column.astype("category") if is_category else column
    return frame.assign(**redacted) if redacted else frame


def _read_parquet(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    import pandas as pd
    from pyarrow import ArrowException
    from pyarrow.parquet import read_schema

    with reading(path):
        try:
            with path.open("rb") as file:
                if columns is not None:
                    missing = LATER_COLUMNS - set(read_schema(file).names)
                    columns = [name for name in columns if name not in missing]
                    file.seek(0)
                return _without_secrets(pd.read_parquet(file, columns=columns))
        except ArrowException as error:  # not all kinds are ValueErrors
            raise ValueError(str(error)) from error
