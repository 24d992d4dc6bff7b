"""What both sides are measured with: locustfiles, claims.toml, benchmarks of HEAD."""

import ast
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from assay.errors import InputError, MeasureError
from assay.inputs.loader import CLAIMS_FILE
from assay.inputs.toml_file import nearest

# Where topics are looked for if none is named.
TOPIC_FOLDERS = ("perf", "scenarios", "load_tests")
# Where benchmarks are looked for.
BENCHMARK_FOLDERS = ("benchmarks", "bench", "perf", "tests", "test")
# Folders of these names have tests and what they need, and nothing that is measured.
TEST_FOLDERS = {*BENCHMARK_FOLDERS, "benchmark", "testing"}
# What pytest reads above the benchmarks. Environments have been built by then.
SUPPORT = (
    *("conftest.py", "pytest.toml", "pytest.ini", ".pytest.ini", "tox.ini"),
    *("setup.cfg", "pyproject.toml"),
)
NOT_COPIED = {".git", "__pycache__"}


def topics(head: Path, here: str, named: Sequence[str]) -> list[Path]:
    """Return the claims.toml files of HEAD that were asked for.

    Args:
        head: The checkout of HEAD.
        here: The user's working directory in it.
        named: Folders, files or names of topics; empty for all.

    Raises:
        InputError: There is no such topic.
    """
    folder = head / here
    if not named:
        return list(_all_topics(folder))
    files = []
    for name in named:
        candidates = [folder / name, folder / name / CLAIMS_FILE]
        candidates += [folder / each / name / CLAIMS_FILE for each in TOPIC_FOLDERS]
        chosen = next((file for file in candidates if file.is_file()), None)
        if chosen is None:
            names = [file.parent.name for file in _all_topics(folder)]
            raise InputError(
                f"--topic: no topic {name!r} at HEAD: expected a folder with a "
                f"{CLAIMS_FILE}{nearest(name, names)}; files that git does not know "
                "and ignores are not part of a commit"
            )
        files.append(chosen)
    return files


def benchmarks(head: Path, project: Path, here: str, named: Sequence[str]) -> list[str]:
    """Return files, folders or nodes of benchmarks, from the project's folder.

    Args:
        head: The checkout of HEAD.
        project: The project's folder in it.
        here: The user's working directory in it.
        named: What the user named, from the working directory.

    Raises:
        InputError: There is no such file.
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
    """Return the files below a project's usual folders that have benchmarks."""
    files = []
    for name in BENCHMARK_FOLDERS:
        for file in sorted((folder / name).rglob("*.py")):
            if _has_benchmark(file):
                files.append(os.path.relpath(file, folder))
    return files


def lay_over(head: Path, base: Path, paths: Sequence[str]) -> None:
    """Give BASE the benchmarks of HEAD, with what they and pytest read for them.

    A folder of tests comes as a whole, with its helpers and data. Beside the measured
    code, only the files themselves come.

    Args:
        head: The project's folder at HEAD.
        base: The project's folder at BASE.
        paths: Files, folders or nodes, from the project's folder.

    Raises:
        InputError: A folder has the measured code, too.
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
        InputError: It is a folder that has the measured code, too.
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
    """Copy a file or a link over whatever is there."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)


def _all_topics(folder: Path) -> Iterator[Path]:
    if (folder / CLAIMS_FILE).is_file():
        yield folder / CLAIMS_FILE
    for name in TOPIC_FOLDERS:
        if (folder / name / CLAIMS_FILE).is_file():
            yield folder / name / CLAIMS_FILE
        yield from sorted((folder / name).glob(f"*/{CLAIMS_FILE}"))


def _has_benchmark(file: Path) -> bool:
    """Say whether a function of a file takes the fixture of pytest-benchmark."""
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
