"""Builds the environment of a side: shared packages, and its own package on top.

`environment` installs the dependencies, once for all commits that need the same ones.
`side_environment` installs the project's own package for each commit, into a layer on
top (see `layers`). So both sides import their dependencies from the same files, and
each side imports its own project.
"""

import os
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

from assay.errors import InputError, MeasureError
from assay.subject import generated, git, installing, layers
from assay.subject.builds import Build, find_uv
from assay.subject.cache import key, prepare
from assay.subject.checkouts import NOTES
from assay.subject.entries import Entry, Progress
from assay.subject.interpreters import Interpreter, choose, examine
from assay.subject.metadata import copied
from assay.subject.project import Project, Wanted
from assay.subject.virtual import (
    ACTIVE,
    BY_COMMAND,
    Environment,
    Recipe,
    active_environment,
)
from assay.wording import one_line

__all__ = [
    "Environment",
    "Recipe",
    "active_environment",
    "add_pytest_benchmark",
    "environment",
    "side_environment",
]

# What benchmarks need, with the oldest versions that Assay's plugin works with.
_TOOLS = {"pytest": ">=7", "pytest-benchmark": ">=4"}
_FORM = "2"  # part of each name in the cache; change it to build everything anew


def environment(
    checkout: Path, project: str, recipe: Recipe, cache: Path, progress: Progress
) -> Environment:
    """Return the environment that commits can share, built if needed.

    The environment lacks the project's own package, unless the build command of the
    recipe installs it. A project without a dependency file gets the active virtual
    environment, if there is one.

    Args:
        checkout: The top of the checkout.
        project: The folder of the project in it; empty for the top.
        recipe: How the environment is built.
        cache: The folder of Assay's cache.
        progress: Called with a message before a build begins.

    Raises:
        InputError: A file or the recipe is wrong, or there is no such Python or folder.
        MeasureError: The build failed.
    """
    where = _project(checkout, project)
    prepare(cache)
    if recipe.build:
        return _built_by_command(where, recipe, cache, progress)
    wanted = Wanted(recipe.extras, recipe.groups)
    source = installing.source_of(where, wanted)
    if not source.name and os.environ.get("VIRTUAL_ENV"):
        return active_environment()
    interpreter = choose(where, recipe.python)
    parts = (source.name, source.moment or "", *source.content, *source.local)
    asked = ("extras", *recipe.extras, "groups", *recipe.groups)
    name = key([_FORM, project, *_identity(interpreter), *parts, *asked])
    what = f"the environment of {source.name or 'a project without a dependency file'}"

    def fill(build: Build, folder: Path) -> Path:
        python = _new(build, folder, interpreter)
        installing.install(build, python, source, where, wanted, interpreter)
        return python

    label = source.name or "no dependency file"
    entry = Entry(cache / "environments" / name, what, where.folder, label)
    return entry.get(fill, progress, source.local)


def side_environment(
    shared: Environment, checkout: Path, project: str, cache: Path, progress: Progress
) -> Environment:
    """Return an environment with a side's own package on top of a shared one.

    The project's package is built from a copy of the checkout and installed, not
    linked. Other packages of the checkout that it needs are installed in the same way.
    Files that the build generates are copied into the checkout, too (see `generated`).

    The shared environment itself is returned if the side has no package to install, if
    the build command has installed it, or if the shared environment is the active one.

    Args:
        shared: What `environment` returned for this checkout.
        checkout: The top of the checkout.
        project: The folder of the project in it; empty for the top.
        cache: The folder of Assay's cache.
        progress: Called with a message before a build begins.

    Raises:
        MeasureError: The build failed.
    """
    where = _project(checkout, project)
    folders = [Path(os.path.normpath(where.checkout / x)) for x in shared.local]
    packages = [x for x in [where.folder, *folders] if Project(checkout, x).is_package]
    packages = list(dict.fromkeys(packages))
    if shared.source in (BY_COMMAND, ACTIVE) or not packages:
        return shared
    name = key([_FORM, os.fspath(shared.prefix), project, *_state(checkout)])
    what = f"the package {where.name or where.folder.name} at {_head(checkout)}"

    def fill(build: Build, folder: Path) -> Path:
        python = _layer(build, folder, shared, ())
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            top = Path(temporary) / "copy"
            copied(where, top)
            paths = [os.fspath(top / x.relative_to(checkout)) for x in packages]
            again = Build(build.what, build.log, Path(paths[0]), build.more)
            _install_own(again, python, shared, paths)
        layers.copy_programs(shared.python.parent, python.parent)
        return python

    entry = Entry(cache / "sides" / name, what, where.folder, shared.source)
    side = entry.get(fill, progress)
    generated.complete(checkout, packages, layers.packages_in(side.prefix))
    return side


def add_pytest_benchmark(
    below: Environment, cache: Path, progress: Progress
) -> Environment:
    """Return an environment that also has pytest and pytest-benchmark.

    Missing packages are installed into a separate folder, and a layer adds this folder
    at the end of `sys.path`. If the folder were on PYTHONPATH instead, its packages
    would hide the project, which can itself be a package that pytest needs, such as
    pluggy.

    Args:
        below: The environment, which is not changed. It is returned if nothing is
            missing.
        cache: The folder of Assay's cache.
        progress: Called with a message before a build begins.

    Raises:
        MeasureError: The missing packages cannot be installed.
    """
    missing = [name for name in _TOOLS if name not in below.packages]
    if not missing:
        return below
    prefix = os.fspath(below.prefix)
    versions = [f"{name} {value}" for name, value in below.packages.items()]
    name = key([_FORM, prefix, installing.MOMENT, *versions])

    def fill(build: Build, folder: Path) -> Path:
        tools = folder / "tools"
        folder.mkdir()
        _install_tools(build, below, tools, missing)
        python = _layer(build, folder, below, [tools])
        layers.copy_programs(below.python.parent, python.parent)
        return python

    what = " and ".join(missing)
    entry = Entry(cache / "benchmarks" / name, what, below.prefix, below.source)
    return entry.get(fill, progress)


def _built_by_command(
    where: Project, recipe: Recipe, cache: Path, progress: Progress
) -> Environment:
    """Build an environment with the user's command, in the checkout itself.

    The command can read any file and leave files in the checkout. So the environment
    belongs to this checkout, and is built anew after the checkout was cleaned.

    Raises:
        InputError: The command is empty or not valid, or there is no such Python.
    """
    try:
        words = shlex.split(recipe.build or "")
    except ValueError as error:
        raise InputError(f"--build: {recipe.build!r}: {error}") from error
    if not words:
        raise InputError("--build: the command is empty")
    interpreter = choose(where, recipe.python)
    parts = (recipe.build or "", os.fspath(where.folder), *_state(where.checkout))
    name = key([_FORM, *_identity(interpreter), *parts])
    stamp = where.checkout / ".git" / NOTES / f"built-{name}"

    def fill(build: Build, folder: Path) -> Path:
        python = _new(build, folder, interpreter, with_pip=True)
        made = Environment(python, {}, BY_COMMAND, build.log)
        again = Build(
            build.what, build.log, build.folder, {**build.more, **made.variables}
        )
        again.run(*words)
        return python

    place = cache / "environments" / name
    what = "the environment made by --build"
    entry = Entry(place, what, where.folder, BY_COMMAND)
    built = entry.get(fill, progress, anew=not stamp.exists())
    if stamp.parent.parent.is_dir():
        stamp.parent.mkdir(exist_ok=True)
        stamp.touch()
    return built


def _new(
    build: Build, folder: Path, interpreter: Interpreter, with_pip: bool = False
) -> Path:
    """Make an empty virtual environment, with pip if it is wanted or uv is missing."""
    base = os.fspath(interpreter.path)
    uv = find_uv()
    if uv:
        seed = ["--seed"] if with_pip else []
        build.run(*uv, "venv", "--no-project", *seed, "--python", base, folder)
    else:
        build.run(base, "-I", "-m", "venv", folder)
    return folder / "bin" / "python"


def _layer(
    build: Build, folder: Path, below: Environment, last: Sequence[Path]
) -> Path:
    interpreter = examine(os.fspath(below.python))
    if interpreter is None:
        raise MeasureError(f"{below.python}: this interpreter does not run any more")
    return layers.make(build, interpreter.path, folder, [*interpreter.folders, *last])


def _install_own(
    build: Build, python: Path, shared: Environment, paths: Sequence[str]
) -> None:
    """Install packages of the checkout into a layer, without their dependencies."""
    if find_uv():
        installing.pip_install(build, python, ["--no-deps", *paths])
        return
    # A layer has no pip, so the pip of the shared environment installs into it.
    words = ("-m", "pip", "--python", python, "install", "--no-deps")
    build.run(shared.python, *words, *paths)


def _install_tools(
    build: Build, below: Environment, tools: Path, missing: Sequence[str]
) -> None:
    """Install the missing packages into a folder, in versions that fit `below`."""
    constraints = build.log.with_name("constraints.txt")
    # The project can itself be a package that pytest needs. No index has the version of
    # this checkout. With this version as a constraint, only a pytest that is too old to
    # need the package would fit.
    lines = [
        f"{name}=={version}\n"
        for name, version in below.packages.items()
        if name not in below.own
    ]
    constraints.write_text("".join(lines), encoding="utf-8")
    wanted = [f"{name}{_TOOLS[name]}" for name in missing]
    words = ["--target", os.fspath(tools), *wanted]
    python = below.python
    if not find_uv() and "pip" not in below.packages:
        python = _new(build, tools.with_name("pip"), _interpreter(below))
    try:
        fitting = ["-c", os.fspath(constraints), *words]
        installing.pip_install(build, python, fitting, installing.MOMENT)
    except MeasureError:
        # A constraint can have a version that no index has, such as a local one.
        installing.pip_install(build, python, words, installing.MOMENT)


def _interpreter(built: Environment) -> Interpreter:
    interpreter = examine(os.fspath(built.python))
    if interpreter is None:
        raise MeasureError(f"{built.python}: this interpreter does not run")
    return interpreter


def _project(checkout: Path, project: str) -> Project:
    folder = checkout / project if project else checkout
    if not folder.is_dir():
        raise InputError(
            f"{one_line(project)!r}: there is no such folder in {checkout}"
        )
    return Project(checkout, folder)


def _identity(interpreter: Interpreter) -> tuple[str, ...]:
    tool = "uv" if find_uv() else "pip"
    return (interpreter.tag, os.fspath(interpreter.path), tool)


def _state(checkout: Path) -> tuple[str, ...]:
    """Return the id of a checkout's tree, and its version as `git describe` has it."""
    tree = git.line(checkout, "rev-parse", "HEAD^{tree}")
    try:
        version = git.line(checkout, "describe", "--tags", "--long", "--always")
    except git.GitError:
        version = git.line(checkout, "rev-parse", "HEAD")
    return (tree, version)


def _head(checkout: Path) -> str:
    return git.line(checkout, "rev-parse", "--short=7", "HEAD")
