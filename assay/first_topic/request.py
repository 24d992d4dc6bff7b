"""The requests of a locustfile, as data that can be written as Python or sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, quote_plus

SAFE_METHODS = ("GET", "HEAD")


type Place = Literal["", "path", "query", "number", "decimal"]


@dataclass(frozen=True)
class Gap:
    """A place in a text that is filled when the request is sent.

    Attributes:
        name: The environment variable that holds the value, or the name of a value that
            was read from an earlier answer.
        source: Where the value comes from.
        place: ``path`` or ``query`` if the value must be quoted for this part of a URL;
            ``number`` for a whole number in JSON; ``decimal`` for any other number in
            JSON; otherwise empty.
    """

    name: str
    source: Literal["environment", "answer"]
    place: Place = ""

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the value, quoted for its place.

        Raises:
            KeyError: There is no value of that name.
        """
        value = values[self.name]
        if self.place == "path":
            return quote(value)
        return quote_plus(value) if self.place == "query" else value


@dataclass(frozen=True)
class Template:
    """A text with gaps."""

    parts: tuple[str | Gap, ...]

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the text with its gaps filled.

        Raises:
            KeyError: The value of a gap is missing.
        """
        return "".join(
            part if isinstance(part, str) else part.filled(values)
            for part in self.parts
        )


# JSON in which a text may be a template, and a field of a form may be a file. A
# recursive type would not catch more mistakes.
type Json = Any
type BodyKind = Literal["json", "form", "multipart", "raw"]


@dataclass(frozen=True)
class File:
    """A file that is uploaded as a part of a multipart body."""

    name: str
    content: bytes
    media_type: str


@dataclass(frozen=True)
class Body:
    """The body of a request.

    Attributes:
        kind: How `content` is sent: as JSON, as the fields of a form, as the fields and
            files of a multipart body, or without a change.
        content: JSON, a dictionary of fields by name, or a text or template.
    """

    kind: BodyKind
    content: Json


@dataclass(frozen=True)
class Read:
    """A value that is read from an answer, because later requests need it.

    Attributes:
        name: The name under which it is kept.
        path: The keys and indexes that lead to it in the JSON of the answer.
        cookie: The name of the cookie that holds it; empty if the JSON holds it.
    """

    name: str
    path: tuple[str | int, ...] = ()
    cookie: str = ""

    @property
    def source(self) -> str:
        """A description of the part of the answer that is read, for a message."""
        return f"cookie {self.cookie}" if self.cookie else f"value {self.name}"


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        path: Path and query, quoted.
        name: The name of its row in the results.
        body: The body; None for none.
        basic: The gaps for the user and the password of HTTP Basic authentication; None
            without it.
        reads: The values that are read from the answer.
    """

    method: str
    path: Template
    name: str
    headers: Mapping[str, Template] = field(default_factory=dict)
    body: Body | None = None
    basic: tuple[Gap, Gap] | None = None
    reads: tuple[Read, ...] = ()

    def gaps(self) -> set[Gap]:
        """Return the gaps of all its parts."""
        gaps = {part for part in self.path.parts if isinstance(part, Gap)}
        gaps.update(_gaps(list(self.headers.values())))
        if self.body:
            gaps.update(_gaps(self.body.content))
        return gaps | set(self.basic or ())

    @property
    def changes_data(self) -> bool:
        """Whether its method may change data."""
        return self.method not in SAFE_METHODS


@dataclass(frozen=True)
class Task:
    """One task of a locustfile.

    Attributes:
        identifier: The name of its function.
        title: The summary in the document, in one line; empty if there is none.
        label: Method and path, as the document or the recording has them.
        request: The request; None if none can be made.
        off: Why the task is switched off; empty if it is on.
        advice: What the user can do about that reason.
        status: The status of the answer when the request was tried, or words such as
            ``not sent``. If the second try failed, its status follows after a comma.
            Empty if the request was not tried.
    """

    identifier: str
    title: str
    label: str
    request: Request | None
    off: str = ""
    advice: str = ""
    status: str = ""


@dataclass(frozen=True)
class Credential:
    """An environment variable that holds a secret.

    Attributes:
        variable: The name of the variable.
        meaning: A description of the secret.
    """

    variable: str
    meaning: str


def text(*parts: str | Gap) -> Template:
    """Return a template of these parts, without the empty ones."""
    return Template(tuple(part for part in parts if part != ""))


def filled(content: Json, values: Mapping[str, str]) -> Json:
    """Return JSON with the gaps of its texts filled.

    Raises:
        KeyError: The value of a gap is missing.
        ValueError: The value for a number is not a number.
    """
    if isinstance(content, Template):
        value = content.filled(values)
        for gap in _gaps(content):
            if gap.place in ("number", "decimal"):
                return _number(gap, value)
        return value
    if isinstance(content, dict):
        return {key: filled(part, values) for key, part in content.items()}
    if isinstance(content, list):
        return [filled(part, values) for part in content]
    return content


def _number(gap: Gap, value: str) -> int | float:
    """Return the value of a gap as a number.

    Raises:
        ValueError: The value is not a number. The message leaves the value out, because
            it may be a secret.
    """
    try:
        return int(value) if gap.place == "number" else float(value)
    except ValueError:
        kind = "whole number" if gap.place == "number" else "number"
        raise ValueError(f"{gap.name}: expected a {kind}") from None


def _gaps(content: Json) -> Iterator[Gap]:
    if isinstance(content, Template):
        yield from (part for part in content.parts if isinstance(part, Gap))
    elif isinstance(content, dict):
        for part in content.values():
            yield from _gaps(part)
    elif isinstance(content, list):
        for part in content:
            yield from _gaps(part)
