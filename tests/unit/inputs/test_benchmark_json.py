"""Files of pytest-benchmark, valid and invalid."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.inputs import benchmark_json
from assay.single_runs import SingleRun


def benchmark(test: str = "t.py::test_a", median: object = 0.5) -> dict[str, Any]:
    return {"fullname": test, "name": "test_a", "stats": {"median": median, "min": 0}}


def content(*benchmarks: object, **more: object) -> bytes:
    """Return the content of a file, as pytest-benchmark writes it."""
    fields = {
        "machine_info": {
            "node": "host",
            "machine": "x86_64",
            "python_implementation": "CPython",
            "python_version": "3.12.1",
            "release": "6.1",
            "system": "Linux",
            "cpu": {"brand_raw": "A CPU", "count": 2, "flags": ["a"]},
        },
        "commit_info": {"id": "c0ffee" * 6, "dirty": False},
        "benchmarks": list(benchmarks),
        "datetime": "2026-01-05T03:00:00+00:00",
        "version": "5.3.1",
        **more,
    }
    return json.dumps(fields).encode()


def test_what_a_file_says() -> None:
    found = benchmark_json.parse(content(benchmark()), "a.json")
    assert found.medians == {"t.py::test_a": 0.5}
    assert found.python == "CPython 3.12.1"
    assert found.machine == {
        "CPU": "A CPU",
        "cores": "2",
        "architecture": "x86_64",
        "system": "Linux",
        "kernel": "6.1",
        "host": "host",
    }
    assert (found.commit, found.dirty) == ("c0ffee" * 6, False)
    assert found.date and found.date.year == 2026
    assert not found.launches


def test_what_is_unknown_is_empty() -> None:
    fields = {"benchmarks": [benchmark()], "commit_info": {"id": "unversioned"}}
    found = benchmark_json.parse(json.dumps(fields).encode(), "a.json")
    assert found == SingleRun(file="a.json", medians={"t.py::test_a": 0.5})


def test_an_unusable_test_hides_no_other() -> None:
    written = content(
        benchmark("zero", 0.0),
        benchmark("twice"),
        benchmark("twice"),
        benchmark("good", 1),
    )
    found = benchmark_json.parse(written, "a.json")
    assert found.medians == {"good": 1.0}
    assert found.unusable == {
        "zero": "its median is 0 s",
        "twice": "it is there 2 times",
    }


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b" \n", "the file is empty"),
        (b'{"benchmarks": [', "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[]", "it has no `benchmarks`"),
        (b'{"schema": 1, "comparisons": []}', "it has no `benchmarks`"),
        (b'{"benchmarks": {}}', "it is damaged: benchmarks: "),
        (content(), "no test in it has a usable median"),
        (content(benchmark(median=float("nan"))), "no test in it has a usable median"),
        (content({"fullname": "a"}), "benchmarks.0.stats: Field required"),
        (content(benchmark(median=None)), "benchmarks.0.stats.median: Input should"),
        (content(benchmark(), machine_info=[]), "it is damaged: machine_info"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_a_damaged_file_is_named_with_what_was_expected(
    written: bytes, said: str
) -> None:
    with pytest.raises(InputError) as refused:
        benchmark_json.parse(written, "some.json")
    message = str(refused.value)
    assert message.startswith("some.json: ")
    assert said in message
    assert "expected a file of `pytest --benchmark-json=FILE`" in message


@pytest.mark.parametrize("name", ["none.json", "folder.json", "a\0.json"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        benchmark_json.read(tmp_path / name, "it")


def test_other_files_of_a_folder_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "Linux-CPython-3.12-64bit"
    folder.mkdir()
    (folder / "0001_x.json").write_bytes(content(benchmark()))
    (tmp_path / "results.json").write_text("{}")
    (found,) = benchmark_json.read_folder(tmp_path)
    assert found.file == str(folder / "0001_x.json")
    (folder / "0001_x.json").unlink()
    with pytest.raises(InputError, match="no file of pytest-benchmark"):
        benchmark_json.read_folder(tmp_path)
    with pytest.raises(InputError, match="no file of pytest-benchmark"):
        benchmark_json.read_folder(tmp_path / "nowhere")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda parts: st.lists(parts, max_size=3)
    | st.dictionaries(
        st.sampled_from(["id", "cpu", "median", "stats", "launches"]) | st.text(),
        parts,
        max_size=3,
    ),
    max_leaves=8,
)
BENCHMARK = st.fixed_dictionaries(
    {},
    optional={
        "fullname": JSON,
        "stats": JSON | st.fixed_dictionaries({"median": JSON}),
    },
)
FIELDS = st.fixed_dictionaries(
    {"benchmarks": JSON | st.lists(BENCHMARK | st.just(benchmark()), max_size=3)},
    optional=dict.fromkeys(
        ("machine_info", "commit_info", "datetime", "version", "assay"), JSON
    ),
)


@given(JSON | FIELDS)
@example({"benchmarks": [benchmark(median=10**400)]})
@example({"benchmarks": [benchmark("\ud800")]})
@example({"benchmarks": [benchmark()], "commit_info": {"id": "\ud800"}})
@example({"benchmarks": [benchmark()], "datetime": "0001-01-01T00:00:00+14:00"})
@example({"benchmarks": [benchmark()], "assay": {"launches": 10**400}})
def test_any_json_gives_a_run_or_a_clear_message(fields: object) -> None:
    _read(json.dumps(fields).encode())


@given(st.binary())
def test_any_content_gives_a_run_or_a_clear_message(written: bytes) -> None:
    _read(written)


def _read(written: bytes) -> None:
    try:
        found = benchmark_json.parse(written, "a.json")
    except InputError as error:
        assert str(error).startswith("a.json: ")
    else:
        assert found.medians
        assert all(1e-12 <= median <= 1e9 for median in found.medians.values())
