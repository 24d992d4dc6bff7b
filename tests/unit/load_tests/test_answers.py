"""HTTP statuses and sizes of the answers."""

from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from assay.load.protocol import LATER_COLUMNS
from assay.load_results import Name, Row
from assay.load_tests import summary
from assay.load_tests.answers import MAX_STATUSES
from assay.run_directory.load_run import LoadRun
from tests.unit.load_tests.synthetic import Sample, written

BUY, LOGIN = Name("request", "POST", "/orders"), Name("start", "GET", "login")


def rows(run: LoadRun) -> dict[str, Row]:
    return {row.title: row for row in summary.summarise(run).rows}


def of(status: int, size: int, name: Name = BUY) -> Sample:
    return Sample(1.0, 1.5, int(status >= 400), name, status=status, size=size)


def test_statuses_and_sizes_are_those_of_each_endpoint(tmp_path: Path) -> None:
    samples = [of(200, 100), of(201, 300), of(201, 500), of(500, 4_000_000_000)]
    found = rows(written(tmp_path, [*samples, Sample(1.0, 1.2), of(204, 0, LOGIN)]))
    buy = found["POST /orders"]
    assert list(buy.statuses.items()) == [("201", 2), ("200", 1), ("500", 1)]
    assert (buy.size_mean, buy.size_max) == (1_000_000_225.0, 4_000_000_000)
    # If the client reports no status and size, none is known.
    look = found["GET /look"]
    assert (look.statuses, look.size_mean, look.size_max) == ({}, None, None)
    assert found["all requests"].statuses == buy.statuses
    login = found["GET login (on_start)"]
    assert (login.statuses, login.size_mean) == ({"204": 1}, 0.0)


def test_rare_statuses_are_counted_together(tmp_path: Path) -> None:
    samples = [of(200 + place, 1) for place in range(MAX_STATUSES + 5)]
    found = rows(written(tmp_path, [*samples, of(299, 1), of(299, 1)]))
    statuses = found["POST /orders"].statuses
    assert next(iter(statuses.items())) == ("299", 2)
    assert len(statuses) == MAX_STATUSES + 1 and statuses["other"] == 6


def test_samples_of_an_older_version_have_none(tmp_path: Path) -> None:
    run = written(tmp_path, [of(200, 100), of(500, 7)])
    for path in (run.path / "samples").glob("requests-*.parquet"):
        table: pa.Table = parquet.read_table(path)
        parquet.write_table(table.drop_columns(list(LATER_COLUMNS)), path)
    buy = rows(run)["POST /orders"]
    assert (buy.requests, buy.failed) == (2, 1)
    assert (buy.statuses, buy.size_mean, buy.size_max) == ({}, None, None)
