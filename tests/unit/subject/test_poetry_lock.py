"""poetry.lock without Poetry, in the forms that Poetry has written."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from assay.subject import poetry_project
from assay.subject.interpreters import Interpreter
from assay.subject.poetry_lock import indexes, needed, requirement_lines
from assay.subject.project import Project, Wanted
from tests.unit.subject.repositories import write

LINUX = {
    "implementation_name": "cpython",
    "implementation_version": "3.11.0",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "6",
    "platform_system": "Linux",
    "platform_version": "1",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}
PYTHON = Interpreter(Path("python"), "3.11.0", "tag", (), LINUX)
POETRY_2 = """
[[package]]
name = "flask"
version = "3"
groups = ["main"]
files = [{file = "f", hash = "sha256:1"}, {file = "g", hash = "sha256:2"}]
[[package]]
name = "colorama"
version = "1"
groups = ["main"]
markers = "sys_platform == 'win32'"
files = []
[[package]]
name = "tomli"
version = "2"
groups = ["main", "dev"]
markers = {main = "python_version < '3.11'", dev = "python_version < '3.12'"}
files = []
[[package]]
name = "psycopg"
version = "3"
groups = ["main"]
optional = true
markers = "extra == 'postgres'"
files = []
[[package]]
name = "mkdocs"
version = "1"
groups = ["docs"]
files = []
[extras]
postgres = ["psycopg"]
"""
POETRY_1 = """
[[package]]
name = "Flask"
version = "3"
[package.dependencies]
Werkzeug = ">=3"
colorama = {version = "*", markers = "sys_platform == \\"win32\\""}
asgiref = {version = "*", optional = true, markers = "extra == \\"async\\""}
click = [
    {version = "7", markers = "python_version < \\"3.8\\""},
    {version = "8", markers = "python_version >= \\"3.8\\""},
]
[package.extras]
async = ["asgiref (>=3)"]
[[package]]
name = "werkzeug"
version = "3"
[[package]]
name = "click"
version = "8"
[[package]]
name = "colorama"
version = "1"
[[package]]
name = "asgiref"
version = "3"
[[package]]
name = "pytest"
version = "8"
[[package]]
name = "mkdocs"
version = "1"
[metadata.files]
werkzeug = [{file = "w", hash = "sha256:9"}]
"""
PYPROJECT_1 = """
[tool.poetry]
name = "shop"
[tool.poetry.dependencies]
python = "^3.9"
flask = {version = "^3", extras = ["async"]}
[tool.poetry.group.dev.dependencies]
pytest = "^8"
[tool.poetry.group.docs.dependencies]
mkdocs = "*"
"""


def names(tmp_path: Path, lock: str, pyproject: str, wanted: Wanted) -> set[str]:
    write(tmp_path, **{"pyproject.toml": pyproject, "poetry.lock": lock})
    where = Project(tmp_path, tmp_path)
    packages = poetry_project.chosen(tomllib.loads(lock), where, wanted, PYTHON)
    return {package["name"] for package in packages}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), {"flask", "tomli"}),
        (Wanted(extras=("postgres",)), {"flask", "psycopg"}),
        (Wanted(groups=("docs",)), {"flask", "mkdocs"}),
    ],
)
def test_a_lock_of_poetry_2(tmp_path: Path, wanted: Wanted, found: set[str]) -> None:
    assert names(tmp_path, POETRY_2, "", wanted) == found


@pytest.mark.parametrize(
    ("wanted", "more"), [(Wanted(), "pytest"), (Wanted(groups=("docs",)), "mkdocs")]
)
def test_a_lock_of_poetry_1(tmp_path: Path, wanted: Wanted, more: str) -> None:
    found = names(tmp_path, POETRY_1, PYPROJECT_1, wanted)
    assert found == {"Flask", "werkzeug", "click", "asgiref", more}


def test_lines_of_a_requirements_file() -> None:
    git = {"type": "git", "url": "https://x/y.git", "reference": "main"}
    packages: list[dict[str, Any]] = [
        {"name": "a", "version": "1", "files": [{"hash": "h:1"}, {"hash": "h:2"}]},
        {"name": "werkzeug", "version": "3"},
        {"name": "y", "source": {**git, "resolved_reference": "abc"}},
        {"name": "z", "source": {**git, "subdirectory": "z"}},
        {"name": "u", "source": {"type": "url", "url": "https://x/u.whl"}},
        {"name": "own", "source": {"type": "directory", "url": "libs/own"}},
        {
            "name": "w",
            "version": "1",
            "files": [{"hash": "h:3"}],
            "source": {"type": "file", "url": "../my wheels/w.whl"},
        },
        {"name": "i", "version": "2", "source": {"type": "legacy", "url": "https://i"}},
    ]
    lock = tomllib.loads(POETRY_1)
    assert list(requirement_lines(packages, lock, Path("/top/api"))) == [
        "a==1 --hash=h:1 --hash=h:2",
        "werkzeug==3 --hash=sha256:9",
        "y @ git+https://x/y.git@abc",
        "z @ git+https://x/y.git@main#subdirectory=z",
        "u @ https://x/u.whl",
        "w @ file:///top/my%20wheels/w.whl --hash=h:3",
        "i==2",
    ]
    assert indexes(packages) == ["https://i"]


def test_packages_that_need_each_other() -> None:
    packages: dict[str, dict[str, Any]] = {
        "a": {"dependencies": {"B": "*"}, "extras": {"x": ["c (>=1)"]}},
        "b": {"dependencies": {"a": {"version": "*", "extras": ["x"]}}},
        "c": {},
    }
    assert needed(packages, ["a>=1"]) == {"a", "b", "c"}
