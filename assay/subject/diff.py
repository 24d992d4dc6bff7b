"""What changed between two commits, file by file and hunk by hunk."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

type Side = Literal["base", "head"]

_KINDS = {
    "A": "added",
    "C": "copied",
    "D": "deleted",
    "M": "modified",
    "R": "renamed",
    "T": "retyped",
}
_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_PLAIN_MODES = {"000000", "100644", "100755"}
_TEXTS = {".md", ".markdown", ".rst", ".adoc"}
_PICTURES = {".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp"}
_FOLDERS = {"doc", "docs", "documentation"}
# Texts with these names are documentation, whatever their ending.
_NAMES = {"readme", "changelog", "changes", "history", "news", "license", "licence"}
_NAMES |= {"copying", "notice", "authors", "contributors", "contributing", "security"}
_NAMES |= {"code_of_conduct", "maintainers", "codeowners"}


@dataclass(frozen=True)
class Hunk:
    """Lines that were replaced, without any context.

    Attributes:
        base_start: First of the replaced lines; if there is none, the line before the
            inserted lines.
        base_length: Number of replaced lines.
        head_start: First of the new lines; if there is none, the line before the
            removed lines.
        head_length: Number of new lines.
        lines: The replaced lines, which begin with ``-``, then the new ones, which
            begin with ``+``. A line that begins with a backslash says that the file
            ends without a newline.
    """

    base_start: int
    base_length: int
    head_start: int
    head_length: int
    lines: tuple[str, ...]

    def touches(self, first: int, last: int, side: Side) -> bool:
        """Return whether the hunk changes something within some lines of one side.

        An insertion just before the first line or just after the last one does not
        count, and neither does a removal there.
        """
        start, length = (
            (self.base_start, self.base_length)
            if side == "base"
            else (self.head_start, self.head_length)
        )
        if length:
            return start <= last and start + length - 1 >= first
        return first <= start < last


@dataclass(frozen=True)
class FileChange:
    """What changed in one file.

    Attributes:
        path: The path at HEAD (at BASE, if the file was deleted). Bytes that are not
            UTF-8 are decoded as `os.fsdecode` does it.
        old_path: The path at BASE if it differs; None otherwise.
        kind: ``added``, ``deleted``, ``modified``, ``renamed``, ``copied`` or
            ``retyped`` (a file became a link, for example).
        hunks: The changed lines; none for binary files.
        binary: Whether git considers the content binary.
        plain: Whether the file is an ordinary file, and no link or submodule, on each
            side that has the file.
    """

    path: str
    old_path: str | None
    kind: str
    hunks: tuple[Hunk, ...]
    binary: bool
    plain: bool

    def path_on(self, side: Side) -> str:
        """Return the path that the file has on one side."""
        return (self.old_path or self.path) if side == "base" else self.path


@dataclass(frozen=True)
class Diff:
    """What changed between two commits, in the order of the paths."""

    files: tuple[FileChange, ...]

    def touches(
        self, path: str, first_line: int, last_line: int, side: Side
    ) -> tuple[Hunk, ...]:
        """Return the hunks that change some lines of a file.

        Args:
            path: The file, from the top of the repository, as that side has it.
            first_line: The first of the lines, counted from 1.
            last_line: The last one.
            side: The side that the path and the lines belong to.
        """
        return tuple(
            hunk
            for file in self.files
            if file.path_on(side) == path
            for hunk in file.hunks
            if hunk.touches(first_line, last_line, side)
        )

    @property
    def documentation_only(self) -> bool:
        """Whether nothing but documentation changed, so that no code can differ.

        Files such as README.md or LICENSE are documentation in every folder. Other
        Markdown, .rst and .adoc files are documentation at the top of the repository,
        in ``.github`` and in a folder such as ``docs`` at the top. In such a folder,
        pictures and .txt files are documentation, too, but not lists of requirements.
        Any other Markdown file counts as code, because a service can serve it.

        False if nothing changed at all.
        """
        return bool(self.files) and all(
            file.plain
            and _is_documentation(file.path_on("base"))
            and _is_documentation(file.path)
            for file in self.files
        )


def _is_documentation(path: str) -> bool:
    file = PurePosixPath(path.lower())
    if file.suffix in {*_TEXTS, "", ".txt"} and file.stem in _NAMES:
        return True
    top = file.parts[0] if len(file.parts) > 1 else ""
    if top in _FOLDERS:
        # Programs read requirements.txt, whatever folder it is in.
        is_text = file.suffix == ".txt" and "requirement" not in file.name
        return is_text or file.suffix in _TEXTS | _PICTURES
    return top in ("", ".github") and file.suffix in _TEXTS


def diff_of(git: Callable[..., bytes], base: str, head: str) -> Diff:
    """Return what changed between two commits.

    Args:
        git: Runs git with some arguments and returns its output.
        base: The full name of the older commit.
        head: The full name of the newer one.
    """
    # `diff-tree` ignores the user's settings of `diff`.
    words = ("diff-tree", "-r", "-M", "--no-relative", "--ignore-submodules=none")
    entries = parse_raw(git(*words, "--raw", "-z", "--no-abbrev", base, head))
    as_text = ("--no-ext-diff", "--no-textconv", "--no-color", "--unified=0")
    fixed = ("--inter-hunk-context=0", "--submodule=short", "--src-prefix=a/")
    patch = git(*words, "-p", *as_text, *fixed, "--dst-prefix=b/", base, head)
    return join(entries, parse_patch(patch))


@dataclass(frozen=True)
class Entry:
    """One file as ``git diff-tree --raw`` lists it, without its lines."""

    path: str
    old_path: str | None
    status: str
    plain: bool


@dataclass(frozen=True)
class Section:
    """The part of a patch that belongs to one file."""

    hunks: tuple[Hunk, ...]
    binary: bool


def parse_raw(output: bytes) -> list[Entry]:
    """Return the files of ``git diff-tree --raw -z``."""
    fields = iter(output.split(b"\0"))
    entries = []
    for field in fields:
        if not field:
            continue
        old_mode, new_mode, *_, status = field.decode("ascii").lstrip(":").split()
        first = os.fsdecode(next(fields))
        second = os.fsdecode(next(fields)) if status[0] in "RC" else None
        plain = {old_mode, new_mode} <= _PLAIN_MODES
        if second is None:
            entries.append(Entry(first, None, status[0], plain))
        else:
            entries.append(Entry(second, first, status[0], plain))
    return entries


def parse_patch(patch: bytes) -> list[Section]:
    """Return the sections of a patch without context, in the order of the patch.

    Each section begins with a line ``diff --git``. No other line begins with these
    words: lines of content have a sign before them, and git quotes newlines in paths.
    """
    lines = patch.split(b"\n")
    starts = [i for i, text in enumerate(lines) if text.startswith(b"diff --git ")]
    ends = [*starts[1:], len(lines)]
    return [
        _section(lines[start:end]) for start, end in zip(starts, ends, strict=False)
    ]


def _section(lines: list[bytes]) -> Section:
    hunks = tuple(_hunks(lines))
    binary = any(text.startswith(b"Binary files ") for text in lines)
    return Section(hunks, binary and not hunks)


def _hunks(lines: list[bytes]) -> Iterator[Hunk]:
    position = 0
    while position < len(lines):
        match = _HUNK.match(lines[position])
        position += 1
        if match is None:
            continue
        end = position
        while end < len(lines) and lines[end][:1] in (b"-", b"+", b"\\"):
            end += 1
        base, old, head, new = (
            1 if group is None else int(group) for group in match.groups()
        )
        texts = (text.decode("utf-8", "replace") for text in lines[position:end])
        yield Hunk(base, old, head, new, tuple(texts))
        position = end


def join(entries: list[Entry], sections: list[Section]) -> Diff:
    """Combine the list of files with the patch, which has the same order."""
    rest = iter(sections)
    files = []
    for entry in entries:
        section = next(rest)
        if entry.status == "T":
            # A file that became a link has two sections: a removal and an addition.
            other = next(rest)
            section = Section(
                section.hunks + other.hunks, section.binary or other.binary
            )
        files.append(
            FileChange(
                path=entry.path,
                old_path=entry.old_path,
                kind=_KINDS.get(entry.status, "modified"),
                hunks=section.hunks,
                binary=section.binary,
                plain=entry.plain,
            )
        )
    return Diff(tuple(files))
