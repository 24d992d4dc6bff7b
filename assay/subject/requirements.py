"""Reads requirements files as pip does, and separates the checkout's packages."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assay.errors import InputError

_MAX_DEPTH = 20  # how deeply files may include each other
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|=|(?=\S))(.+)")
_INCLUDED = re.compile(r"(?:-r|--requirement)(?:\s+|=|(?=\S))(.+)")
_CONSTRAINTS = re.compile(r"(?:-c|--constraint)(?:\s+|=|(?=\S))(.+)")
_FIND_LINKS = re.compile(r"(?:-f|--find-links)(?:\s+|=)(.+)")
_NAMED_FILE = re.compile(r"[\w.-]+(?:\[[^\]]*\])?\s*@\s*file:(.+)")
_EXTRAS = re.compile(r"(.*?)\[([^\]]*)\]$")


@dataclass(frozen=True)
class LocalPackage:
    """A package in a folder of the checkout, such as ``-e .[test]``.

    Attributes:
        folder: Its folder, as a real path.
        extras: The extras that the line asks for.
    """

    folder: Path
    extras: tuple[str, ...] = ()


@dataclass(frozen=True)
class Requirements:
    """What one or more requirements files say.

    Attributes:
        lines: One requirement or option each, with absolute paths.
        local: Packages in the checkout, which each side installs for itself.
    """

    lines: tuple[str, ...]
    local: tuple[LocalPackage, ...]

    @property
    def hashed(self) -> bool:
        """Whether every requirement has a hash, as in a lock file.

        The requirements in a file that is included by its URL are unknown.
        """
        if any(map(_INCLUDED.match, self.lines)):
            return False
        required = [line for line in self.lines if not line.startswith("-")]
        return bool(required) and all("--hash" in line for line in required)


def read(files: list[Path], folder: Path, checkout: Path) -> Requirements:
    """Return what requirements files say, with the files that they include.

    Args:
        files: The files.
        folder: The folder that paths of packages are relative to.
        checkout: The top of the checkout.

    Raises:
        InputError: A file cannot be read, or files include each other without end.
    """
    lines: list[str] = []
    local: list[LocalPackage] = []
    for file in files:
        for line in _lines(file, 0):
            package = _local(line, folder, checkout)
            if package is None:
                lines.append(line)
            else:
                local.append(package)
    return Requirements(tuple(dict.fromkeys(lines)), tuple(dict.fromkeys(local)))


def _lines(file: Path, depth: int) -> Iterator[str]:
    """Yield each logical line of a file and of the files that it includes."""
    if depth > _MAX_DEPTH:
        raise InputError(f"{file}: includes itself, through other files")
    try:
        text = file.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    joined = re.sub(r"\\\r?\n", " ", text)
    for raw in joined.splitlines():
        line = re.sub(r"(^|\s+)#.*$", "", raw).strip()
        if not line:
            continue
        included = _INCLUDED.match(line)
        if included and "://" in included[1]:
            yield line  # pip and uv download it
        elif included:
            yield from _lines(file.parent / _unquoted(included[1]), depth + 1)
        elif constraints := _CONSTRAINTS.match(line):
            yield f"-c {_absolute(constraints[1], file.parent)}"
        elif links := _FIND_LINKS.match(line):
            yield f"--find-links {_absolute(links[1], file.parent)}"
        else:
            yield line


def _local(line: str, folder: Path, checkout: Path) -> LocalPackage | None:
    """Return the package of the checkout that a line installs, or None."""
    text = line
    if match := _EDITABLE.match(line):
        text = match[1]
    elif match := _NAMED_FILE.match(line):
        text = "file:" + match[1]
    elif line.startswith("-"):
        return None
    text = _unquoted(text.partition(" ;")[0].split(" --")[0].strip())
    extras: tuple[str, ...] = ()
    if match := _EXTRAS.match(text):
        text = match[1]
        extras = tuple(part.strip() for part in match[2].split(",") if part.strip())
    text = re.sub(r"^file:(//)?", "", text).partition("#")[0]
    if not text or "://" in text or text.startswith("git+"):
        return None
    place = folder / text
    # A requirement such as `flask` can share its name with a folder.
    is_path = line.startswith(("-e", "--editable")) or "/" in text or text == "."
    if not is_path or not place.is_dir():
        return None
    inside = Path(os.path.realpath(place))
    if not inside.is_relative_to(os.path.realpath(checkout)):
        return None
    return LocalPackage(inside, extras)


def _absolute(path: str, folder: Path) -> str:
    path = _unquoted(path)
    return path if "://" in path else os.fspath(folder / path)


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text
