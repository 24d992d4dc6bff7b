"""Public packages with their benchmarks, as git repositories of a few commits."""

import ast
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.subject import git

BASE, IDENTICAL, PROBE, PLANTED = "base", "identical", "probe", "planted"
# The same wherever the study runs, so that the commits always have the same hashes.
_AUTHOR = "The study of suites"
_DATE = "2026-01-01T00:00:00Z"
# The name of the counter in the loop. No package uses this name.
COUNTER = "planted_rounds"


@dataclass(frozen=True)
class Package:
    """A package, its benchmarks, and the function that is made slower.

    Attributes:
        name: Its name on PyPI.
        version: The version whose source distribution is measured.
        benchmarks: The files or folders of its benchmarks.
        file: The file of the function.
        function: The function, with its class: ``Class.method``.
        test: The node id of the benchmark that becomes slower by a known share.
        probe_rounds: Rounds of a loop that takes about as long as that benchmark.
        build: The command that builds its environment; empty if its own files say
            what it needs.
    """

    name: str
    version: str
    benchmarks: tuple[str, ...]
    file: str
    function: str
    test: str
    probe_rounds: int
    build: str = ""

    @property
    def full_name(self) -> str:
        """The name with the version."""
        return f"{self.name} {self.version}"


PACKAGES = (
    Package(
        "pluggy",
        "1.7.0",
        ("testing/benchmark.py",),
        "src/pluggy/_caller.py",
        "HookCaller.__call__",
        "testing/benchmark.py::test_call_hook[20-20-0]",
        1_000,
    ),
    Package(
        "cattrs",
        "26.1.0",
        # Not test_enums.py: it needs msgspec, an extra that Assay does not install.
        (
            "bench/test_attrs_collections.py",
            "bench/test_attrs_nested.py",
            "bench/test_attrs_primitives.py",
            "bench/test_primitives.py",
        ),
        "src/cattrs/converters.py",
        "BaseConverter._structure_dict",
        "bench/test_attrs_collections.py::test_structure_attrs_mappings[BaseConverter]",
        1_000,
    ),
    Package(
        "graphql-core",
        "3.2.6",
        ("tests/benchmarks",),
        "src/graphql/utilities/build_client_schema.py",
        "build_client_schema",
        "tests/benchmarks/test_build_client_schema.py"
        "::test_build_schema_from_introspection",
        500_000,
    ),
)


def repository(package: Package, folder: Path) -> Path:
    """Return a package's repository, with the branches `BASE` and `IDENTICAL`.

    The repository is made once. `BASE` has all files of the source distribution;
    `IDENTICAL` has one more line in the readme.

    Args:
        package: The package.
        folder: Where repositories are kept.

    Raises:
        SystemExit: The source distribution cannot be downloaded.
    """
    place = folder / f"{package.name}-{package.version}"
    if place.exists():
        return place.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        archive = download(package, Path(temporary))
        new = unpack(archive, Path(temporary) / "unpacked")
        _add_first_commits(package, new)
        shutil.move(new, place)
    return place.resolve()


def download(package: Package, folder: Path) -> Path:
    """Download the source distribution of a package, and return the archive.

    Raises:
        SystemExit: pip could not download it.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-binary", package.name, "--dest", str(folder)]
    command += [f"{package.name}=={package.version}"]
    ended = subprocess.run(command, capture_output=True, text=True)
    archives = sorted(folder.glob("*.tar.gz"))
    if ended.returncode or not archives:
        sys.exit(f"{package.full_name} was not downloaded:\n{ended.stderr[-2000:]}")
    return archives[0]


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a source distribution into a folder; return the folder at its top."""
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


def _add_first_commits(package: Package, place: Path) -> None:
    git.run(place, "init", "--quiet", f"--initial-branch={BASE}")
    # --force also adds the files of the distribution that git would ignore.
    git.run(place, "add", "--all", "--force")
    _commit(place, f"{package.full_name}, as its source distribution has it")
    # Build tools make the version of the package from the tag.
    git.run(place, "tag", f"v{package.version}")
    readme = sorted(place.glob("README*"))[0]
    text = readme.read_text(encoding="utf-8") + "\nIdentical code.\n"
    add_commit(place, IDENTICAL, readme.name, text)


def add_commit(place: Path, branch: str, file: str, text: str) -> None:
    """Add a commit on top of `BASE` in which one file differs.

    Args:
        place: The repository.
        branch: The branch of the commit; an existing branch is moved to it.
        file: The path of the file in the repository.
        text: The new text of the file.
    """
    git.run(place, "checkout", "--quiet", "--force", "-B", branch, BASE, "--")
    (place / file).write_text(text, encoding="utf-8")
    git.run(place, "add", "--force", file)
    _commit(place, f"{branch}: {file}")
    git.run(place, "checkout", "--quiet", "--force", BASE, "--")


def _commit(place: Path, message: str) -> None:
    who = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (
            ("NAME", _AUTHOR),
            ("EMAIL", "study@localhost"),
            ("DATE", _DATE),
        )
    }
    words = ("commit", "--quiet", "--no-gpg-sign", "--message", message)
    git.run(place, *words, more=who)


def slow_down(package: Package, place: Path, branch: str, rounds: int) -> None:
    """Add a commit in which the package's function begins with a loop.

    Args:
        package: The package.
        place: Its repository, where `BASE` is checked out.
        branch: The branch of the commit.
        rounds: How often the loop goes round.
    """
    source = (place / package.file).read_text(encoding="utf-8")
    slower = with_loop(source, package.function, rounds)
    add_commit(place, branch, package.file, slower)


def with_loop(source: str, function: str, rounds: int) -> str:
    """Return code in which a function begins with a loop that does nothing.

    The first round costs as much as the others, so that the time of the loop is
    proportional to the number of rounds.

    Args:
        source: The code.
        function: The function, with its class: ``Class.method``.
        rounds: How often the loop goes round.

    Raises:
        ValueError: There is no such function.
    """
    body = _body_of(ast.parse(source).body, function.split("."))
    first = body[1] if _is_docstring(body[0]) and len(body) > 1 else body[0]
    decorators = getattr(first, "decorator_list", [])
    line = min(node.lineno for node in (first, *decorators))
    indent = " " * first.col_offset
    loop = [
        f"{indent}{COUNTER} = {rounds}\n",
        f"{indent}while {COUNTER}:\n",
        f"{indent}    {COUNTER} -= 1\n",
    ]
    lines = source.splitlines(keepends=True)
    return "".join([*lines[: line - 1], *loop, *lines[line - 1 :]])


def _body_of(body: Sequence[ast.stmt], path: Sequence[str]) -> Sequence[ast.stmt]:
    """Return the statements of a function, of its last definition if it has several."""
    for node in reversed(body):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name == path[0]:
            return _body_of(node.body, path[1:]) if len(path) > 1 else node.body
    raise ValueError(f"there is no {path[0]!r}")


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
