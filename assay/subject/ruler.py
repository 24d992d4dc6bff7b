"""Finds the topics or benchmarks that measure both commits: the *ruler*.

The ruler usually comes from HEAD. Its benchmarks are then copied to BASE.
"""

import ast
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from assay.errors import InputError, MeasureError
from assay.inputs.loader import CLAIMS_FILE, TOPIC_FOLDERS, project_topics
from assay.inputs.toml_file import nearest

# Where benchmarks are looked for.
BENCHMARK_FOLDERS = ("benchmarks", "bench", "perf", "tests", "test")
# Folders with these names hold tests and their helpers, but no measured code.
TEST_FOLDERS = {*BENCHMARK_FOLDERS, "benchmark", "testing"}
# What pytest reads in the folders above the benchmarks. These files are copied after
# the environments were built, so they do not change what is installed.
SUPPORT = (
    *("conftest.py", "pytest.toml", "pytest.ini", ".pytest.ini", "tox.ini"),
    *("setup.cfg", "pyproject.toml"),
)
NOT_COPIED = {".git", "__pycache__"}


def topics(head: Path, here: str, named: Sequence[str]) -> list[Path]:
    """Return the claims.toml files of HEAD that the user asked for.

    Args:
        head: The checkout that the ruler is taken from, usually HEAD's.
        here: The user's working directory in this checkout.
        named: Folders, files or names of topics; empty for all.

    Raises:
        InputError: There is no such topic.
    """
    folder = head / here
    if not named:
        return project_topics(folder)
    files = []
    for name in named:
        candidates = [folder / name, folder / name / CLAIMS_FILE]
        candidates += [folder / each / name / CLAIMS_FILE for each in TOPIC_FOLDERS]
        chosen = next((file for file in candidates if file.is_file()), None)
        if chosen is None:
            names = [file.parent.name for file in project_topics(folder)]
            raise InputError(
                f"--topic: no topic {name!r} at HEAD: expected a folder with a "
                f"{CLAIMS_FILE}{nearest(name, names)}; untracked files that git "
                "ignores are not part of a commit"
            )
        files.append(chosen)
    return files


def benchmarks(head: Path, project: Path, here: str, named: Sequence[str]) -> list[str]:
    """Return the benchmarks that the user named, relative to the project's folder.

    Args:
        head: The checkout that the ruler is taken from, usually HEAD's.
        project: The project's folder in this checkout.
        here: The user's working directory in this checkout.
        named: Files, folders or nodes, relative to the working directory.

    Raises:
        InputError: There is no such file or folder in the checkout.
    """
    paths = []
    for name in named:
        file, colons, node = name.partition("::")
        place = (head / here / file).resolve()
        if not place.exists() or not place.is_relative_to(head.resolve()):
            raise InputError(
                f"--benchmarks: {name}: no such file or folder at HEAD; expected a "
                "path from the working directory, such as tests/benchmarks"
            )
        relative = os.path.relpath(place, project.resolve())
        paths.append(f"{relative}{colons}{node}")
    return paths


def find_benchmarks(folder: Path) -> list[str]:
    """Return the files with benchmarks in `BENCHMARK_FOLDERS` of a project's folder."""
    files = []
    for name in BENCHMARK_FOLDERS:
        for file in sorted((folder / name).rglob("*.py")):
            if _has_benchmark(file):
                files.append(os.path.relpath(file, folder))
    return files


def lay_over(head: Path, base: Path, paths: Sequence[str]) -> None:
    """Copy the benchmarks of HEAD, and what they need, over the files of BASE.

    A folder of tests is copied as a whole, with its helpers and data. Outside such a
    folder, only the named files are copied. Pytest's files in the folders above
    (`SUPPORT`) are copied, too.

    Args:
        head: The project's folder in the checkout that the ruler is taken from.
        base: The project's folder in the checkout that is measured.
        paths: Files, folders or nodes, relative to the project's folder.

    Raises:
        InputError: A folder that would be copied also holds measured code.
        MeasureError: A file cannot be copied.
    """
    ruler = [_ruler_of(head, Path(path.partition("::")[0])) for path in paths]
    try:
        for relative in dict.fromkeys(ruler):
            for file in _files(head / relative):
                _copy(file, base / file.relative_to(head))
            for parent in relative.parents:
                for name in SUPPORT:
                    if (head / parent / name).is_file():
                        _copy(head / parent / name, base / parent / name)
    except OSError as error:
        raise MeasureError(
            f"the benchmarks of HEAD cannot be copied to BASE: {error}"
        ) from error


def _ruler_of(head: Path, relative: Path) -> Path:
    """Return what is copied for a path: the folder of tests around it, or itself.

    Raises:
        InputError: The path is a folder that also has the measured code.
    """
    for depth, part in enumerate(relative.parts, 1):
        if part in TEST_FOLDERS:
            return Path(*relative.parts[:depth])
    folder = head / relative
    if folder.is_dir():
        code = [file for file in sorted(folder.rglob("*.py")) if not _is_test(file)]
        if code:
            raise InputError(
                f"--benchmarks {relative}: this folder also has code that is no test, "
                f"such as {code[0].relative_to(head)}; name the files of the "
                "benchmarks, or a folder with nothing but tests"
            )
    return relative


def _is_test(file: Path) -> bool:
    name = file.stem.lower()
    return name in ("conftest", "__init__") or "test" in name or "bench" in name


def _files(place: Path) -> Iterator[Path]:
    """Yield a file, or all files of a folder; links are not followed."""
    if not place.is_dir() or place.is_symlink():
        yield place
        return
    for folder, folders, names in os.walk(place):
        folders[:] = [name for name in folders if name not in NOT_COPIED]
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        yield from (Path(folder, name) for name in [*names, *links])


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a link, and replace whatever is at the target."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)


def _has_benchmark(file: Path) -> bool:
    """Return whether a test function in a file takes pytest-benchmark's fixture."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return False
    return any(
        isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
        and "test" in item.name.lower()
        and any(argument.arg == "benchmark" for argument in item.args.args)
        for item in ast.walk(tree)
    )
