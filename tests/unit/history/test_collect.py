"""Runs are found wherever they lie; what cannot be used is named."""

import json
import sys
from pathlib import Path

import pytest

from assay.errors import InputError
from assay.history.collect import collect
from assay.plan import Plan
from assay.system import environment
from tests.unit.history.runs import TOPIC, commit, write_load_test, write_run


def test_runs_of_several_folders_are_sorted_by_date(tmp_path: Path) -> None:
    write_run(tmp_path / "b" / "deep", 1, {"startup": 1.0})
    write_run(tmp_path / "a", 2, {"startup": 1.0})
    write_run(tmp_path / "a", 0, {"startup": 1.0})
    records, skipped = collect([str(tmp_path / "a"), str(tmp_path / "b")])
    assert [record.run for record in records] == ["run-000", "run-001", "run-002"]
    assert not skipped
    assert records[1].commit(TOPIC, "current") == commit(1)


def test_a_run_is_found_when_it_is_named_itself(tmp_path: Path) -> None:
    run = write_run(tmp_path, 1, {"startup": 1.0})
    records, _ = collect([str(run.path)])
    assert [record.run for record in records] == ["run-001"]


def test_the_same_run_counts_once(tmp_path: Path) -> None:
    write_run(tmp_path / "a", 1, {"startup": 1.0})
    write_run(tmp_path / "b", 1, {"startup": 1.0})
    records, skipped = collect([str(tmp_path), str(tmp_path / "a")])
    assert len(records) == 1
    (one,) = skipped
    assert one.place == str(tmp_path / "b" / "run-001")
    assert one.reason == f"the same run as {tmp_path / 'a' / 'run-001'}"


def _rewritten(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_runs_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    write_run(tmp_path, 0, {"startup": 1.0})
    write_run(tmp_path, 1, {"startup": 1.0}, partial=True)
    runs = {n: write_run(tmp_path, n, {"startup": 1.0}).path for n in range(2, 10)}
    (runs[2] / "results.json").write_text('{"schema": 1,')
    _rewritten(runs[3] / "results.json", schema=99)
    (runs[4] / "results.json").unlink()
    (runs[5] / "environment.json").unlink()
    _rewritten(runs[6] / "environment.json", started="yesterday")
    _rewritten(runs[7] / "results.json", values=[{"topic": 3}])
    (runs[8] / "results.json").write_text("[]")
    _rewritten(runs[9] / "results.json", values=[])
    records, skipped = collect([str(tmp_path)])
    assert [record.run for record in records] == ["run-000"]
    reasons = {Path(one.place).name: one.reason for one in skipped}
    expected = {
        "run-001": "it is partial",
        "run-002": "results.json cannot be read",
        "run-003": "schema 99, from a later version of Assay",
        "run-004": f"no results.json; it did not finish; type: assay report {runs[4]}",
        "run-005": "no environment.json",
        "run-006": "environment.json is damaged: started",
        "run-007": "results.json is damaged: values.0.topic",
        "run-008": "expected a JSON object",
        "run-009": "it has no numbers",
    }
    assert set(reasons) == set(expected)
    for name, text in expected.items():
        assert text in reasons[name]


def test_fields_of_a_later_version_do_not_matter(tmp_path: Path) -> None:
    run = write_run(tmp_path, 1, {"startup": 1.0})
    results = json.loads((run.path / "results.json").read_text())
    results["invented"] = 1
    results["values"][0] |= {"invented": {}, "test": "bench.py::test_one"}
    (run.path / "results.json").write_text(json.dumps(results))
    records, skipped = collect([str(tmp_path)])
    assert not skipped
    assert records[0].measured[0].test == "bench.py::test_one"


def test_bounds_are_no_numbers(tmp_path: Path) -> None:
    run = write_run(tmp_path, 1, {"startup": 1.0, "latency.p50": 2.0})
    results = json.loads((run.path / "results.json").read_text())
    results["values"][1]["censored"] = True
    (run.path / "results.json").write_text(json.dumps(results))
    records, _ = collect([str(tmp_path)])
    assert [one.metric for one in records[0].measured] == ["startup"]


def test_load_tests_are_read_without_secrets(tmp_path: Path) -> None:
    write_load_test(tmp_path, 1, 0.02)
    records, _ = collect([str(tmp_path)])
    numbers = {(one.test, one.metric): one for one in records[0].measured}
    one = numbers["GET /orders", "latency.p50"]
    assert one.value == 0.02
    assert one.variant == "http://***@shop"
    assert records[0].commit(one.topic, one.variant) == commit(1)
    assert ("all requests", "latency.mean") in numbers
    assert ("all requests", "latency.p999") not in numbers  # too few requests


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"kind": "capacity"}, "many load tests"), ({"bound": True}, "only bounds")],
)
def test_load_tests_that_have_no_numbers(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    write_load_test(tmp_path, 0, 0.02)
    run = write_load_test(tmp_path, 1, 0.02)
    _rewritten(run.path / "results.json", **change)
    records, skipped = collect([str(tmp_path)])
    assert len(records) == 1
    assert reason in skipped[0].reason


def test_what_lies_within_a_run_is_part_of_it(tmp_path: Path) -> None:
    run = write_run(tmp_path, 1, {"startup": 1.0})
    write_load_test(run.path, 2, 0.02)
    records, skipped = collect([str(tmp_path)])
    assert [record.run for record in records] == ["run-001"]
    assert not skipped


def test_an_empty_folder_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        collect([str(tmp_path)])
    for text in (str(tmp_path), "no runs found", "plan.json", "assay history reports"):
        assert text in str(error.value)


def test_folders_without_a_usable_run_say_why(tmp_path: Path) -> None:
    write_run(tmp_path, 1, {"startup": 1.0}, partial=True)
    with pytest.raises(InputError, match="1 run found, but none that can be used"):
        collect([str(tmp_path)])


def test_all_wrong_folders_are_named_at_once(tmp_path: Path) -> None:
    run = write_run(tmp_path, 1, {"startup": 1.0})
    file = run.path / "results.json"
    with pytest.raises(InputError) as error:
        collect([str(tmp_path / "nowhere"), str(file), "nothing://here"])
    assert "nowhere: there is no such folder" in str(error.value)
    assert f"{file}: this is a file" in str(error.value)
    assert "nothing://here: cannot be read" in str(error.value)


def test_a_url_is_read_with_fsspec(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for number in range(2):
        run = write_run(tmp_path, number, {"startup": 1.0})
        memory.put(str(run.path), f"/history/runs/{run.name}", recursive=True)
    nested = write_load_test(tmp_path / "x", 5, 0.1)
    memory.put(str(nested.path), "/history/runs/run-001/trial", recursive=True)
    memory.pipe("/history/runs/run-009/plan.json", b"{}")
    try:
        records, skipped = collect(["memory://history"])
    finally:
        memory.rm("/history", recursive=True)
    assert [record.run for record in records] == ["run-000", "run-001"]
    assert [one.place for one in skipped] == ["memory:///history/runs/run-009"]


def test_without_fsspec_a_url_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(InputError) as error:
        collect(["s3://user:secret@bucket/runs"])
    assert "python -m pip install fsspec" in str(error.value)
    assert "secret" not in str(error.value)


def test_the_description_of_this_machine_is_read(tmp_path: Path) -> None:
    described = environment.describe(Plan(topics=()), {TOPIC: Path(__file__).parent})
    write_run(tmp_path, 1, {"startup": 1.0}, changed=described)
    records, skipped = collect([str(tmp_path)])
    assert not skipped
    (one,) = records
    assert one.date.isoformat(timespec="seconds") == described["started"]
    assert "Python 3." in one.machine and "GiB" in one.machine
    assert one.commits == described["commits"]
