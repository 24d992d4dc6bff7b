"""Two commits that are compared: what they are, and what changed between them."""

from assay.data import Data


class CommitSide(Data):
    """One of the two commits.

    Attributes:
        name: As the reader knows it: ``main``, ``working tree``.
        sha: The full name of the commit.
        subject: The first line of its message; empty for uncommitted changes.
        dirty: Whether it is a snapshot of uncommitted changes.
        environment: What its environment was built from: ``uv.lock``.
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
        base_start: First of the replaced lines; where none was, the line before.
        base_length: Number of replaced lines.
        head_start: First of the new lines; where there is none, the line before.
        head_length: Number of new lines.
        lines: The replaced lines with ``-``, then the new ones with ``+`` before them.
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
        last: Its last line.
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
        functions: The functions of HEAD in which they lie.
    """

    path: str
    base_path: str
    changes: tuple[ChangedLines, ...]
    functions: tuple[ChangedFunction, ...] = ()

    def head_line(self, line: int) -> int:
        """Return where a line of BASE is at HEAD; near it, if it was removed."""
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
        """Say whether a path of this file ends with a path from some folder in it."""
        return path == relative or path.endswith(f"/{relative}")


class Subject(Data):
    """The two commits of a comparison.

    Attributes:
        packages: Packages whose versions differ: name, version at BASE and at HEAD;
            an empty version means that it is missing.
        files: The Python files that changed.
    """

    base: CommitSide
    head: CommitSide
    packages: tuple[tuple[str, str, str], ...] = ()
    files: tuple[ChangedFile, ...] = ()

    def file_at_base(self, relative: str) -> ChangedFile | None:
        """Return the changed file that a path at BASE, from any folder, belongs to."""
        return next((f for f in self.files if f.is_at(f.base_path, relative)), None)

    def file_at_head(self, relative: str) -> ChangedFile | None:
        """Return the changed file that a path at HEAD, from any folder, belongs to."""
        return next((f for f in self.files if f.is_at(f.path, relative)), None)
