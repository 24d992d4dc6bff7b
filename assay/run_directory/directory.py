"""What all run directories share: how they are created, written and read."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Self

from assay.plan import Data

ENVIRONMENT = "environment.json"
RESULTS = "results.json"


class NotARunError(ValueError):
    """The folder is not a run directory, or it cannot be read as one."""


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an error within into a `NotARunError` that names the file.

    Raises:
        NotARunError: The file is missing or damaged.
    """
    try:
        yield
    except NotARunError:
        raise
    except RecursionError as error:
        raise NotARunError(f"{path}: cannot be read: nested too deeply") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise NotARunError(f"{path}: cannot be read: {error}") from error


class Directory:
    """One directory with everything of one run or load test.

    Attributes:
        PLAN: The name of the file with the plan. It marks a directory of this kind.
        FOLDERS: The folders that `create` makes in the directory.
        path: The path of the directory.
    """

    PLAN: ClassVar[str]
    FOLDERS: ClassVar[tuple[str, ...]]

    def __init__(self, path: Path) -> None:
        """Point at a directory; nothing is read or written yet."""
        self.path = path

    @property
    def name(self) -> str:
        """The run's name, which is the directory's name."""
        return self.path.resolve().name

    @classmethod
    def create(cls, path: Path, plan: Data, environment: Mapping[str, object]) -> Self:
        """Create the directory, and write the plan and the environment.

        Raises:
            NotARunError: The directory exists and is not empty.
            OSError: The directory or a file cannot be written.
        """
        if path.exists() and any(path.iterdir()):
            raise NotARunError(
                f"{path}: already exists and is not empty; name another --output"
            )
        for folder in cls.FOLDERS:
            (path / folder).mkdir(parents=True, exist_ok=True)
        run = cls(path)
        run.write_text(cls.PLAN, plan.model_dump_json(indent=1))
        run.write_text(ENVIRONMENT, json.dumps(environment, indent=1))
        return run

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether a directory is one of this kind."""
        return (path / cls.PLAN).is_file()

    def environment(self) -> dict[str, object]:
        """Read environment.json; empty if it is missing.

        Raises:
            NotARunError: The file is damaged.
        """
        path = self.path / ENVIRONMENT
        if not path.is_file():
            return {}
        with reading(path):
            return dict(json.loads(path.read_text(encoding="utf-8")))

    def write_text(self, name: str, text: str) -> Path:
        """Write one file completely or not at all, and return its path."""
        return self.write_bytes(name, text.encode("utf-8"))

    def write_bytes(self, name: str, content: bytes) -> Path:
        """Write one file completely or not at all, and return its path."""
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_bytes(content)
        os.replace(part, path)
        return path

    def read[Model: Data](  # noqa: D102 (pydocstyle misreads generics)
        self, name: str, model: type[Model]
    ) -> Model:
        """Read one JSON file.

        Raises:
            NotARunError: The file is missing or damaged.
        """
        path = self.path / name
        with reading(path):
            fields = json.loads(path.read_text(encoding="utf-8"))
            if "schema_" in model.model_fields:
                fields["schema_"] = fields.pop("schema")
            return model.model_validate_json(json.dumps(fields))


def to_json(results: Data) -> str:
    """Return results as the JSON text of their file, which is a public contract."""
    fields = json.loads(results.model_dump_json())
    return json.dumps({"schema": fields.pop("schema_"), **fields}, indent=1)
