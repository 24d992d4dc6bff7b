"""What all run directories share: how they are created, written and read."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Self

from assay.data import json_of
from assay.errors import MeasureError
from assay.plan import Data
from assay.system import redaction

ENVIRONMENT = "environment.json"
RESULTS = "results.json"
# The errors that reading a damaged file raises.
DAMAGES = (OSError, ValueError, LookupError, TypeError, AttributeError)


class NotARunError(ValueError):
    """The folder is not a run directory, or it cannot be read as one."""


class LaterVersionError(NotARunError):
    """A later version of Assay wrote the file, so this version must not replace it."""


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
    except DAMAGES as error:
        raise NotARunError(f"{path}: cannot be read: {error}") from error


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError within into an error that says which file cannot be written.

    Raises:
        MeasureError: The file cannot be written, for example because the disk is full.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise MeasureError(
            f"{path}: cannot be written: {reason}; make room there, or name a folder "
            "on another disk with --output. What was written before is kept."
        ) from error


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

        From now on, the values of secret variables of this process are hidden wherever
        they are written or shown.

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
        redaction.learn(os.environ)
        run = cls(path)
        run.write_text(cls.PLAN, json_of(plan, indent=1))
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
            return dict(json.loads(self.text(path)))

    def text(self, path: Path) -> str:
        """Return the text of a JSON file without secrets.

        An earlier version of Assay, or a process that knew other secrets, may have left
        secrets in the file. In one process, the same secrets are hidden in all files.
        """
        self.learn_names()
        return redaction.json_text(path.read_text(encoding="utf-8-sig"))

    def learn_names(self) -> None:
        """Remember the names in the plan, which are never hidden as secrets."""

    def write_text(self, name: str, text: str) -> Path:
        """Write one file without secrets, completely or not at all; return its path.

        Only JSON is searched for secrets: reports are made from files that have none.
        """
        if name.endswith(".json"):
            text = redaction.json_text(text)
        return self.write_bytes(name, text.encode("utf-8", "replace"))

    def write_bytes(self, name: str, content: bytes) -> Path:
        """Write one file completely or not at all, and return its path."""
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        part = path.with_name(path.name + ".part")
        try:
            part.write_bytes(content)
            os.replace(part, path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()  # makes room for other files
            raise
        return path

    def keep(self, name: str, text: str) -> None:
        """Write one file of measurements or results; see `write_text`.

        Raises:
            MeasureError: The file cannot be written.
        """
        with writing(self.path / name):
            self.write_text(name, text)

    def read[Model: Data](  # noqa: D102 (pydocstyle misreads generics)
        self, name: str, model: type[Model]
    ) -> Model:
        """Read one JSON file without secrets; see `text`.

        Raises:
            LaterVersionError: A later version of Assay wrote the file.
            NotARunError: The file is missing or damaged.
        """
        path = self.path / name
        with reading(path):
            fields = json.loads(self.text(path))
            _check_schema(path, fields, model)
            if "schema_" in model.model_fields:
                fields["schema_"] = fields.pop("schema")
            return model.model_validate_json(json.dumps(fields))

    def check_replaceable(self, name: str, model: type[Data]) -> None:
        """Check that a JSON file, if there is one, may be written anew.

        Raises:
            LaterVersionError: A later version of Assay wrote the file.
        """
        path = self.path / name
        try:
            fields = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError):
            return  # missing or damaged
        _check_schema(path, fields, model)


def without_secrets[Model: Data](data: Model) -> Model:  # noqa: D103
    """Return results as they are on disk: without secrets."""
    text = redaction.json_text(json_of(data))
    return type(data).model_validate_json(text)


def _check_schema(path: Path, fields: object, model: type[Data]) -> None:
    """Check that no later version of Assay wrote the fields of a file.

    Raises:
        LaterVersionError: A later version wrote them.
    """
    field = model.model_fields.get("schema_")
    known = field.default if field else 1  # plans have no schema so far
    found = fields.get("schema") if isinstance(fields, dict) else None
    if isinstance(found, int) and found > known:
        raise LaterVersionError(
            f"{path}: has schema {found}, from a later version of Assay; this one "
            f"reads schema {known}: update Assay. The file is left as it is"
        )


def to_json(results: Data) -> str:
    """Return results as the JSON text of their file, which is a public contract."""
    fields = json.loads(json_of(results))
    return json.dumps({"schema": fields.pop("schema_"), **fields}, indent=1)
