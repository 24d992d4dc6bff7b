"""The code around a cause: the right lines, only of the project, without secrets."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.experiment.sources import AROUND, source_of

LINES = [f"line {number}" for number in range(1, 31)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").write_text("\n".join(LINES))
    (tmp_path / "other.py").write_text("\n".join(LINES))
    return folder


@pytest.mark.parametrize("place", ["load (app.py:10)", "app.py:10"])
def test_the_lines_around_a_place(root: Path, place: str) -> None:
    source = source_of(root, place)
    assert source is not None and source.line == 10
    assert source.first == 10 - AROUND
    assert source.lines[source.line - source.first] == "line 10"
    assert len(source.lines) == 2 * AROUND + 1


def test_the_ends_of_a_file(root: Path) -> None:
    first, last = source_of(root, "app.py:1"), source_of(root, "app.py:30")
    assert first and first.first == 1 and first.lines[0] == "line 1"
    assert last and last.lines[-1] == "line 30"


@pytest.mark.parametrize(
    "place",
    [
        "",
        "app.py",
        "load (app.py:0)",
        "load (app.py:31)",
        "load (none.py:3)",
        "load (../other.py:3)",
        "jsonable_encoder (fastapi/encoders.py)",
    ],
)
def test_what_is_not_the_projects_has_no_lines(root: Path, place: str) -> None:
    assert source_of(root, place) is None


@pytest.mark.parametrize(
    "line",
    [
        'PASSWORD = "hunter2"',
        "db = connect(user='me', password='hunter2')",
        '    "api_token": "hunter2",',
        "url = 'postgres://me:hunter2@db/shop'",
        'SECRETS["x"] = "hunter2"',
    ],
)
def test_a_secret_is_left_out(root: Path, line: str) -> None:
    (root / "app.py").write_text(line)
    source = source_of(root, "app.py:1")
    assert source is not None and "hunter2" not in source.lines[0]


@given(st.text(max_size=80))
def test_any_place_gives_lines_or_nothing(place: str) -> None:
    source_of(Path(__file__).parent, place)
