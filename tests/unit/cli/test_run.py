"""Runs that are stopped, and runs that are damaged: what `assay` makes of them."""

import contextlib
import json
from pathlib import Path
from typing import NoReturn
from unittest.mock import MagicMock

import pytest
import typer

from assay.analysis import verdicts
from assay.cli.output import NOT_MEASURED
from assay.cli.report import report
from assay.cli.run import run as run_command
from assay.errors import InputError, MeasureError
from assay.experiment import earlier_runs, run
from assay.plan import Plan
from assay.run_directory.run import RunDirectory
from assay.system import interrupts
from tests.unit.synthetic import plan

CLAIMS = """\
title = "Shop"
[target]
command = "serve"
[scenario]
locustfile = "locustfile.py"
[variants]
a = {}
b = {}
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A topic whose service never runs; change into the folder above it."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "claims.toml").write_text(CLAIMS)
    (folder / "locustfile.py").write_text("")
    monkeypatch.chdir(tmp_path)
    return folder


def launched(directory: RunDirectory) -> None:
    """Write one launch of the topic to disk."""
    values: list[dict[str, object]] = [
        {
            "topic": "shop",
            "launch": 1,
            "variant": variant,
            "metric": "startup",
            "value": 0.5,
            "censored": False,
        }
        for variant in "ab"
    ]
    directory.append_launch("shop", 1, [], values, None)


@pytest.mark.parametrize(
    "stopped", [ArithmeticError("?"), MeasureError("no server"), KeyboardInterrupt()]
)
def test_whatever_stops_a_run_what_was_measured_is_reported(
    shop: Path, monkeypatch: pytest.MonkeyPatch, stopped: BaseException
) -> None:
    def measure(_: Plan, directory: RunDirectory, __: object) -> NoReturn:
        launched(directory)
        raise stopped

    monkeypatch.setattr(run, "measure", measure)
    interrupted = isinstance(stopped, KeyboardInterrupt)
    with pytest.raises(typer.Exit if interrupted else type(stopped)) as ended:
        run_command([str(shop)], Path("out"), 1)
    if interrupted:
        assert ended.value.exit_code == NOT_MEASURED  # type: ignore[attr-defined]
    results = RunDirectory(Path("out")).results()
    assert results.partial
    assert {value.metric for value in results.values} == {"startup"}
    assert "did not finish" in Path("out", "index.html").read_text()
    assert Path("out", "summary.md").is_file() and Path("out", "junit.xml").is_file()


@pytest.mark.parametrize(
    ("given", "looks"), [("12", (12,)), ("12,18", (12, 18)), (" 1, 200 ", (1, 200))]
)
def test_launches_are_the_looks_of_the_plan(
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: str,
    looks: tuple[int, ...],
) -> None:
    def measure(planned: Plan, _: RunDirectory, __: object) -> NoReturn:
        assert planned.settings.looks == looks
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "measure", measure)
    with pytest.raises(typer.Exit):
        run_command([str(shop)], Path("out"), 1, launches=given)


def test_ctrl_c_before_anything_is_measured(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def duration_forecasts(_: Plan, __: Path) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(earlier_runs, "duration_forecasts", duration_forecasts)
    with pytest.raises(typer.Exit) as ended:
        run_command([str(shop)], Path("out"), 1)
    assert ended.value.exit_code == NOT_MEASURED
    assert RunDirectory(Path("out")).results().partial


@pytest.fixture
def kept(tmp_path: Path) -> RunDirectory:
    """A run of one launch."""
    directory = RunDirectory.create(tmp_path / "kept", plan(), {"python": "3"})
    launched(directory)
    return directory


def test_a_run_of_one_launch_is_reported(kept: RunDirectory) -> None:
    report(kept.path)
    assert kept.results().partial


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("plan.json", b"{"),
        ("results.json", b"[]"),
        ("slices.parquet", b"PAR1"),
        ("launches.parquet", b"PAR1 cut off"),
        ("samples/shop-001.parquet", b""),
        ("profiles/shop.a.cpu.json", b"{"),
        ("profiles/shop.a.cpu.json", b"{}"),
        ("environment.json", b"3"),
        ("environment.json", b"\xff"),
    ],
)
def test_a_damaged_file_of_a_run_is_named(
    kept: RunDirectory, file: str, content: bytes
) -> None:
    (kept.path / file).write_bytes(content)
    with pytest.raises(InputError, match=f"{file}: cannot be read"):
        report(kept.path)


@pytest.mark.parametrize("table", ["slices", "launches", "tests", "samples/shop-001"])
@pytest.mark.parametrize(
    "columns",
    [
        {"a": [1]},
        {"topic": ["shop"], "launch": ["one"]},
        {"topic": [1.5], "launch": [None], "variant": [b"a"], "metric": [[1]]},
    ],
    ids=["others", "fewer", "types"],
)
def test_a_table_with_other_columns_is_no_bug(
    kept: RunDirectory, table: str, columns: dict[str, list[object]]
) -> None:
    import pandas as pd

    pd.DataFrame(columns).to_parquet(kept.path / f"{table}.parquet")
    with contextlib.suppress(InputError):  # some tables may be empty
        report(kept.path)


def test_what_may_be_a_bug_of_assay_is_said_with_its_line(
    kept: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "evaluate", lambda *_: 1 / 0)
    with pytest.raises(
        InputError,
        match=r"or there is a bug in Assay \(ZeroDivisionError: .* at "
        r"assay/experiment/run\.py:\d+\)$",
    ):
        report(kept.path)


def test_a_damaged_file_does_not_hide_why_a_run_ended(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(_: Plan, directory: RunDirectory, __: object) -> NoReturn:
        launched(directory)
        (directory.path / "profiles" / "shop.a.cpu.json").write_text("{")
        raise MeasureError("no server")

    monkeypatch.setattr(run, "measure", measure)
    with pytest.raises(MeasureError, match="no server"):
        run_command([str(shop)], Path("out"), 1)
    assert "shop.a.cpu.json: cannot be read" in capsys.readouterr().err


def test_a_run_that_cannot_be_judged_does_not_hide_why_it_ended(
    kept: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure_topic(_: object, __: object) -> NoReturn:
        (kept.path / "launches.parquet").write_bytes(b"PAR1 cut off")
        raise MeasureError("no server")

    monkeypatch.setattr(run, "_measure_topic", measure_topic)
    monkeypatch.setattr(interrupts, "load_scipy", lambda: None)
    with pytest.raises(MeasureError, match="no server"):
        run.measure(plan(), kept, MagicMock())


def test_a_plan_of_a_later_version_is_left_alone(kept: RunDirectory) -> None:
    path = kept.path / "plan.json"
    written = json.dumps({**json.loads(path.read_text()), "schema": 2, "new": 1})
    path.write_text(written)
    with pytest.raises(InputError, match="plan.json.*a later version of Assay"):
        report(kept.path)
    assert path.read_text() == written


def test_results_of_a_later_version_are_left_alone(kept: RunDirectory) -> None:
    report(kept.path)
    path = kept.path / "results.json"
    written = json.dumps({**json.loads(path.read_text()), "schema": 9, "new": 1})
    path.write_text(written)
    with pytest.raises(InputError, match="results.json.*a later version of Assay"):
        report(kept.path)
    assert path.read_text() == written


def test_a_run_that_cannot_be_written_to(kept: RunDirectory) -> None:
    (kept.path / "results.json.part").mkdir()  # root may write everywhere else
    with pytest.raises(InputError, match="results.json.part"):
        report(kept.path)
    (kept.path / "results.json.part").rmdir()
    (kept.path / "index.html.part").mkdir()
    with pytest.raises(InputError, match="index.html.part"):
        report(kept.path)


def test_a_run_of_a_name_that_cannot_be() -> None:
    with pytest.raises(InputError, match="too long"):
        report(Path("r" * 300))
