"""The folder of a search: the search continues from it, or says why it cannot."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.bisection.record import FILE, Record
from assay.bisection_results import Bisection, Request
from assay.errors import InputError

ASKED = Request(good="a" * 40, bad="b" * 40, benchmarks=("tests",))
BEGUN = Bisection(command="assay bisect", seed=3, request=ASKED, good="v1", bad="main")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    record = Record(tmp_path / "a" / "search")
    assert record.earlier(ASKED) is None
    record.create()
    record.write(BEGUN)
    assert record.earlier(ASKED) == BEGUN
    assert json.loads(record.file.read_text())["schema"] == 1
    assert not list(record.path.glob("*.part"))


def test_another_question_is_refused(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.write(BEGUN)
    other = ASKED.model_copy(update={"good": "c" * 40, "benchmarks": ()})
    said = "good: a+ then, c+ now; benchmarks: tests then, none now"
    with pytest.raises(InputError, match=said):
        record.earlier(other)


def test_the_same_question_with_a_secret_goes_on(tmp_path: Path) -> None:
    asked = ASKED.model_copy(update={"topics": ("shop?token=hunter2x9",)})
    record = Record(tmp_path)
    record.write(BEGUN.model_copy(update={"request": asked}))
    assert "hunter2x9" not in record.file.read_text()
    assert record.earlier(asked) is not None


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        Record(tmp_path).earlier(ASKED)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "another version of Assay"),
        ({"steps": [{"sha": 5}]}, r"steps.0.sha"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_damaged_file_is_named(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    record = Record(tmp_path)
    record.write(BEGUN)
    fields = json.loads(record.file.read_text())
    record.file.write_text(json.dumps({**fields, **change}))
    with pytest.raises(InputError, match=said) as error:
        record.earlier(ASKED)
    assert FILE in str(error.value)


def test_a_file_that_is_nested_too_deeply_is_named(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.file.write_text("[" * 100_000)
    with pytest.raises(InputError, match=f"{FILE}: cannot be read: nested too deeply"):
        record.earlier(ASKED)


@given(st.binary(max_size=80) | st.from_regex(r'[{}\[\]":a-z0-9, ]*').map(str.encode))
def test_any_file_is_refused_without_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    record = Record(tmp_path_factory.mktemp("search"))
    record.file.write_bytes(content)
    with pytest.raises(InputError, match=FILE):
        record.earlier(ASKED)
