"""Find ids that exist in what the service answers, for paths such as `/items/{id}`."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from assay.first_topic.openapi.document import read_json
from assay.first_topic.request import Request, Template
from assay.system import redaction
from assay.system.secrets_in_text import names_secret

ID_FIELDS = ("id", "_id", "uuid", "pk", "slug", "name")
MAX_ID = 200  # characters
MAX_BYTES = 1_000_000  # of an answer that is searched
MAX_OBJECTS = 2000  # of an answer that are searched
_SEGMENT = re.compile(r"([^{}]*)\{([^{}]*)\}([^{}]*)")


class Ids:
    """Ids in the answers so far."""

    def __init__(self) -> None:
        """Know none yet."""
        self._fields: dict[str, str] = {}
        self._first_items: dict[str, list[Any]] = {}

    def learn(self, request: Request, body: bytes) -> None:
        """Remember the ids in the answer to a GET request, if it is JSON."""
        if request.method != "GET" or len(body) > MAX_BYTES:
            return
        try:
            content = read_json(body)
        except ValueError:
            return
        self._first_items[request.name.rstrip("/")] = list(_first_items(content))
        for fields in _objects(content):
            for name, value in fields.items():
                if name not in self._fields and (known := _as_id(name, value)):
                    self._fields[name] = known

    def put_into(self, request: Request) -> Request | None:
        """Return a request with ids that exist in its path; None if none are known.

        Args:
            request: A request whose path has made-up values.
        """
        path, *query = request.path.parts or ("",)
        segments = request.name.split("/")
        values = path.split("/") if isinstance(path, str) else []
        if len(values) != len(segments):
            return None
        for index, segment in enumerate(segments):
            match = _SEGMENT.fullmatch(segment)
            value = self._value(match[2], "/".join(segments[:index])) if match else ""
            if match and value:
                values[index] = (
                    f"{_quoted(match[1])}{_quoted(value)}{_quoted(match[3])}"
                )
        new = "/".join(values)
        return None if new == path else replace(request, path=Template((new, *query)))

    def _value(self, name: str, above: str) -> str:
        """Return the most likely value of a parameter; empty if none is known.

        Args:
            name: The name of the parameter.
            above: The path before the parameter: `/items` of `/items/{item_id}`.
        """
        items = self._first_items.get(above, [])
        objects = [item for item in items if isinstance(item, dict)]
        candidates = [
            *(_as_id(name, item.get(name)) for item in objects),
            self._fields.get(name, ""),
            *(_as_id(key, item.get(key)) for item in objects for key in ID_FIELDS),
            *(_as_id(name, item) for item in items),  # a list of ids
        ]
        return next(filter(None, candidates), "")


def _first_items(content: Any) -> Iterator[Any]:
    """Yield the first item of a list; of an object, that of each of its lists."""
    if isinstance(content, list):
        yield from content[:1]
    elif isinstance(content, dict):
        for value in content.values():
            yield from value[:1] if isinstance(value, list) else ()


def _objects(content: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects in JSON, the outermost first; of lists, only the first item."""
    queue = [content]
    for part in queue:
        within = part.values() if isinstance(part, dict) else _first_items(part)
        queue += [x for x in within if isinstance(x, dict | list)][:MAX_OBJECTS]
        if isinstance(part, dict):
            yield part
        if len(queue) > MAX_OBJECTS:
            return


def _as_id(name: str, value: Any) -> str:
    """Return a value as an id; empty if it is none.

    A secret is none: the locustfile, which is to be committed, would show it.
    """
    is_value = isinstance(value, str | int) and not isinstance(value, bool)
    if not is_value or names_secret(name):
        return ""
    text = str(value)
    if len(text) > MAX_ID or text in (".", "..") or redaction.text(text) != text:
        return ""
    return text if text.isprintable() else ""  # half a character cannot be sent


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")
