"""The data types of two commits that are compared, and of the changes between them."""

from assay.data import Data


class CommitSide(Data):
    """One of the two commits.

    Attributes:
        name: The name that the reader knows: ``main``, ``working tree``.
        sha: The full name of the commit.
        subject: The first line of its message; empty for uncommitted changes.
        dirty: Whether it is a snapshot of uncommitted changes.
        environment: The source of its environment: ``uv.lock``.
        python: The version of its Python.
    """

    name: str
    sha: str
    subject: str = ""
    dirty: bool = False
    environment: str = ""
    python: str = ""


class ChangedLines(Data):
    """Lines of a file that were replaced.

    Attributes:
        base_start: The first replaced line at BASE, from 1. If lines were only
            inserted, the line before them.
        base_length: Number of replaced lines.
        head_start: The first new line at HEAD, from 1. If lines were only removed, the
            line before them.
        head_length: Number of new lines.
        lines: The replaced lines, each after a ``-``, then the new lines, each after a
            ``+``.
    """

    base_start: int
    base_length: int
    head_start: int
    head_length: int
    lines: tuple[str, ...] = ()


class ChangedFunction(Data):
    """A function of HEAD that has changed lines.

    Attributes:
        name: Its name, without its class.
        first: Its first line at HEAD, decorators included.
        last: Its last line at HEAD.
    """

    name: str
    first: int
    last: int


class ChangedFile(Data):
    """A Python file that changed.

    Attributes:
        path: The path at HEAD, from the top of the repository.
        base_path: The path at BASE.
        changes: The changed lines, in order.
        functions: The functions of HEAD that contain changed lines.
    """

    path: str
    base_path: str
    changes: tuple[ChangedLines, ...]
    functions: tuple[ChangedFunction, ...] = ()

    def head_line(self, line: int) -> int:
        """Return where a line of BASE is at HEAD; a line nearby if it was removed."""
        offset = 0
        for change in self.changes:
            if change.base_length:
                first, after = change.base_start, change.base_start + change.base_length
            else:  # lines were inserted after `base_start`
                first = after = change.base_start + 1
            if line >= after:
                offset += change.head_length - change.base_length
            elif line >= first:
                inside = min(line - first, max(change.head_length - 1, 0))
                return max(change.head_start + inside, 1)
        return line + offset

    def is_at(self, path: str, relative: str) -> bool:
        """Say whether `path` is `relative`, alone or after the path of a folder."""
        return path == relative or path.endswith(f"/{relative}")


class Subject(Data):
    """The two commits of a comparison.

    Attributes:
        packages: The packages whose versions differ: name, version at BASE, version at
            HEAD. The version is empty where the package is missing.
        files: The Python files that changed.
    """

    base: CommitSide
    head: CommitSide
    packages: tuple[tuple[str, str, str], ...] = ()
    files: tuple[ChangedFile, ...] = ()

    def file_at_base(self, relative: str) -> ChangedFile | None:
        """Return the changed file whose path at BASE ends with this path, or None."""
        return next((f for f in self.files if f.is_at(f.base_path, relative)), None)

    def file_at_head(self, relative: str) -> ChangedFile | None:
        """Return the changed file whose path at HEAD ends with this path, or None."""
        return next((f for f in self.files if f.is_at(f.path, relative)), None)
