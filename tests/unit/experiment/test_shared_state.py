"""The hint if a start fails because of files that another start left in its folder."""

import contextlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.errors import MeasureError
from assay.experiment import commands, copies, target
from assay.plan import Target, Topic, Variant
from tests.unit.synthetic import plan

# An app that creates its tables when it starts.
MAKES_TABLES = """\
import sqlite3
sqlite3.connect("shop.db").execute("CREATE TABLE items (name TEXT)")
raise SystemExit("it got further")
"""


def topic_of(folder: Path, code: str, **changes: object) -> Topic:
    (folder / "app.py").write_text(code)
    command = f"{sys.executable} app.py {{port}}"
    keys = {"cwd": folder, "command": command, **changes}
    update = {
        "target": Target.model_validate(keys),
        "variants": (Variant(name="a"),),
    }
    return plan().topics[0].model_copy(update=update)


def failure(topic: Topic, folder: Path) -> str:
    """Return why a target does not start."""
    folder.mkdir(exist_ok=True)
    copies.prepared(topic, folder)
    topic = copies.with_copies(topic, folder)
    with pytest.raises(MeasureError) as caught:
        with started(topic, folder):
            raise AssertionError("it is not ready")
    return str(caught.value)


@contextlib.contextmanager
def started(topic: Topic, folder: Path) -> Iterator[None]:
    with target.launched(topic, topic.variants, {}, folder, (), random.Random(1)):
        yield


def test_the_file_is_named_and_what_to_type(tmp_path: Path) -> None:
    topic = topic_of(tmp_path, MAKES_TABLES)
    assert "it got further" in failure(topic, tmp_path / "logs")
    said = failure(topic, tmp_path / "logs")
    assert "table items already exists" in said
    assert f"left in {tmp_path}, such as " in said and "shop.db" in said
    assert f"type copy = true in [target] of {topic.file}" in said


def test_with_copies_each_start_gets_as_far_as_the_first(tmp_path: Path) -> None:
    topic = topic_of(tmp_path, MAKES_TABLES, copied=True)
    for _ in range(3):
        said = failure(topic, tmp_path / "temporary")
        assert "it got further" in said and "copy" not in said


def test_what_lies_outside_of_the_copy_is_said(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    code = f"raise SystemExit({str(tmp_path / 'log')!r} + ' already exists')"
    said = failure(topic_of(tmp_path / "app", code, copied=True), tmp_path / "logs")
    assert "left outside of its folder" in said and "set cwd in [target]" in said
    assert "type copy" not in said


@pytest.mark.parametrize(
    "text",
    [
        "no port left",
        'psycopg.errors.DuplicateTable: relation "items" already exists',
        "(1050, \"Table 'items' already exists\")",
    ],
)
def test_what_no_copy_helps_against_gets_no_hint(tmp_path: Path, text: str) -> None:
    said = failure(topic_of(tmp_path, f"raise SystemExit({text!r})"), tmp_path / "logs")
    assert text in said and "copy = true" not in said


def test_a_preparation_that_meets_the_last_one_is_helped_too(tmp_path: Path) -> None:
    topic = topic_of(tmp_path, "", prepare="mkdir made")
    commands.prepare(topic, {}, tmp_path)
    with pytest.raises(MeasureError, match="copy = true"):
        commands.prepare(topic, {}, tmp_path)
