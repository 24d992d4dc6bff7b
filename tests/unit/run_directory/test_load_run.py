"""What the directory of a load test holds, and what it must not."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from assay.cli import load
from assay.errors import InputError
from assay.load.recorder import FINE
from assay.load_results import KINDS, Name
from assay.run_directory.directory import NotARunError
from assay.run_directory.load_run import TICKS, LoadRun
from assay.system import redaction
from tests.unit.load_tests.synthetic import finished, plan, searched, swept

TICK = '{"at": 1, "planned": 1, "requests": 1, "generator_cpu": 0.1'
SAMPLES = [(i / 10, i / 10 + 0.01, FINE) for i in range(100)]
ALL = "html,markdown,junit,json,csv"


def texts(run: LoadRun) -> dict[str, str]:
    return {
        str(path.relative_to(run.path)): path.read_text()
        for path in run.path.rglob("*")
        if path.is_file() and path.suffix != ".parquet"
    }


@pytest.mark.parametrize("create", [finished, searched, swept])
def test_nothing_that_is_written_or_printed_holds_a_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], create: object
) -> None:
    arguments = (tmp_path, SAMPLES) if create is finished else (tmp_path,)
    run = create(*arguments)  # type: ignore[operator]
    load.report(run.path, ALL, False)
    printed = capsys.readouterr()
    kept = texts(run)
    assert {"load.json", "index.html", "summary.md", "junit.xml"} <= set(kept)
    for name, text in {**kept, "out": printed.out, "err": printed.err}.items():
        assert "S3CRET" not in text, name
    assert "shop:8000" in kept["load.json"] and "--api-token" in kept["load.json"]


def test_the_plan_that_is_measured_keeps_its_secrets(tmp_path: Path) -> None:
    given = plan(tmp_path)
    run = LoadRun.create(tmp_path / "run", given, {})
    assert "S3CRET" in given.host and "S3CRET" in given.locust
    assert run.plan().locust == ("--api-token", "***", "--password=***", "--path", "/x")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("samples/requests-00001.parquet", "PAR1 and no more"),
        ("names.json", "[half"),
        ("names.json", "[]"),
        ("names.json", "5"),
        ("names.json", '[["request", "GET"]]'),
        ("names.json", '[["query", "GET", "/look"]]'),
        ("names.json", '[["request", null, "/look"]]'),
        ("end.json", "{}"),
        ("end.json", '{"exit_code": "many"}'),
        ("warnings.json", "{"),
        ("environment.json", "[1]"),
        ("environment.json", "{"),
        ("load.json", "{}"),
        (TICKS, "5\n"),
        (TICKS, '{"at": "soon"}\n'),
        (TICKS, TICK + ', "tasks": 5}'),
        (TICKS, TICK + ', "raised": {"a": "b"}}'),
        (TICKS, '{"at": 1, "planned": 1, "requests": 1, "generator_cpu": null}\n'),
        pytest.param("names.json", "[" * 100_000, id="nested names"),
        pytest.param(TICKS, "[" * 100_000, id="nested ticks"),
    ],
)
def test_a_damaged_directory_is_bad_input(tmp_path: Path, name: str, text: str) -> None:
    run = finished(tmp_path, SAMPLES)
    (run.path / name).write_text(text)
    with pytest.raises(InputError, match=str(run.path)):
        load.report(run.path, ALL, False)


def older_names(run: LoadRun) -> None:
    (run.path / "names.json").write_text('["/look"]')


def older_samples(run: LoadRun) -> None:
    (path,) = (run.path / "samples").glob("requests-*")
    parquet.write_table(parquet.read_table(path).drop_columns("waited"), path)


@pytest.mark.parametrize("age", [older_names, older_samples])
def test_a_directory_of_an_older_version_is_refused_by_name(
    tmp_path: Path, age: Callable[[LoadRun], None]
) -> None:
    run = finished(tmp_path, SAMPLES)
    age(run)
    with pytest.raises(InputError, match="an older version of Assay made this"):
        load.report(run.path, ALL, False)


@given(
    st.lists(st.builds(Name, st.sampled_from(KINDS), st.text(), st.text()), max_size=9)
)
def test_names_are_read_as_they_were_written(names: list[Name]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = LoadRun(Path(folder))
        run.write_names(names)
        assert run.names() == names


def test_what_is_read_is_hidden_like_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    run = finished(tmp_path, SAMPLES)
    title = "cannot reach http://me:x@db.example/k9-dL2x"
    (run.path / "load.json").write_text(
        run.plan().model_copy(update={"title": title}).model_dump_json()
    )
    names = [["request", "GET", "/k9-dL2x"], ["request", "GET", "/?api_key=x"]]
    (run.path / "names.json").write_text(json.dumps(names))
    assert [name.name for name in run.names()] == ["/k9-dL2x", "/?api_key=***"]
    redaction.learn({"API_KEY": "k9-dL2x"})  # as in the process that measured
    assert [name.name for name in run.names()] == ["/***", "/?api_key=***"]
    assert run.plan().title == "cannot reach http://***@db.example/***"


def test_samples_that_were_lost_since_are_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished(tmp_path, SAMPLES)
    load.report(run.path, ALL, False)
    (path,) = (run.path / "samples").glob("requests-*")
    path.unlink()
    with pytest.raises(typer.Exit) as exit_:
        load.report(run.path, ALL, False)
    assert exit_.value.exit_code == 4
    gap = "100 of the 100 requests that ended are not on disk"
    assert gap in " ".join(capsys.readouterr().out.split())
    for name in ("index.html", "summary.md", "junit.xml", "results.json"):
        assert gap in (run.path / name).read_text(), name


def test_a_search_that_left_nothing_is_no_single_test(tmp_path: Path) -> None:
    run = LoadRun.create(tmp_path / "run", plan(tmp_path, trials="capacity"), {})
    with pytest.raises(NotARunError, match="before its first trial"):
        run.trials()
    with pytest.raises(InputError, match="before its first trial"):
        load.report(run.path, ALL, False)


@pytest.mark.parametrize("create", [searched, swept])
def test_every_format_is_one_of_trials_too(tmp_path: Path, create: object) -> None:
    run: LoadRun = create(tmp_path)  # type: ignore[operator]
    before = set(texts(run))
    load.report(run.path, "csv", False)
    assert set(texts(run)) - before == {"trials.csv"}
    load.report(run.path, ALL, False)
    files = {"index.html", "summary.md", "junit.xml", "results.json", "trials.csv"}
    assert set(texts(run)) - before == files
    contents = texts(run)
    assert contents["results.json"] == contents.get(
        "capacity.json", contents.get("sweep.json")
    )
    assert len(contents["trials.csv"].splitlines()) == 3
    assert json.loads(contents["results.json"])["kind"] in ("capacity", "sweep")
    with pytest.raises(InputError, match="no format 'pdf'"):
        load.report(run.path, "html,pdf", False)
