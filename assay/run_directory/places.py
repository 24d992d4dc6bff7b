"""Finds run directories in local folders, and at URLs that fsspec can read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from assay.errors import InputError
from assay.run_directory.directory import RESULTS
from assay.run_directory.load_run import CAPACITY, SWEEP, LoadRun
from assay.run_directory.run import RunDirectory
from assay.system import redaction

# A folder with one of these files is a run directory, perhaps an incomplete one.
MARKS = frozenset({RunDirectory.PLAN, LoadRun.PLAN, RESULTS, CAPACITY, SWEEP})
# Folders of other tools, which may be large and hold no runs.
_NOT_SEARCHED = frozenset({".git", ".venv", "node_modules", "__pycache__"})


class Place(Protocol):
    """A run directory, local or remote."""

    @property
    def name(self) -> str:
        """The whole path, or the URL without secrets."""

    def has(self, file: str) -> bool:
        """Say whether there is a file of this name."""

    def read(self, file: str) -> bytes:
        """Read a file.

        Raises:
            OSError: The file cannot be read.
        """


class LocalPlace:
    """A run directory on this machine."""

    def __init__(self, folder: Path) -> None:
        """Point at the directory."""
        self._folder = folder

    @property
    def name(self) -> str:
        """The whole path, as it was found."""
        return str(self._folder)

    def has(self, file: str) -> bool:
        """Say whether there is a file of this name."""
        return (self._folder / file).is_file()

    def read(self, file: str) -> bytes:
        """Read a file.

        Raises:
            OSError: The file cannot be read.
        """
        return (self._folder / file).read_bytes()


class RemotePlace:
    """A run directory at a URL."""

    def __init__(self, system: Any, folder: str, files: frozenset[str]) -> None:
        """Point at the directory.

        Args:
            system: The file system of fsspec.
            folder: The path of the directory in it.
            files: The names of the files in the directory.
        """
        self._system = system
        self._folder = folder
        self._files = files

    @property
    def name(self) -> str:
        """The whole URL without secrets."""
        return redaction.text(str(self._system.unstrip_protocol(self._folder)))

    def has(self, file: str) -> bool:
        """Say whether there is a file of this name."""
        return file in self._files

    def read(self, file: str) -> bytes:
        """Read a file.

        Raises:
            OSError: The file cannot be read.
        """
        try:
            return bytes(self._system.cat_file(f"{self._folder}/{file}"))
        except Exception as error:  # each kind of storage has errors of its own
            raise OSError(f"{type(error).__name__}: {error}") from error


def find(folders: Iterable[str]) -> list[Place]:
    """Return the run directories in these folders and below them, in order of names.

    Args:
        folders: Paths, or URLs with `://`.

    Raises:
        InputError: Some folders cannot be searched; the message names all of them.
    """
    places: dict[str, Place] = {}
    mistakes = []
    for folder in folders:
        try:
            found = list(_remote(folder) if "://" in folder else _local(Path(folder)))
        except InputError as error:
            mistakes.append(str(error))
            continue
        places |= {place.name: place for place in found}
    if mistakes:
        raise InputError("\n".join(mistakes))
    return [places[name] for name in sorted(places)]


def _local(folder: Path) -> Iterator[Place]:
    if folder.is_file():
        raise InputError(
            f"{folder}: this is a file; name the folder that holds your runs, "
            f"for example {folder.parent.parent or '.'}"
        )
    if not folder.is_dir():
        raise InputError(
            f"{folder}: there is no such folder; name one that holds runs, "
            "for example reports"
        )

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be searched: {error.strerror}")

    for path, names, files in os.walk(folder, onerror=refuse):
        if MARKS.isdisjoint(files):
            names[:] = sorted(set(names) - _NOT_SEARCHED)
        else:
            names.clear()  # what lies below is part of this run
            yield LocalPlace(Path(path))


def _remote(url: str) -> Iterator[Place]:
    shown = redaction.text(url)
    try:
        import fsspec
    except ImportError as error:
        raise InputError(
            f"{shown}: reading a URL needs fsspec; type: python -m pip install fsspec"
        ) from error
    try:
        system, root = fsspec.core.url_to_fs(url)
        files: list[str] = system.find(root)
    except ImportError as error:  # its message names the package
        raise InputError(f"{shown}: cannot be read: {error}") from error
    except ValueError as error:
        raise InputError(
            f"{shown}: cannot be read: {error}; expected a folder, or a URL such as "
            "s3://bucket/runs"
        ) from error
    except Exception as error:  # each kind of storage has errors of its own
        reason = redaction.text(f"{type(error).__name__}: {error}")
        raise InputError(f"{shown}: cannot be read: {reason}") from error
    yield from _remote_places(system, files)


def _remote_places(system: Any, files: Iterable[str]) -> Iterator[Place]:
    by_folder: dict[PurePosixPath, set[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        by_folder.setdefault(path.parent, set()).add(path.name)
    runs = {folder for folder, names in by_folder.items() if names & MARKS}
    for folder in runs:
        if runs.isdisjoint(folder.parents):
            yield RemotePlace(system, str(folder), frozenset(by_folder[folder]))
