"""Prepares the two sides of `assay compare`: their checkouts and environments."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assay.commits import CommitSide, Subject
from assay.errors import InputError
from assay.plan import Variant
from assay.subject import changed
from assay.subject.cache import cache_folder
from assay.subject.checkouts import checkout
from assay.subject.environments import (
    Environment,
    Recipe,
    add_pytest_benchmark,
    environment,
    side_environment,
)
from assay.subject.interpreters import examine
from assay.subject.repository import Commit, Repository

BASE, HEAD = "base", "head"
RULER = "ruler"  # the folder of checkouts that are not measured themselves
# A folder with one of these is a project.
PROJECT_FILES = (
    *("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt"),
    *("uv.lock", "pylock.toml", "poetry.lock"),
)


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        name: `BASE` or `HEAD`.
        commit: Its commit.
        checkout: The top folder of its checkout.
        project: The folder of the project in the checkout; empty for the top.
        environment: The environment that it runs in.
        packages: The ``site-packages`` folder of its own package; None if the side has
            no layer for that package.
        below: The environment below that layer, which both sides can share.
    """

    name: str
    commit: Commit
    checkout: Path
    project: str
    environment: Environment
    packages: Path | None = None
    below: Path | None = None

    @property
    def folder(self) -> Path:
        """The project's folder in the checkout."""
        return self.checkout / self.project

    @property
    def own(self) -> list[Path]:
        """The folders that hold its own code: its checkout and its own package."""
        return [self.checkout, *([self.packages] if self.packages else [])]

    @property
    def environments(self) -> list[Path]:
        """The folders of the environments that it runs in."""
        return [self.environment.prefix, *([self.below] if self.below else [])]

    def variant(self, cwd: Path, env: dict[str, str] | None = None) -> Variant:
        """Return a variant that runs this commit.

        Args:
            cwd: The working directory of its commands, in the checkout.
            env: Further environment variables.
        """
        # Empty variables hide the values that Assay itself was started with.
        empty = {"PYTHONPATH": "", "PYTHONHOME": ""}
        return Variant(
            name=self.name,
            env={**empty, **(env or {}), **self.environment.variables},
            cwd=cwd,
            python=self.environment.python,
            packages=self.packages,
        )

    def described(self) -> CommitSide:
        """Return the description of this side for a report."""
        version = examine(os.fspath(self.environment.python))
        return CommitSide(
            name=self.commit.name,
            sha=self.commit.sha,
            subject=self.commit.subject,
            dirty=self.commit.dirty,
            environment=self.environment.source,
            python=version.version if version else "",
        )


@dataclass(frozen=True)
class Sides:
    """Both sides, what differs between them, and their ruler.

    Attributes:
        repository: The user's repository.
        here: The user's working directory, relative to the top of the repository.
        subject: The two commits, and what differs between them.
        ruler: The checkout whose topics and benchmarks measure both sides.
        measured_by: The folder of the project in that checkout.
    """

    repository: Repository
    here: str
    base: Side
    head: Side
    subject: Subject
    ruler: Path
    measured_by: Path

    def with_benchmarks(self, note: Callable[[str], None]) -> Sides:
        """Return the sides with environments that also have pytest-benchmark.

        Raises:
            MeasureError: pytest-benchmark cannot be installed.
        """
        base, head = (
            replace(
                side,
                environment=add_pytest_benchmark(
                    side.environment, cache_folder(), note
                ),
            )
            for side in (self.base, self.head)
        )
        return replace(self, base=base, head=head)

    def foreign(self, side: Side, files: Sequence[str]) -> list[str]:
        """Return the imported files of the other side or of the user's work tree."""
        from assay.subject.imported import foreign

        other = self.base if side.name == HEAD else self.head
        # Assay's plugin and probe run on both sides. They and the cache can lie in the
        # user's work tree.
        shared = [cache_folder(), Path(__file__).parents[1]]
        own = [*side.own, *side.environments, *shared]
        return foreign(files, own, other.own, self.repository.root)


def commits(
    repository: Repository, base: str | None, head: str | None
) -> tuple[Commit, Commit]:
    """Return the two commits that were asked for.

    Args:
        repository: The user's repository.
        base: A ref; None for the commit from which the work on HEAD started.
        head: A ref; None for the working tree.

    Raises:
        InputError: There is no such commit, or the working tree cannot be read.
    """
    newer = repository.commit(head) if head else repository.working_tree()
    older = repository.commit(base) if base else repository.merge_base(newer)
    return older, newer


def both(
    here: Path,
    base: str | None,
    head: str | None,
    recipe: Recipe,
    note: Callable[[str], None],
    ruler: str | None = None,
) -> Sides:
    """Check out two commits, and build what they need.

    Args:
        here: The user's working directory.
        base: A ref; None for the commit from which the work on HEAD started.
        head: A ref; None for the working tree.
        recipe: How environments are built.
        note: Called with each commit, and before a build begins.
        ruler: The commit whose topics and benchmarks measure both sides; HEAD if None.

    Raises:
        InputError: A ref, a file or the recipe is wrong.
        MeasureError: A checkout or a build failed.
    """
    repository = Repository.find(here)
    older, newer = commits(repository, base, head)
    inside = os.path.relpath(os.path.realpath(here), os.path.realpath(repository.root))
    inside = "" if inside == "." else inside
    cache = cache_folder()
    sides = []
    for name, commit in ((BASE, older), (HEAD, newer)):
        note(f"{name}: {commit.name} {commit.sha[:10]} {commit.subject}".rstrip())
        # Even if both sides have the same commit, each has its own checkout.
        place = checkout(repository, commit, cache / name)
        project = _project(place, inside)
        shared = environment(place, project, recipe, cache, note)
        built = side_environment(shared, place, project, cache, note)
        packages = _packages(built) if built.prefix != shared.prefix else None
        below = shared.prefix
        sides.append(Side(name, commit, place, project, built, packages, below))
    one, two = sides
    diff = repository.diff(older, newer)
    subject = Subject(
        base=one.described(),
        head=two.described(),
        packages=_differing(one.environment, two.environment),
        files=changed.files(diff, two.checkout),
    )
    measure = two.checkout
    if ruler:
        measure = checkout(repository, repository.commit(ruler), cache / RULER)
    folder = measure / _project(measure, inside)
    return Sides(repository, inside, one, two, subject, measure, folder)


def _project(checkout_folder: Path, inside: str) -> str:
    """Return the folder of the innermost project around the user's folder.

    The path is relative to the checkout; empty for its top.
    """
    folder = Path(inside)
    for candidate in (folder, *folder.parents):
        place = checkout_folder / candidate
        if any((place / name).is_file() for name in PROJECT_FILES):
            return "" if str(candidate) == "." else str(candidate)
    return ""


def _packages(built: Environment) -> Path:
    """Return the ``site-packages`` folder of a virtual environment.

    Raises:
        InputError: There is no such folder.
    """
    for folder in (built.prefix / "lib").glob("python*/site-packages"):
        return folder
    raise InputError(f"{built.prefix}: no virtual environment")


def _differing(
    base: Environment, head: Environment
) -> tuple[tuple[str, str, str], ...]:
    """Return the packages whose versions differ.

    Each entry has the name of a package, its version at BASE and its version at HEAD. A
    version is empty if the package is missing there.
    """
    names = sorted(set(base.packages) | set(head.packages))
    return tuple(
        (name, base.packages.get(name, ""), head.packages.get(name, ""))
        for name in names
        if base.packages.get(name) != head.packages.get(name)
    )
