"""The folder of a search: `bisect.json`, and the run directories of the search."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from assay.bisection_results import BISECTION_SCHEMA, Bisection, Request
from assay.errors import InputError
from assay.run_directory.directory import to_json, without_secrets
from assay.system import redaction
from assay.wording import one_line

FILE = "bisect.json"


class Record:
    """A search on disk. It is written after each step, so that the search can go on.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        """Point at a folder; nothing is read or written yet."""
        self.path = path

    @property
    def file(self) -> Path:
        """The file with everything that is known."""
        return self.path / FILE

    def earlier(self, request: Request) -> Bisection | None:
        """Return the search in the folder; None if the folder is empty or missing.

        Args:
            request: What the user asks now.

        Raises:
            InputError: The search cannot be read, or it was begun with a different
                question. Or the folder has other files, but no search.
        """
        if not self.file.exists():
            if self.path.exists() and any(self.path.iterdir()):
                raise InputError(
                    f"--output {self.path}: the folder is not empty, and has no "
                    f"{FILE} to go on with; name another one"
                )
            return None
        search = _read(self.file)
        differing = list(_differing(search.request, request))
        if differing:
            raise InputError(
                f"--output {self.path}: this search was begun with another question "
                f"({'; '.join(differing)}); ask the same, or name another folder"
            )
        return search

    def create(self) -> None:
        """Create the folder.

        Raises:
            InputError: The folder cannot be created or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # This keeps the search out of snapshots of the working tree.
            (self.path / ".gitignore").write_text("*\n", encoding="ascii")
        except OSError as error:
            raise InputError(
                f"--output {self.path}: cannot be written: {error.strerror}; name a "
                "folder that you may write to"
            ) from error

    def write(self, search: Bisection) -> None:
        """Write all that is known, completely or not at all."""
        part = self.file.with_suffix(".part")
        part.write_text(redaction.json_text(to_json(search)), encoding="utf-8")
        os.replace(part, self.file)


def _read(file: Path) -> Bisection:
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        if fields["schema"] != BISECTION_SCHEMA:
            raise InputError(
                f"{file}: schema {one_line(str(fields['schema']))}: expected "
                f"{BISECTION_SCHEMA}; another version of Assay wrote it. Name another "
                "--output"
            )
        fields["schema_"] = fields.pop("schema")
        return Bisection.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{file}: {one_line(place)}: {first['msg']}; the file is damaged: name "
            "another --output"
        ) from error
    except RecursionError as error:
        raise InputError(
            f"{file}: cannot be read: nested too deeply; name another --output"
        ) from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{file}: cannot be read: {one_line(str(error))}; name another --output"
        ) from error


def _differing(then: Request, now: Request) -> Iterator[str]:
    """Yield each part of the question that differs; secrets are not compared."""
    then, now = without_secrets(then), without_secrets(now)
    for name in Request.model_fields:
        before, after = getattr(then, name), getattr(now, name)
        if before != after:
            yield f"{name}: {_text(before)} then, {_text(after)} now"


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return one_line(str(value)) or "none"
