"""What a recording's values come from: an earlier answer, or a secret of the user's."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from assay.first_topic.har.recording import Entry
from assay.first_topic.names import RESERVED, identifier, unique, variable
from assay.first_topic.request import Credential, Gap, Json, Place, Read, Template, text
from assay.system.redaction import SECRET, url
from assay.wording import one_line

# The name of something that the server has made up.
MADE_UP = re.compile(
    r"(^|_|-)(id|uuid|guid|code|nonce|csrf|xsrf|session|cursor|etag|slug)$|[a-z]I[dD]$"
    rf"|{SECRET.pattern}",
    re.IGNORECASE,
)
OPAQUE = re.compile(r"[\w.~+/=-]{16,}", re.ASCII)  # a value that nobody chooses
JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
MIN_SECRET = 6  # characters of a secret that is looked for inside other texts
MAX_DEPTH = 30  # levels of an answer that are searched

type Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class Origin:
    """Where a value was first seen: a request by its number, and a place there.

    Attributes:
        key: The name that it had there.
        of: The last word of the request's path.
    """

    entry: int
    path: Steps
    cookie: str
    key: str
    of: str


@dataclass
class Values:
    """The values of a recording, as far as it has been read.

    Attributes:
        reads: What must be read from the answer of each request, by its number.
        credentials: The environment variables that hold secrets.
        secrets: Secret to its variable.
    """

    reads: dict[int, list[Read]] = field(default_factory=dict)
    credentials: dict[str, Credential] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    _origins: dict[str, Origin] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _sent: set[str] = field(default_factory=set)

    def learn(self, number: int, entry: Entry) -> None:
        """Remember what an answer has that later requests may send."""
        of = next(iter(re.findall(r"[^\W\d]+", entry.url.path)[-1:]), "value")
        for path, value in _leaves(entry.answer, (), 0):
            key = next((str(s) for s in reversed(path) if isinstance(s, str)), "")
            shown = str(value)
            made_up = MADE_UP.search(key) or (
                isinstance(value, str) and OPAQUE.fullmatch(value)
            )
            # What the user sent before was not made up by the server.
            if made_up and shown and shown not in self._sent:
                self._origins.setdefault(shown, Origin(number, path, "", key, of))
        for name, value in entry.set_cookies.items():
            if len(value) >= MIN_SECRET:
                self._origins.setdefault(value, Origin(number, (), name, name, of))

    def learn_cookies(self, header: str) -> None:
        """Remember cookies that are sent: what nobody chooses is a secret."""
        for pair in header.split(";"):
            name, _, value = pair.strip().partition("=")
            if OPAQUE.fullmatch(value) and value not in self._origins:
                self.secrets.setdefault(value, variable(name, "COOKIE"))

    def of(self, name: str, value: str, place: Place = "") -> Template:
        """Return a value of a request, with gaps for what must not be written.

        Args:
            name: The name that the value was sent under.
            value: The value.
            place: Where in a URL it stands: ``path``, ``query``, or empty.
        """
        if read_name := self._earlier(value):
            return text(Gap(read_name, "answer", place))
        scheme, space, rest = value.partition(" ")
        if space and scheme.isalpha() and (read_name := self._earlier(rest)):
            return text(f"{scheme} ", Gap(read_name, "answer", place))
        if value and (SECRET.search(name) or self._is_secret(value)):
            if space and scheme.lower() in ("bearer", "token") and not place:
                gap = Gap(self._secret("API_TOKEN", rest, name), "environment")
                return text(f"{scheme} ", gap)
            secret = self._secret(variable(name, "SECRET"), value, name)
            return text(Gap(secret, "environment", place))
        self._sent.add(value)
        return text(value)

    def in_json(self, content: Json, name: str = "", secret: bool = False) -> Json:
        """Return JSON with gaps in it; what lies below a secret's name is secret."""
        if isinstance(content, dict):
            return {
                key: self.in_json(part, key, secret or bool(SECRET.search(key)))
                for key, part in content.items()
            }
        if isinstance(content, list):
            return [self.in_json(part, name, secret) for part in content]
        if isinstance(content, str):
            shown = name if not secret or SECRET.search(name) else f"{name}_secret"
            made = self.of(shown, content)
            return made if any(isinstance(p, Gap) for p in made.parts) else content
        if isinstance(content, int) and not isinstance(content, bool):
            if MADE_UP.search(name) and (read_name := self._earlier(str(content))):
                return text(Gap(read_name, "answer", "number"))
            self._sent.add(str(content))
        return content

    def has_secret(self, content: str) -> bool:
        """Say whether a text may hold a secret: by its words, or one that is known."""
        return bool(SECRET.search(content)) or self._is_secret(content)

    def _is_secret(self, value: str) -> bool:
        """Say whether a value is a secret whatever its name, or has one in it."""
        return (
            value in self.secrets
            or bool(JWT.search(value))
            or url(value) != value
            or any(len(one) >= MIN_SECRET and one in value for one in self.secrets)
        )

    def _earlier(self, value: str) -> str:
        """Return the name of a value that an earlier answer had; empty if none had."""
        origin = self._origins.get(value)
        if origin is None:
            return ""
        if value not in self._names:
            words = origin.key
            if words.lower() == "id":  # of what, its path says
                words = f"{origin.of}_id"
            name = unique(
                identifier(words, "value"), {*self._names.values(), *RESERVED}
            )
            self._names[value] = name
            read = Read(name, origin.path, origin.cookie)
            self.reads.setdefault(origin.entry, []).append(read)
        return self._names[value]

    def _secret(self, wanted: str, value: str, name: str) -> str:
        """Return the variable of a secret; the same value has one variable only."""
        chosen = self.secrets.get(value) or unique(wanted, self.credentials)
        self.secrets[value] = chosen
        # What follows the scheme of a header is the secret itself.
        self.secrets.setdefault(value.rpartition(" ")[2], chosen)
        if chosen not in self.credentials:
            meaning = f"recorded as {one_line(name)[:60]!r}"
            self.credentials[chosen] = Credential(chosen, meaning)
        return chosen


def _leaves(content: Json, path: Steps, depth: int) -> Iterator[tuple[Steps, Json]]:
    """Yield the texts and whole numbers of JSON, each with its place."""
    if depth > MAX_DEPTH:
        return
    if isinstance(content, dict):
        for key, part in content.items():
            yield from _leaves(part, (*path, key), depth + 1)
    elif isinstance(content, list):
        for index, part in enumerate(content):
            yield from _leaves(part, (*path, index), depth + 1)
    elif isinstance(content, str) or type(content) is int:
        yield path, content
