"""Copies what a build generates into the checkout: compiled modules, for example.

Python puts the working directory first on `sys.path`. So a test or a server that starts
in the checkout can import the package from there instead of the installed one. A clean
checkout lacks the generated files. The import would fail, or silently use slower code.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

_COMPILED = {".so", ".pyd"}
_NO_CODE = {"__pycache__", "bin"}


def complete(checkout: Path, projects: Sequence[Path], packages: Path) -> list[Path]:
    """Copy generated files of installed packages into the checkout.

    Existing files are not changed. Cleaning the checkout removes the copies.

    Args:
        checkout: The top of the checkout.
        projects: The folders in the checkout whose packages were installed.
        packages: The folder that only these packages were installed into.

    Returns:
        The new files.
    """
    top = Path(os.path.realpath(checkout))
    new = []
    for file in _files(packages):
        path = file.relative_to(packages)
        for folder in (y for x in projects for y in (x, x / "src")):
            place = folder / path
            if not _belongs(path, folder) or os.path.lexists(place):
                continue
            # A folder of the package can be a link to a place outside the checkout.
            if Path(os.path.realpath(place.parent)).is_relative_to(top):
                shutil.copy2(file, place)
                new.append(place)
    return new


def _belongs(path: Path, folder: Path) -> bool:
    """Return whether a file was installed from a folder, judging by its path."""
    if len(path.parts) == 1:
        # A module outside a package: its source can be in any folder.
        return path.suffix in _COMPILED and folder.is_dir()
    return (folder / path).parent.is_dir()


def _files(packages: Path) -> Iterator[Path]:
    for top, folders, files in os.walk(packages):
        folders[:] = [
            name
            for name in sorted(folders)
            if name not in _NO_CODE and not name.endswith(".dist-info")
        ]
        for name in sorted(files):
            if not name.endswith((".pth", ".pyc")):
                yield Path(top, name)
