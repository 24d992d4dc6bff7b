"""What a project's files say about its dependencies and its Python."""

import os
from pathlib import Path

import pytest

from assay.errors import InputError, MeasureError
from assay.subject.installing import MOMENT, source_of
from assay.subject.interpreters import choose, examine
from assay.subject.project import Project, Wanted, specifiers
from tests.unit.subject.repositories import write

BUILD = '[build-system]\nrequires = ["setuptools"]\n'


def project(folder: Path, inside: str = "", **files: str) -> Project:
    write(folder, **files)
    return Project(folder, folder / inside)


@pytest.mark.parametrize(
    ("files", "source"),
    [
        ({}, ""),
        ({"pyproject.toml": "[tool.black]\n"}, ""),
        ({"setup.py": ""}, "setup.py"),
        (
            {"pyproject.toml": '[project]\nname = "x"\n', "setup.py": ""},
            "pyproject.toml",
        ),
        ({"requirements.txt": "x", "setup.py": ""}, "requirements.txt"),
        ({"requirements/base.txt": "x"}, "requirements/base.txt"),
        ({"poetry.lock": "", "requirements.txt": "x"}, "poetry.lock"),
        ({"pylock.toml": "", "poetry.lock": ""}, "pylock.toml"),
        ({"uv.lock": "package = []", "pylock.toml": ""}, "uv.lock"),
    ],
)
def test_the_first_file_that_is_there_decides(
    tmp_path: Path, files: dict[str, str], source: str
) -> None:
    found = source_of(project(tmp_path, **files), Wanted())
    assert found.name == source
    locked = source.endswith((".lock", "pylock.toml"))
    assert found.moment == (None if locked or not source else MOMENT)


def test_a_workspace_has_its_lock_at_the_top(tmp_path: Path) -> None:
    lock = """
[[package]]
name = "api"
source = { editable = "services/api" }
dependencies = [{ name = "core" }, { name = "flask" }]
[[package]]
name = "core"
source = { editable = "libs/core" }
[[package]]
name = "flask"
source = { registry = "https://pypi.org/simple" }
[[package]]
name = "other"
source = { editable = "services/other" }
"""
    named = '[project]\nname = "Api"\n'
    where = project(
        tmp_path,
        "services/api",
        **{"uv.lock": lock, "services/api/pyproject.toml": named, "poetry.lock": ""},
    )
    found = source_of(where, Wanted())
    # Other members of the workspace are left out.
    assert (found.name, found.local) == ("uv.lock", ("libs/core",))


def test_requirements_of_tests_come_along(tmp_path: Path) -> None:
    files = {"requirements.txt": "a", "requirements-dev.txt": "b\n-e .[x]"}
    files |= {"requirements/bench.txt": "c", "requirements-docs.txt": "d"}
    where = project(tmp_path, **files)
    assert source_of(where, Wanted()).content[1:4] == ("a", "b", "c")
    assert source_of(where, Wanted()).local == (".",)
    assert source_of(where, Wanted(groups=("docs",))).content[1:3] == ("a", "d")


def test_the_key_does_not_depend_on_the_place_of_the_checkout(tmp_path: Path) -> None:
    files = {"requirements.txt": "-e .\n-c limits.txt\na\n", "limits.txt": "a==1\n"}
    contents = []
    for place, limits in (("base", "a==1"), ("head", "a==1"), ("newer", "a==2")):
        where = project(tmp_path / place, **{**files, "limits.txt": limits})
        contents.append(source_of(where, Wanted()).content)
    assert contents[0] == contents[1] != contents[2]


def test_the_key_follows_dependencies_only(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\nversion = "{}"\ndependencies = ["{}"]\n'
    contents = [
        source_of(
            project(tmp_path, **{"pyproject.toml": text.format(*both)}), Wanted()
        ).content
        for both in (("1", "a"), ("2", "a"), ("2", "b"))
    ]
    assert contents[0] == contents[1] != contents[2]


def test_extras_and_groups(tmp_path: Path) -> None:
    where = project(
        tmp_path,
        **{"pyproject.toml": """
[project]
name = "My.Shop"
dependencies = ["flask"]
[project.optional-dependencies]
Test = ["pytest", "my_shop[fast]"]
fast = ["orjson", "my-shop[test]"]
docs = ["mkdocs"]
[dependency-groups]
dev = ["ruff", {include-group = "lint"}]
lint = ["black", {include-group = "dev"}]
slow = ["x"]
"""},
    )
    assert where.static_requirements((), ()) == [
        "flask",
        "pytest",
        "orjson",
        "ruff",
        "black",
    ]
    assert where.static_requirements(("docs",), ("slow",)) == ["flask", "mkdocs", "x"]


def test_sources_of_uv_without_a_lock(tmp_path: Path) -> None:
    text = """
[project]
name = "x"
dependencies = ["Helper_A>=1", "b", "c"]
[tool.uv.sources]
helper-a = { path = "libs/a", editable = true }
b = { git = "https://x/b.git", tag = "v1" }
"""
    where = project(tmp_path, **{"pyproject.toml": text})
    # An index can have another package called helper-a.
    assert where.static_requirements((), ()) == ["b @ git+https://x/b.git@v1", "c"]
    assert source_of(where, Wanted()).local == ("libs/a",)
    member = text.replace(
        '{ path = "libs/a", editable = true }', "{ workspace = true }"
    )
    with pytest.raises(InputError, match="type: uv lock"):
        source_of(project(tmp_path, **{"pyproject.toml": member}), Wanted())


@pytest.mark.parametrize(
    ("text", "is_package"),
    [
        ("", False),
        ('[project]\nname = "x"\n', False),
        (BUILD, True),
        (f"{BUILD}[tool.uv]\npackage = false\n", False),
        ('[project]\nname = "x"\n[tool.uv]\npackage = true\n', True),
        (f"{BUILD}[tool.poetry]\npackage-mode = false\n", False),
    ],
)
def test_what_is_a_package(tmp_path: Path, text: str, is_package: bool) -> None:
    assert project(tmp_path, **{"pyproject.toml": text}).is_package is is_package


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    where = project(tmp_path, **{"pyproject.toml": "[project\n"})
    with pytest.raises(InputError, match=r"pyproject\.toml: not valid TOML.*line 1"):
        source_of(where, Wanted())


def test_a_file_that_is_nested_too_deeply(tmp_path: Path) -> None:
    where = project(tmp_path, **{"pyproject.toml": f"a = {'[' * 100_000}"})
    with pytest.raises(InputError, match=r"pyproject\.toml: cannot be read: nested"):
        source_of(where, Wanted())


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("uv.lock", '[[package]]\nname = "w"\nsource = { path = "libs/w.whl" }\n'),
        (
            "poetry.lock",
            '[[package]]\nname = "w"\n'
            'source = { type = "file", url = "libs/w.whl" }\n',
        ),
        (
            "pylock.toml",
            '[[packages]]\nname = "w"\narchive = { path = "libs/w.whl" }\n',
        ),
        (
            "pylock.toml",
            '[[packages]]\nname = "w"\nwheels = [{ path = "libs/w.whl" }]\n',
        ),
    ],
)
def test_the_key_follows_the_wheels_that_a_lock_file_names(
    tmp_path: Path, name: str, entry: str
) -> None:
    contents = []
    for place, wheel in (("base", "1"), ("head", "1"), ("newer", "2")):
        where = project(tmp_path / place, **{name: entry, "libs/w.whl": wheel})
        contents.append(source_of(where, Wanted()).content)
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize(
    ("poetry", "python"),
    [
        ("^3.11", ">=3.11,<4"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0", ">=0.0,<0.1"),
        ("~3.11", ">=3.11,<3.12"),
        ("~3", ">=3,<4"),
        (">=3.9,<4.0", ">=3.9,<4.0"),
        ("*", ""),
        ("3.12.1", "3.12.1"),
    ],
)
def test_version_constraints_of_poetry(poetry: str, python: str) -> None:
    assert specifiers(poetry) == python


# The interpreter.


def test_the_interpreter_of_assay_is_taken_where_it_fits(tmp_path: Path) -> None:
    import sys

    running = examine(sys.executable)
    assert running is not None
    assert choose(project(tmp_path), None) == running
    text = '[project]\nrequires-python = ">=3.9"\n'
    assert choose(project(tmp_path, **{"pyproject.toml": text}), None) == running
    minor = ".".join(running.version.split(".")[:2])
    # Only the patch release may differ from .python-version.
    where = project(tmp_path, **{".python-version": f"# pyenv\n{minor}.999\n"})
    assert choose(where, None) == running
    assert choose(where, sys.executable) == running
    assert running.path.name.startswith("python")
    assert os.path.realpath(running.path) == os.path.realpath(sys.executable)


@pytest.mark.parametrize(
    ("files", "wanted", "said"),
    [
        ({}, "2.1", r"--python names Python 2\.1, which was not found"),
        (
            {".python-version": "3.99\n"},
            None,
            r"\.python-version names Python 3\.99, which was not found; install it",
        ),
        ({}, "./nowhere/python", "is no Python interpreter"),
        (
            {"pyproject.toml": '[project]\nrequires-python = ">=3.99"\n'},
            None,
            "requires-python is '>=3.99'",
        ),
    ],
)
def test_an_interpreter_that_is_missing(
    tmp_path: Path, files: dict[str, str], wanted: str | None, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        choose(project(tmp_path, **files), wanted)


def test_a_program_that_is_no_python(tmp_path: Path) -> None:
    assert examine("/bin/true") is None
    with pytest.raises(MeasureError, match="cannot start"):
        from assay.subject.builds import Build

        Build("x", tmp_path / "log", tmp_path, {}).run(tmp_path / "missing")
