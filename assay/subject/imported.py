"""Proves which code a side ran, from the places and hashes of imported files."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path


def foreign(
    files: Sequence[str],
    side_folders: Sequence[Path],
    other_folders: Sequence[Path],
    user: Path,
) -> list[str]:
    """Return the imported files of the other side or of the user's work tree.

    A file belongs to the innermost given folder around it, so one of the folders may be
    inside another. Files outside all of them, such as the standard library, are never
    returned.

    Args:
        files: The files that a process imported.
        side_folders: Folders of this side: its checkout, its environments, and whatever
            both sides share.
        other_folders: Folders of the other side.
        user: The user's own work tree.
    """
    # A folder that both sides share counts as a folder of this side.
    ours = {_real(folder) for folder in side_folders}
    theirs = {_real(folder) for folder in (*other_folders, user)} - ours
    every = ours | theirs
    return [file for file in files if _innermost(_real(file), every) in theirs]


def content_hash(files: Sequence[str], side_folders: Sequence[Path]) -> str:
    """Return a hash of the imported files that lie in the given folders.

    The hash depends on the content of the files and on their paths below the folder. It
    does not depend on the path of the folder itself, so two checkouts of the same files
    have the same hash.

    Args:
        files: The files that a process imported.
        side_folders: The checkout of the side, and the environment with its package.
    """
    folders = {_real(folder) for folder in side_folders}
    hashes: dict[str, bytes] = {}
    for file in files:
        path = _real(file)
        holder = _innermost(path, folders)
        if holder is not None and path.is_file():
            name = _below_packages(path.relative_to(holder))
            hashes[name] = hashlib.sha256(path.read_bytes()).digest()
    total = hashlib.sha256()
    for name in sorted(hashes):
        total.update(os.fsencode(name) + b"\0" + hashes[name])
    return total.hexdigest()


def _innermost(path: Path, folders: set[Path]) -> Path | None:
    """Return the innermost of some folders around a file; None if none is around it."""
    return next((x for x in path.parents if x in folders), None)


def _below_packages(path: Path) -> str:
    """Return the part of a path below ``site-packages``; all of it if there is none."""
    parts = path.parts
    if "site-packages" in parts:
        parts = parts[parts.index("site-packages") + 1 :]
    return os.path.join(*parts)


def _real(path: str | Path) -> Path:
    return Path(os.path.realpath(path))
