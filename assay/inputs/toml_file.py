"""Reads TOML files, and reports mistakes with their line and the nearest valid name."""

import copy
import re
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

type Keys = tuple[str | int, ...]


class Problems:
    """The problems of one TOML file, each with its line.

    Attributes:
        file: The file.
        messages: The problems so far.
        content: The parsed content of the file; None if it cannot be read or parsed.
    """

    def __init__(self, file: Path) -> None:
        """Read and parse the file; if that fails, the failure is the first problem."""
        self.file = file
        self.messages: list[str] = []
        self.content: dict[str, Any] | None = None
        self._lines: dict[Keys, int] = {}
        self._invalid: set[Keys] = set()
        try:
            text = file.read_text(encoding="utf-8-sig")
            self._lines = key_lines(text)
            self.content = tomllib.loads(text)
        except (OSError, UnicodeDecodeError) as error:
            self.messages.append(f"{file}: cannot be read: {error}")
        except tomllib.TOMLDecodeError as error:
            self.messages.append(f"{file}: not valid TOML: {error}")
        except RecursionError:
            self.messages.append(f"{file}: cannot be read: nested too deeply")

    def add(self, path: Keys, text: str) -> None:
        """Add a problem at a key, unless the key is already reported as invalid."""
        if path in self._invalid:
            return
        line = self.line_of(path)
        self.messages.append(f"{self.file}:{line}: {_dotted(path)}: {text}")

    def line_of(self, path: Keys) -> int:
        """Return the line of a key, or of the innermost table around it, or else 1."""
        return next(
            (
                self._lines[path[:length]]
                for length in range(len(path), 0, -1)
                if path[:length] in self._lines
            ),
            1,
        )

    def validate[Model: BaseModel](  # noqa: D102 (pydocstyle misreads generics)
        self, model: type[Model], at: Keys = ()
    ) -> Model | None:
        """Validate a table, and add all of its problems.

        Args:
            model: The model of the table.
            at: The keys that lead to the table; empty for the whole file.

        Returns:
            The table as a model. Invalid keys are left out, and missing keys are set to
            empty text, so that the caller can look for further problems. None if the
            table is still invalid then, or if the file could not be read.
        """
        if self.content is None:
            return None
        table: Any = self.content
        for key in at:
            table = table.get(key, {})
        try:
            return model.model_validate(table)
        except ValidationError as error:
            return self._repaired(table, model, at, error)

    def _repaired[Model: BaseModel](
        self, table: Any, model: type[Model], at: Keys, error: ValidationError
    ) -> Model | None:
        """Add the problems of a table, and return it without its invalid keys."""
        try:
            for problem in error.errors():
                path = at + tuple(problem["loc"])
                self.add(path, in_words(problem, model, problem["loc"]))
                self._invalid.add(path)
            return _without_invalid_keys(table, model, error)
        except RecursionError:
            self.messages.append(f"{self.file}: cannot be read: nested too deeply")
            return None


def _without_invalid_keys[Model: BaseModel](
    table: Any, model: type[Model], error: ValidationError
) -> Model | None:
    """Return a table without its invalid keys as a model; None if it is still invalid.

    Missing keys become empty text.
    """
    repaired = copy.deepcopy(table)
    for problem in error.errors():
        if not problem["loc"]:
            return None  # the value is not a table
        *path, key = problem["loc"]
        parent: Any = repaired
        try:
            for step in path:
                parent = parent[step]
            if problem["type"] == "missing":
                parent[key] = ""
            else:
                del parent[key]
        except (LookupError, TypeError):
            return None
    try:
        return model.model_validate(repaired)
    except ValidationError:
        return None


def key_lines(text: str) -> dict[Keys, int]:
    """Return the line, from 1, of each table and key of a TOML text.

    `tomllib` keeps no positions. This function follows table headers and the first key
    of each line, which is precise enough for an error message.
    """
    lines: dict[Keys, int] = {}
    table: Keys = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*(\[\[?)\s*([^\]\[]+?)\s*\]\]?\s*(#.*)?$", line)
        key = re.match(r"""\s*([\w.\-]+|"[^"]*"|'[^']*')\s*=""", line)
        if header:
            table = _keys(header[2])
            if header[1] == "[[":
                counts[header[2]] = counts.get(header[2], -1) + 1
                table = (*table, counts[header[2]])
            lines.setdefault(table, number)
        elif key:
            lines.setdefault(table + _keys(key[1]), number)
    return lines


def _keys(dotted: str) -> Keys:
    parts = re.findall(r"""[^.\s"']+|"[^"]*"|'[^']*'""", dotted)
    return tuple(part.strip("\"'") for part in parts)


def in_words(problem: Any, model: type[BaseModel], loc: Keys) -> str:
    """Return the text of a problem for one of pydantic's errors."""
    if problem["type"] == "extra_forbidden":
        valid = _valid_keys(model, loc[:-1])
        return f"unknown key{nearest(str(loc[-1]), valid)}"
    if problem["type"] == "missing":
        return "this key is missing"
    return f"{problem['msg'][:1].lower()}{problem['msg'][1:]}, got {problem['input']!r}"


def _valid_keys(model: type[BaseModel], loc: Keys) -> list[str]:
    """Return the valid keys of the table at `loc` below a model."""
    for key in loc:
        field = model.model_fields.get(str(key))
        if field is None:
            continue  # a position in a list, or a name in a dictionary
        model = _table_in(field.annotation) or model
    return [field.alias or name for name, field in model.model_fields.items()]


def written_keys(table: BaseModel) -> set[str]:
    """Return the keys of a table that are written in its file."""
    fields = type(table).model_fields
    return {fields[name].alias or name for name in table.model_fields_set}


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model of a table in a field's type, also in a list, dict or union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    tables = (_table_in(argument) for argument in get_args(annotation))
    return next((table for table in tables if table), None)


def _dotted(path: Keys) -> str:
    text = ""
    for key in path:
        text += f"[{key + 1}]" if isinstance(key, int) else f".{key}"
    return text.lstrip(".")


def nearest(name: str, valid: Sequence[str]) -> str:
    """Return a hint: the similar valid name, or else all valid names."""
    close = get_close_matches(name, valid, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; expected one of {', '.join(valid)}" if valid else ""
