"""The run directory: files are complete or missing, and partial runs can be read."""

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from assay.plan import Plan
from assay.results import Comparison, Results, Stacks, Timeline
from assay.run_directory.directory import NotARunError
from assay.run_directory.run import RunDirectory
from assay.system import redaction
from tests.unit.synthetic import plan


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "run", Plan(topics=()), {"python": "3"})


def test_results_are_read_back_as_they_were_written(run: RunDirectory) -> None:
    comparison = Comparison(
        topic="t",
        baseline="a",
        candidate="b",
        metric="time",
        ratio=0.5,
        low=0.4,
        high=0.6,
        launches=12,
        verdict="faster",
    )
    results = Results(run="run", partial=False, seed=7, comparisons=(comparison,))
    run.write_results(results)
    assert '"schema": 1' in (run.path / "results.json").read_text()
    assert run.results() == results
    assert not list(run.path.glob("*.part"))


def test_launches_are_kept_one_by_one(run: RunDirectory) -> None:
    for number in (1, 2):
        row: dict[str, object] = {"topic": "t", "launch": number, "value": 1.0}
        samples = pd.DataFrame({"start": [0.1], "name": ["/"]})
        run.append_launch("t", number, [row, row], [row], samples)
    assert list(run.slices()["launch"]) == [1, 1, 2, 2]
    assert list(run.launches()["launch"]) == [1, 2]
    assert len(run.samples("t")) == 2
    assert list(run.samples("t", columns=["name"]).columns) == ["name"]


def test_names_of_topics_and_variants_are_shown_whoever_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    shop = plan().topics[0].model_copy(update={"name": "shop-v1"})
    run = RunDirectory.create(tmp_path / "run", Plan(topics=(shop,)), {})
    row: dict[str, object] = {"topic": "shop-v1", "launch": 1, "note": "k9-dL2x"}
    run.append_launch("shop-v1", 1, [row], [row], None)
    run.write_results(Results(run="run", partial=False, seed=7, warnings=("shop-v1",)))
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    redaction.learn({"API_KEY": "shop-v1", "DB_PASSWORD": "k9-dL2x"})
    run = RunDirectory(run.path)
    assert run.results().warnings == ("shop-v1",)
    for table in (run.slices(), run.launches()):
        assert list(table["topic"]) == ["shop-v1"] and list(table["note"]) == ["***"]
    assert [topic.name for topic in run.plan().topics] == ["shop-v1"]


def test_topics_whose_names_begin_alike_keep_their_own_samples(
    run: RunDirectory,
) -> None:
    frame = pd.DataFrame({"start": [0.1]})
    run.append_launch("shop", 1, [], [], frame)
    run.append_launch("shop-2", 1, [], [], frame)
    assert len(run.samples("shop")) == 1


def test_what_was_not_measured_is_empty(run: RunDirectory) -> None:
    assert run.slices().empty and run.launches().empty and run.samples("t").empty
    assert run.profiles() == ()


def test_profiles_are_read_back(run: RunDirectory) -> None:
    stacks = Stacks(
        topic="t",
        variant="a",
        preset="cpu",
        unit="s",
        requests=10,
        samples=5,
        total=0.1,
        stacks=((("main (app.py)", "work (app.py)"), 0.1),),
    )
    timeline = Timeline(
        topic="t",
        variant="a",
        preset="memory",
        unit="B",
        requests=10,
        seconds=(0.0, 0.1),
        values=(1.0, 2.0),
    )
    for profile in (stacks, timeline):
        run.write_profile(profile)
    assert run.profiles() == (stacks, timeline)


PARQUET = ("slices.parquet", "launches.parquet", "samples/t-001.parquet")


def parquet() -> bytes:
    """Return a Parquet file; a file that lacks any part of it cannot be read."""
    out = io.BytesIO()
    pd.DataFrame({"start": [float(at) for at in range(999)]}).to_parquet(out)
    return out.getvalue()


@pytest.mark.parametrize("file", PARQUET)
@pytest.mark.parametrize("kept", [0, 3, 100, -5])
def test_a_table_that_was_cut_off_is_named(
    run: RunDirectory, file: str, kept: int
) -> None:
    (run.path / file).write_bytes(parquet()[:kept])
    readers: dict[str, Callable[[], object]] = dict(
        zip(PARQUET, (run.slices, run.launches, lambda: run.samples("t")), strict=True)
    )
    with pytest.raises(NotARunError, match=f"{file}: cannot be read: ."):
        readers[file]()


def test_samples_that_lack_a_column_are_named(run: RunDirectory) -> None:
    (run.path / PARQUET[2]).write_bytes(parquet())
    with pytest.raises(NotARunError, match="t-001.parquet: cannot be read"):
        run.samples("t", columns=["start", "end"])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "{}", '{"kind": "flames"}', '{"kind": "stacks"}', "\0"]
)
def test_a_profile_that_is_none_is_named(run: RunDirectory, text: str) -> None:
    (run.path / "profiles" / "t.a.cpu.json").write_text(text)
    with pytest.raises(NotARunError, match="t.a.cpu.json: cannot be read"):
        run.profiles()


@pytest.mark.parametrize(
    "name", ["plan.json", "results.json", "environment.json", "profiles/a.json"]
)
def test_a_file_that_is_nested_too_deeply_is_named(
    run: RunDirectory, name: str
) -> None:
    (run.path / name).write_text("[" * 100_000)
    with pytest.raises(NotARunError, match=f"{name}: cannot be read: nested too deep"):
        for read in (run.plan, run.environment, run.profiles, run.results):
            read()


def test_a_folder_with_somebodys_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(NotARunError, match="not empty"):
        RunDirectory.create(tmp_path, Plan(topics=()), {})


def test_what_is_not_a_run_is_said(tmp_path: Path, run: RunDirectory) -> None:
    with pytest.raises(NotARunError, match="not a run directory"):
        RunDirectory.open(tmp_path)
    with pytest.raises(NotARunError, match="cannot be read"):
        run.results()
    (run.path / "plan.json").write_text("{")
    with pytest.raises(NotARunError, match="plan.json: cannot be read"):
        run.plan()


def test_samples_of_an_older_run_lack_what_was_added(run: RunDirectory) -> None:
    samples = pd.DataFrame({"scheduled": [0.0], "end": [0.1]})
    row: dict[str, object] = {"topic": "t", "launch": 1}
    run.append_launch("t", 1, [row], [row], samples)
    read = run.samples("t", columns=["scheduled", "waited", "end", "user"])
    assert list(read.columns) == ["scheduled", "end"]
