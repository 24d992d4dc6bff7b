"""The topics and benchmarks that measure both sides."""

from pathlib import Path

import pytest

from assay.errors import InputError
from assay.subject import changed, ruler
from assay.subject.diff import Diff, FileChange, Hunk

BENCHMARK = "def test_it(benchmark):\n    benchmark(abs, 1)\n"


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text)


def test_every_topic_of_the_usual_folders(tmp_path: Path) -> None:
    for name in ("perf", "scenarios/a", "scenarios/b", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "claims.toml").write_text("")
    found = ruler.topics(tmp_path, "", [])
    assert [str(file.parent.relative_to(tmp_path)) for file in found] == [
        "perf",
        "scenarios/a",
        "scenarios/b",
    ]
    (named,) = ruler.topics(tmp_path, "", ["elsewhere"])
    assert named.parent.name == "elsewhere"
    (by_name,) = ruler.topics(tmp_path, "", ["b"])
    assert by_name.parent.name == "b"
    with pytest.raises(InputError, match="no topic 'c' at HEAD"):
        ruler.topics(tmp_path, "", ["c"])


def test_benchmarks_are_found_by_their_fixture(tmp_path: Path) -> None:
    write(
        tmp_path,
        tests__test_plain="def test_it():\n    pass\n",
        tests__deep__test_fast=BENCHMARK,
        benchmarks__speed=BENCHMARK,
        src__test_not_here=BENCHMARK,
        tests__test_broken="def test_it(benchmark:\n",
    )
    assert ruler.find_benchmarks(tmp_path) == [
        "benchmarks/speed.py",
        "tests/deep/test_fast.py",
    ]


def test_paths_are_from_the_users_folder(tmp_path: Path) -> None:
    write(tmp_path, app__tests__test_it=BENCHMARK)
    node = "tests/test_it.py::test_it"
    assert ruler.benchmarks(tmp_path, tmp_path / "app", "app", [node]) == [node]
    assert ruler.benchmarks(tmp_path, tmp_path, "app", [node]) == [f"app/{node}"]
    for outside in ("../../elsewhere", "no.py"):
        with pytest.raises(InputError, match="no such file or folder at HEAD"):
            ruler.benchmarks(tmp_path, tmp_path, "app", [outside])


def test_base_gets_the_benchmarks_of_head_and_keeps_its_code(tmp_path: Path) -> None:
    base, head = tmp_path / "base", tmp_path / "head"
    write(base, shop="OLD = 1\n", tests__bench__test_it="# old\n")
    write(
        head,
        shop="NEW = 1\n",
        tests__bench__test_it=BENCHMARK,
        tests__bench__data="DATA = 1\n",
        tests__conftest="# of the tests\n",
        conftest="# of all\n",
    )
    ruler.lay_over(head, base, ["tests/bench"])
    assert (base / "tests/bench/test_it.py").read_text() == BENCHMARK
    assert (base / "tests/bench/data.py").is_file()
    assert (base / "tests/conftest.py").read_text() == "# of the tests\n"
    assert (base / "conftest.py").read_text() == "# of all\n"
    assert (base / "shop.py").read_text() == "OLD = 1\n"


def test_the_measured_code_is_never_laid_over(tmp_path: Path) -> None:
    base, head = tmp_path / "base", tmp_path / "head"
    write(base, shop="OLD = 1\n", pkg__core="OLD = 1\n")
    write(head, shop="NEW = 1\n", pkg__core="NEW = 1\n", pkg__bench_it=BENCHMARK)
    for folder in (".", "pkg"):
        with pytest.raises(InputError, match="also has code that is no test"):
            ruler.lay_over(head, base, [folder])
    ruler.lay_over(head, base, ["pkg/bench_it.py::test_it"])
    assert (base / "pkg/bench_it.py").read_text() == BENCHMARK
    assert (base / "pkg/core.py").read_text() == "OLD = 1\n"


def test_helpers_and_data_come_with_a_folder_of_tests(tmp_path: Path) -> None:
    base, head = tmp_path / "base", tmp_path / "head"
    write(base, tests__helpers="ROWS = 1\n")
    write(head, tests__helpers="ROWS = 2\n", tests__speed__test_it=BENCHMARK)
    for folder in (base, head):
        (folder / "data").mkdir()
        (folder / "tests/data").symlink_to("../data")
    ruler.lay_over(head, base, ["tests/speed/test_it.py"])
    assert (base / "tests/helpers.py").read_text() == "ROWS = 2\n"
    assert (base / "tests/data").is_symlink()


def test_the_functions_that_changed(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import os\n\n\n@staticmethod\ndef first():\n    return 1\n\n\n"
        "class Shop:\n    async def second(self):\n        return 2\n"
    )
    hunks = (Hunk(6, 1, 6, 1, ("-    return 0", "+    return 1")),)
    change = FileChange("app.py", "old.py", "renamed", hunks, False, True)
    text = FileChange("notes.md", None, "modified", hunks, False, True)
    (file,) = changed.files(Diff((change, text)), tmp_path)
    assert (file.path, file.base_path) == ("app.py", "old.py")
    assert [(one.name, one.first, one.last) for one in file.functions] == [
        ("first", 4, 6)
    ]
    assert file.changes[0].lines == ("-    return 0", "+    return 1")
