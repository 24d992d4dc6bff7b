"""The requests of a locustfile, before they become Python or are sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, quote_plus

SAFE_METHODS = ("GET", "HEAD")
CHANGING_METHODS = ("POST", "PUT", "PATCH", "DELETE")


type Place = Literal["", "path", "query", "number"]


@dataclass(frozen=True)
class Gap:
    """A place in a text whose content is known only when the request is sent.

    Attributes:
        name: An environment variable, or a name that an earlier answer gave a value.
        source: Which of the two it is.
        place: Where in a URL it stands, which decides how it is quoted; `number` where
            JSON has a number; empty elsewhere.
    """

    name: str
    source: Literal["environment", "answer"]
    place: Place = ""

    def filled(self, values: Mapping[str, str]) -> str:
        """Return the content, quoted for its place.

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
        """Return the text with its gaps filled."""
        return "".join(
            part if isinstance(part, str) else part.filled(values)
            for part in self.parts
        )


# JSON whose texts may be templates. A recursive type would not catch more mistakes.
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
        kind: How `content` is sent: as JSON, as the fields of a form, as fields and
            files of a multipart body, or as it is.
        content: JSON; a dictionary of fields; or a text or bytes.
    """

    kind: BodyKind
    content: Json


@dataclass(frozen=True)
class Read:
    """A value that later requests need.

    Attributes:
        name: The name that it is given.
        path: Its place in the JSON of the answer.
        cookie: The name of the cookie that has it, instead of a place.
    """

    name: str
    path: tuple[str | int, ...] = ()
    cookie: str = ""

    @property
    def source(self) -> str:
        """The part of an answer that it is read from, for a message."""
        return f"cookie {self.cookie}" if self.cookie else f"value {self.name}"


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        path: Path and query, quoted.
        name: The name of its row in the results.
        basic: The variables of user and password of HTTP Basic authentication.
        reads: What is read from the answer.
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
        title: What it does, in one line of somebody else's words.
        label: Method and path, as the document or the recording has them.
        request: None if no request can be made.
        off: Why it is switched off; empty if it is on.
        advice: What to do about that.
        status: What it answered when it was tried; empty if it was not.
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
        variable: Its name.
        meaning: What its value is, in words.
    """

    variable: str
    meaning: str


def text(*parts: str | Gap) -> Template:
    """Return a template."""
    return Template(tuple(part for part in parts if part != ""))


def filled(content: Json, values: Mapping[str, str]) -> Json:
    """Return JSON with the gaps of its texts filled."""
    if isinstance(content, Template):
        is_number = any(
            isinstance(part, Gap) and part.place == "number" for part in content.parts
        )
        return int(content.filled(values)) if is_number else content.filled(values)
    if isinstance(content, dict):
        return {key: filled(part, values) for key, part in content.items()}
    if isinstance(content, list):
        return [filled(part, values) for part in content]
    return content


def _gaps(content: Json) -> Iterator[Gap]:
    if isinstance(content, Template):
        yield from (part for part in content.parts if isinstance(part, Gap))
    elif isinstance(content, dict):
        for part in content.values():
            yield from _gaps(part)
    elif isinstance(content, list):
        for part in content:
            yield from _gaps(part)
