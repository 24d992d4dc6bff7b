"""Installs what a project's lock file or requirements files list.

The packages of the checkout itself are not installed here, because both sides share the
environment, and each side has its own checkout.
"""

import ast
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from assay.errors import InputError
from assay.subject import poetry_lock, poetry_project, pylock
from assay.subject.builds import Build, BuildError, find_uv
from assay.subject.interpreters import Interpreter
from assay.subject.metadata import required_by_package
from assay.subject.project import Project, Wanted, read_toml
from assay.subject.requirements import LocalPackage, read
from assay.wording import one_line

# The beginning of this day. Without a lock file, later releases of packages are
# ignored, so that a release during the comparison cannot make the sides differ.
MOMENT = datetime.now(UTC).strftime("%Y-%m-%dT00:00:00Z")
# What uv prints if it does not know the option --exclude-newer, or if the index does
# not say when a file was published.
_NO_LIMIT = (
    "unexpected argument '--exclude-newer'",
    "is missing an upload date",
    "has no publish time",
)


@dataclass(frozen=True)
class Source:
    """The file that lists the packages of an environment.

    Attributes:
        name: Its name: ``uv.lock``, ``requirements.txt`` … Empty if there is none.
        content: Everything that decides which packages are installed.
        moment: Packages that were published after this time are ignored. None for a
            lock file and for requirements with hashes.
        local: The folders of packages in the checkout, which each side installs for
            itself. They are relative to the top of the checkout.
    """

    name: str
    content: tuple[str | bytes, ...]
    moment: str | None = None
    local: tuple[str, ...] = ()


def source_of(project: Project, wanted: Wanted) -> Source:
    """Return the source of a project's packages.

    The source is a lock file, else requirements files, else the metadata of the
    project's package. A project with none of these has a source without a name.

    Raises:
        InputError: A file cannot be read.
    """
    tables = project.dependency_tables()
    lock = project.lock_file
    if lock is not None:
        # Commits with the same content share an environment. So wheels in the checkout
        # are part of the content.
        wheels = _digests(_packaged_files(lock))
        locked: tuple[str | bytes, ...] = (lock.read_bytes(), tables, *wheels)
        return Source(lock.name, locked, None, _local_of_lock(project, lock))
    files = project.requirements_files(wanted.groups)
    if files:
        requirements = read(files, project.folder, project.checkout)
        local = tuple(_below(project, package.folder) for package in requirements.local)
        moment = None if requirements.hashed else MOMENT
        file_contents = [*_named_files(requirements.lines), *_build_files(project)]
        local = (*local, *_local_sources(project))
        name = os.path.relpath(files[0], project.folder)
        # The path of the checkout is left out: it differs between the sides.
        here = os.fspath(project.checkout)
        texts = [str(requirements.local), *requirements.lines, tables]
        content = [text.replace(here, "") for text in texts]
        return Source(name, (*content, *file_contents), moment, local)
    if project.has_metadata:
        name = "pyproject.toml" if project.pyproject else "setup.py"
        files_of_build = _build_files(project)
        local = _local_sources(project)
        return Source(name, (tables, *files_of_build), MOMENT, local)
    return Source("", ())


def install(
    build: Build,
    python: Path,
    source: Source,
    project: Project,
    wanted: Wanted,
    interpreter: Interpreter,
) -> None:
    """Install the packages of a source into an empty virtual environment.

    Raises:
        InputError: A file of the checkout that the lock file names is missing.
        MeasureError: The installation failed.
    """
    if source.name == "uv.lock":
        _install_uv_lock(build, python, project, wanted)
    elif source.name == "pylock.toml":
        _install_pylock(build, python, project, wanted)
    elif source.name == "poetry.lock":
        _install_poetry_lock(build, python, project, wanted, interpreter)
    elif source.name:
        _install_unlocked(build, python, source, project, wanted, interpreter)


def pip_install(
    build: Build, python: Path, words: Sequence[str], moment: str | None = None
) -> None:
    """Install with uv if it is there, else with pip.

    Args:
        build: Runs the command.
        python: The interpreter of the environment.
        words: What is installed, and options that uv and pip both have.
        moment: Packages that were published after this time are ignored. This has no
            effect if uv is missing or too old, or if the index has no times.

    Raises:
        MeasureError: The installation failed.
    """
    uv = find_uv()
    if not uv:
        build.run(python, "-m", "pip", "install", *words)
        return
    command = [*uv, "pip", "install", "--python", os.fspath(python), *words]
    if moment is None:
        build.run(*command)
        return
    try:
        build.run(*command, "--exclude-newer", moment)
    except BuildError as error:
        output = " ".join(error.output.split())
        if not any(text in output for text in _NO_LIMIT):
            raise
        build.run(*command)


def index_variables() -> dict[str, str]:
    """Return variables that make uv use the index that pip is configured for."""
    if {"UV_INDEX_URL", "UV_DEFAULT_INDEX"} & set(os.environ):
        return {}
    pip_settings: dict[str, str] = {}
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return {}
    for line in listed.stdout.splitlines():
        if match := re.fullmatch(r"[\w:-]+\.(index-url|extra-index-url)=(.+)", line):
            pip_settings[match[1]] = str(ast.literal_eval(match[2]))
    # An extra index in a local folder is left out: uv has the main index anyway.
    extra_urls = pip_settings.get("extra-index-url", "").split()
    others = [url for url in extra_urls if "file:" not in url]
    variables = {}
    if "index-url" in pip_settings:
        variables["UV_DEFAULT_INDEX"] = pip_settings["index-url"]
    if others:
        variables["UV_INDEX"] = " ".join(others)
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip does the same
    return variables


def _install_uv_lock(
    build: Build, python: Path, project: Project, wanted: Wanted
) -> None:
    uv = _uv_or_fetch(build, python)
    words = ["sync", "--frozen", "--inexact", "--no-editable"]
    words += ["--no-install-project", "--no-install-workspace"]
    for name in _names_of_local(project):
        words += ["--no-install-package", name]
    optional = project.table("project", "optional-dependencies")
    for extra in wanted.extras_of(list(optional)):
        words += ["--extra", extra]
    groups = project.table("dependency-groups")
    for group in wanted.groups_of(list(groups)):
        words += ["--group", group]
    place = {"UV_PROJECT_ENVIRONMENT": os.fspath(python.parent.parent)}
    again = Build(build.what, build.log, build.folder, {**build.more, **place})
    again.run(*uv, *words, "--project", project.folder, "--python", python)


def _install_pylock(
    build: Build, python: Path, project: Project, wanted: Wanted
) -> None:
    uv = _uv_or_fetch(build, python)
    words = ["pip", "install", "--python", os.fspath(python), "--no-deps"]
    file = project.folder / "pylock.toml"
    lock = read_toml(file)
    for extra in wanted.extras_of(lock.get("extras", ())):
        words += ["--extra", extra]
    for group in wanted.groups_of(lock.get("dependency-groups", ())):
        words += ["--group", group]
    if not pylock.has_folders(lock):
        build.run(*uv, *words, "-r", file)
        return
    shared = build.log.with_name(file.name)
    shared.touch(mode=0o600)
    shared.write_text(pylock.without_folders(lock, project.folder), encoding="utf-8")
    try:
        build.run(*uv, *words, "-r", shared)
    finally:
        shared.unlink()  # the URL of an index in it can have a password


def _install_poetry_lock(
    build: Build,
    python: Path,
    project: Project,
    wanted: Wanted,
    interpreter: Interpreter,
) -> None:
    file = project.folder / "poetry.lock"
    lock = read_toml(file)
    packages = [
        package
        for package in poetry_project.chosen(lock, project, wanted, interpreter)
        if poetry_lock.normalised(package["name"]) != project.name
    ]
    for package in packages:
        source = package.get("source", {})
        if source.get("type") == "file" and not (file.parent / source["url"]).is_file():
            raise InputError(
                f"{file}: {one_line(package['name'])}: expected the file "
                f"{one_line(source['url'])} in the checkout; commit it, or type: assay "
                'compare --build "COMMAND"'
            )
    lines = list(poetry_lock.requirement_lines(packages, lock, file.parent))
    if not all("--hash=" in line for line in lines):
        # pip wants hashes for all packages or for none, and a commit of git has none.
        lines = [line.partition(" --hash=")[0] for line in lines]
    more = [f"--extra-index-url {url}" for url in poetry_lock.indexes(packages)]
    _install_lines(build, python, [*more, *lines], None, "--no-deps")


def _install_unlocked(
    build: Build,
    python: Path,
    source: Source,
    project: Project,
    wanted: Wanted,
    interpreter: Interpreter,
) -> None:
    """Install requirements files, and what the packages of the checkout require."""
    files = project.requirements_files(wanted.groups)
    requirements = read(files, project.folder, project.checkout)
    lines = list(requirements.lines)
    here = Path(os.path.realpath(project.folder))
    local = [package for package in requirements.local if package.folder != here]
    itself = [package for package in requirements.local if package.folder == here]
    extras = tuple(extra for package in itself for extra in package.extras)
    project_wanted = wanted
    if extras:
        project_wanted = Wanted((*wanted.extras, *extras), wanted.groups)
    local += [LocalPackage(folder) for folder in project.local_sources]
    for package in [LocalPackage(project.folder, project_wanted.extras), *local]:
        part = Project(project.checkout, package.folder)
        groups = project_wanted.groups if package.folder == project.folder else ("-",)
        lines += required_by_package(build, part, package.extras, groups, interpreter)
    _install_lines(build, python, lines, source.moment)


def _install_lines(
    build: Build, python: Path, lines: Sequence[str], moment: str | None, *more: str
) -> None:
    if not any(not line.startswith("-") for line in lines):
        return
    file = build.log.with_name("requirements.txt")
    text = "\n".join([*dict.fromkeys(lines), ""])
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
    try:
        pip_install(build, python, ["-r", os.fspath(file), *more], moment)
    finally:
        file.unlink()  # the URL of an index in it can have a password


def _uv_or_fetch(build: Build, python: Path) -> list[str]:
    """Return the words that start uv; if uv is missing, install it for this build."""
    if uv := find_uv():
        return uv
    folder = build.log.with_name("uv")
    build.run(python, "-m", "pip", "install", "--target", folder, "uv")
    return [os.fspath(folder / "bin" / "uv")]


def _names_of_local(project: Project) -> list[str]:
    lock = project.lock_file
    return [] if lock is None else [name for name, _ in _local_entries(lock)]


def _local_entries(lock: Path) -> list[tuple[str, str]]:
    """Return name and folder of each package that a lock file takes from a folder."""
    content = read_toml(lock)
    names_and_folders = []
    for package in content.get("package", content.get("packages", ())):
        source = package.get("source", {})
        folder = source.get("editable") or source.get("directory")  # uv
        if source.get("type") == "directory":  # Poetry
            folder = source.get("url")
        folder = folder or package.get("directory", {}).get("path")  # pylock.toml
        if folder:
            names_and_folders.append((package["name"], str(folder)))
    return names_and_folders


def _packaged_files(lock: Path) -> Iterator[Path]:
    """Yield the files of the checkout, such as wheels, that a lock file installs."""
    content = read_toml(lock)
    for package in content.get("package", content.get("packages", ())):
        source = package.get("source", {})
        places = [source.get("path")]  # uv
        if source.get("type") == "file":  # Poetry
            places.append(source.get("url"))
        tables = (package.get("archive"), package.get("sdist"))  # pylock.toml
        for table in (*tables, *package.get("wheels", ())):
            places.append(table.get("path") if table else None)
        for place in places:
            if place and (lock.parent / place).is_file():
                yield lock.parent / place


def _local_of_lock(project: Project, lock: Path) -> tuple[str, ...]:
    """Return the folders of other packages in the checkout that a project needs.

    The folders are relative to the top of the checkout.
    """
    needed = _needed_of_uv(lock, project.name) if lock.name == "uv.lock" else None
    top = Path(os.path.realpath(project.checkout))
    folders = []
    for name, path in _local_entries(lock):
        folder = Path(os.path.realpath(lock.parent / path))
        is_project = folder == Path(os.path.realpath(project.folder))
        if is_project or (needed is not None and name not in needed):
            continue
        if folder.is_relative_to(top):
            folders.append(os.path.relpath(folder, top))
    return tuple(folders)


def _needed_of_uv(lock: Path, name: str) -> set[str] | None:
    """Return all packages that a package needs; None if uv.lock lacks the package.

    The lock file of a workspace also has packages that only other members need.
    """
    packages = {package["name"]: package for package in read_toml(lock)["package"]}
    if name not in packages:
        return None
    needed: set[str] = set()
    queue = [name]
    while queue:
        package = packages.get(queue.pop(), {})
        optional = package.get("optional-dependencies", {})
        groups = package.get("dev-dependencies", {})
        for listed in (package.get("dependencies", []), *optional.values()):
            queue += [x["name"] for x in listed if x["name"] not in needed]
            needed |= {x["name"] for x in listed}
        for listed in groups.values() if package.get("name") == name else ():
            queue += [x["name"] for x in listed if x["name"] not in needed]
            needed |= {x["name"] for x in listed}
    return needed


def _digests(files: Iterator[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as file:
            yield hashlib.file_digest(file, "sha256").digest()


def _named_files(lines: Sequence[str]) -> list[bytes]:
    """Return the content of the constraints files that the lines name."""
    files = [Path(line[3:]) for line in lines if line.startswith("-c ")]
    return [file.read_bytes() for file in files if file.is_file()]


def _local_sources(project: Project) -> tuple[str, ...]:
    return tuple(_below(project, folder) for folder in project.local_sources)


def _build_files(project: Project) -> list[bytes]:
    """Return the content of the files from which a build derives the requirements.

    The list is empty if the requirements are known without a build.
    """
    if not project.is_dynamic:
        return []
    files = [project.folder / name for name in ("setup.py", "setup.cfg")]
    files += [project.folder / "pyproject.toml"]
    files += sorted(project.folder.glob("*requirements*.txt"))
    files += sorted(project.folder.glob("requirements/*.txt"))
    return [file.read_bytes() for file in files if file.is_file()]


def _below(project: Project, folder: Path) -> str:
    return os.path.relpath(folder, os.path.realpath(project.checkout))
