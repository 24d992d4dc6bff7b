"""The Python files that two commits differ in, and the functions that changed."""

import ast
from collections.abc import Iterator
from pathlib import Path

from assay.commits import ChangedFile, ChangedFunction, ChangedLines
from assay.subject.diff import Diff, FileChange

MOST_LINES = 200  # at most this many lines of each hunk are kept
MOST_FILES = 500


def files(diff: Diff, head: Path) -> tuple[ChangedFile, ...]:
    """Return the Python files that have changed lines, at most `MOST_FILES`.

    Args:
        diff: What changed.
        head: The checkout of HEAD.
    """
    kept = [
        _file(change, head)
        for change in diff.files
        if change.path.endswith(".py") and change.hunks
    ]
    return tuple(kept[:MOST_FILES])


def _file(change: FileChange, head: Path) -> ChangedFile:
    changes = tuple(
        ChangedLines(
            base_start=hunk.base_start,
            base_length=hunk.base_length,
            head_start=hunk.head_start,
            head_length=hunk.head_length,
            lines=hunk.lines[:MOST_LINES],
        )
        for hunk in change.hunks
    )
    functions = tuple(
        ChangedFunction(name=name, first=first, last=last)
        for name, first, last in _functions(head / change.path)
        if any(hunk.touches(first, last, "head") for hunk in change.hunks)
    )
    return ChangedFile(
        path=_text(change.path),
        base_path=_text(change.path_on("base")),
        changes=changes,
        functions=functions,
    )


def _functions(file: Path) -> Iterator[tuple[str, int, int]]:
    """Yield name, first and last line of each function.

    Nothing is yielded if the file is missing or is not valid Python.
    """
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for item in ast.walk(tree):
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = [item.lineno, *(each.lineno for each in item.decorator_list)]
            yield item.name, min(lines), item.end_lineno or item.lineno


def _text(path: str) -> str:
    """Return a path with `?` for each character that UTF-8 cannot encode."""
    return path.encode("utf-8", "replace").decode("utf-8")
