"""Reads what a project's files say about its Python, dependencies and package."""

import functools
import json
import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.subject.poetry_lock import normalised, parse_requirement

# Extras and groups that are installed if the user names none.
AUTOMATIC: tuple[str, ...] = (
    "dev",
    "test",
    "tests",
    "testing",
    "bench",
    "benchmark",
    "benchmarks",
)
AUTOMATIC += ("perf",)
_LOCKS = ("uv.lock", "pylock.toml", "poetry.lock")
_BASES = ("base", "main", "prod", "production")


@dataclass(frozen=True)
class Project:
    """The folder of a project inside a checkout.

    Attributes:
        checkout: The top of the checkout.
        folder: The folder of the project.
    """

    checkout: Path
    folder: Path

    @functools.cached_property
    def pyproject(self) -> dict[str, Any]:
        """The content of pyproject.toml; empty if there is none.

        Raises:
            InputError: The file cannot be read, or is not valid TOML.
        """
        return read_toml(self.folder / "pyproject.toml")

    def table(self, *path: str) -> dict[str, Any]:
        """Return a table of pyproject.toml; empty if it is missing."""
        table: Any = self.pyproject
        for name in path:
            table = table.get(name) if isinstance(table, dict) else None
        return table if isinstance(table, dict) else {}

    @property
    def name(self) -> str:
        """The normalised name of the project's package; empty if no file names it."""
        name = self.table("project").get("name") or self.table("tool", "poetry").get(
            "name"
        )
        return normalised(name) if isinstance(name, str) else ""

    @property
    def python_version(self) -> str:
        """The version in ``.python-version``; empty if there is none.

        The file in the project's folder is preferred to the file at the top of the
        checkout.
        """
        for folder in (self.folder, self.checkout):
            file = folder / ".python-version"
            if file.is_file():
                lines = file.read_text(
                    encoding="utf-8-sig", errors="replace"
                ).splitlines()
                words = [line.strip() for line in lines]
                return next((x for x in words if x and not x.startswith("#")), "")
        return ""

    @property
    def requires_python(self) -> str:
        """The value of ``requires-python``, else of Poetry's ``python``; else empty."""
        required = self.table("project").get("requires-python")
        if not isinstance(required, str):
            poetry = self.table("tool", "poetry", "dependencies").get("python")
            required = specifiers(poetry) if isinstance(poetry, str) else ""
        return required

    @property
    def is_package(self) -> bool:
        """Whether the project can be installed as a package."""
        if self.table("tool", "uv").get("package") is False:
            return False
        if self.table("tool", "poetry").get("package-mode") is False:
            return False
        return (
            bool(self.table("build-system"))
            or (self.folder / "setup.py").is_file()
            or self.table("tool", "uv").get("package") is True
        )

    @property
    def lock_file(self) -> Path | None:
        """The lock file in the project's folder; None if there is none.

        A ``uv.lock`` can also be in a folder above, as in a workspace.
        """
        for name in _LOCKS:
            folder = self.folder
            while True:
                if (folder / name).is_file():
                    return folder / name
                if name != "uv.lock" or folder == self.checkout:
                    break
                folder = folder.parent
        return None

    @property
    def has_metadata(self) -> bool:
        """Whether pyproject.toml or setup.py says what the package requires."""
        tables = (self.table("project"), self.table("tool", "poetry"))
        return any(tables) or (self.folder / "setup.py").is_file()

    @property
    def is_dynamic(self) -> bool:
        """Whether the requirements of the package are known only from a build."""
        if not self.table("project"):
            return self.has_metadata
        dynamic = self.table("project").get("dynamic", ())
        dependencies = {"dependencies", "optional-dependencies"} & set(dynamic)
        poetry = self.table("tool", "poetry")
        return bool(dependencies) or "dependencies" in poetry

    def requirements_files(self, groups: Sequence[str]) -> list[Path]:
        """Return the project's requirements files: the main one, then those of groups.

        The list is empty if there is no main file.

        Args:
            groups: The names of groups; those of `AUTOMATIC` if empty.
        """
        folder = self.folder
        main = [folder / "requirements.txt"]
        main += [folder / "requirements" / f"{name}.txt" for name in _BASES]
        files = [file for file in main if file.is_file()][:1]
        if not files:
            return []
        for name in groups or AUTOMATIC:
            for path in (
                f"requirements-{name}.txt",
                f"requirements_{name}.txt",
                f"{name}-requirements.txt",
                f"requirements.{name}.txt",
                f"requirements/{name}.txt",
            ):
                if (folder / path).is_file():
                    files.append(folder / path)
        return files

    def dependency_tables(self) -> str:
        """Return pyproject.toml's tables that decide what is installed, as JSON."""
        project = self.table("project")
        kept = [
            {
                name: project.get(name)
                for name in (
                    "name",
                    "requires-python",
                    "dependencies",
                    "optional-dependencies",
                    "dynamic",
                )
            },
            self.table("dependency-groups"),
            self.table("tool", "uv"),
            {
                name: self.table("tool", "poetry").get(name)
                for name in ("dependencies", "group", "extras", "source")
            },
        ]
        return json.dumps(kept, sort_keys=True, default=str)

    def static_requirements(
        self, extras: Sequence[str], groups: Sequence[str]
    ) -> list[str]:
        """Return what pyproject.toml requires, without a build.

        Args:
            extras: Extras that are wanted; those of `AUTOMATIC` if empty.
            groups: Dependency groups that are wanted; those of `AUTOMATIC` if empty.
        """
        project = self.table("project")
        requirements = list(project.get("dependencies", ()))
        optional = self.table("project", "optional-dependencies")
        requirements += self._of_extras(optional, list(extras or AUTOMATIC), set())
        tables = self.table("dependency-groups")
        for name in groups or AUTOMATIC:
            requirements += self._of_group(tables, name, set())
        from_sources = [
            self._from_source(text) for text in requirements if isinstance(text, str)
        ]
        return [text for text in dict.fromkeys(from_sources) if text]

    @property
    def local_sources(self) -> list[Path]:
        """The folders in the checkout that ``[tool.uv.sources]`` takes packages from.

        Raises:
            InputError: The table names a member of a workspace. Only uv.lock says where
                the member is.
        """
        folders = []
        for name, source in self.table("tool", "uv", "sources").items():
            source = source if isinstance(source, dict) else {}
            if source.get("workspace"):
                raise InputError(
                    f"{self.folder / 'pyproject.toml'}: {name} is a member of a "
                    "workspace, and there is no uv.lock; type: uv lock"
                )
            if "path" in source:
                folders.append(Path(os.path.realpath(self.folder / source["path"])))
        return [x for x in folders if x.is_relative_to(os.path.realpath(self.checkout))]

    def _from_source(self, requirement: str) -> str:
        """Return a requirement with its source in ``[tool.uv.sources]``.

        The result is empty if the source is a folder: an index can have another package
        of the same name, which must not be installed.
        """
        name = parse_requirement(requirement.strip())[0]
        sources = self.table("tool", "uv", "sources").items()
        source = {normalised(key): value for key, value in sources}.get(name)
        if not isinstance(source, dict):
            return requirement
        if "path" in source or "workspace" in source:
            return ""
        if "git" in source:
            revision = source.get("rev") or source.get("tag") or source.get("branch")
            at = f"@{revision}" if revision else ""
            return f"{name} @ git+{source['git']}{at}"
        return f"{name} @ {source['url']}" if "url" in source else requirement

    def _of_extras(
        self, optional: dict[str, Any], extras: list[str], seen: set[str]
    ) -> list[str]:
        requirements: list[str] = []
        by_name = {normalised(name): texts for name, texts in optional.items()}
        for extra in extras:
            name = normalised(extra)
            if name in seen:
                continue
            seen.add(name)
            for text in by_name.get(name, ()):
                required, more = parse_requirement(str(text).strip())
                if required == self.name:  # all = ["shop[dev,test]"]
                    requirements += self._of_extras(optional, list(more), seen)
                else:
                    requirements.append(text)
        return requirements

    def _of_group(self, tables: dict[str, Any], name: str, seen: set[str]) -> list[str]:
        by_name = {normalised(group): texts for group, texts in tables.items()}
        name = normalised(name)
        if name in seen:
            return []
        seen.add(name)
        requirements: list[str] = []
        for entry in by_name.get(name, ()):
            if isinstance(entry, dict):
                included = str(entry.get("include-group", ""))
                requirements += self._of_group(tables, included, seen)
            else:
                requirements.append(entry)
        return requirements


@dataclass(frozen=True)
class Wanted:
    """Which optional parts of a project are installed.

    Attributes:
        extras: Names of extras. If extras and groups are both empty, those of
            `AUTOMATIC` are installed.
        groups: Names of dependency groups, as for extras.
    """

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def extras_of(self, available: Sequence[str]) -> list[str]:
        """Return the named extras; those of `AUTOMATIC` if nothing is named."""
        return _chosen(self.extras, self.groups, available)

    def groups_of(self, available: Sequence[str]) -> list[str]:
        """Return the named groups; those of `AUTOMATIC` if nothing is named."""
        return _chosen(self.groups, self.extras, available)


def _chosen(
    named: Sequence[str], others: Sequence[str], available: Sequence[str]
) -> list[str]:
    if named or others:
        return list(named)
    return [x for x in available if normalised(x) in AUTOMATIC]


def read_toml(file: Path) -> dict[str, Any]:
    """Return the content of a TOML file; empty if there is none.

    Raises:
        InputError: The file cannot be read, or is not valid TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{file}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise InputError(f"{file}: cannot be read: nested too deeply") from error


def specifiers(constraint: str) -> str:
    """Return Poetry's version constraint (``^3.11``, ``~3.11``) in standard form."""
    return ",".join(_specifier(part.strip()) for part in constraint.split(","))


def _specifier(part: str) -> str:
    match = re.fullmatch(r"([\^~])\s*(\d+(?:\.\d+)*)", part)
    if not match:
        return "" if part == "*" else part
    numbers = [int(number) for number in match[2].split(".")]
    if match[1] == "~":
        fixed = min(2, len(numbers))
    else:
        # The first number that is not zero must stay as it is.
        leading = next((i for i, x in enumerate(numbers) if x), len(numbers) - 1)
        fixed = leading + 1
    upper = [*numbers[: fixed - 1], numbers[fixed - 1] + 1]
    return f">={match[2]},<{'.'.join(map(str, upper))}"
