"""Find ids that exist in what the service answers, for paths such as `/items/{id}`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from assay.first_topic.request import Request, Template

IDS = ("id", "_id", "uuid", "pk", "slug", "key", "code", "name")
MAX_ID = 200  # characters
MAX_DEPTH = 5  # of lists and objects within each other
_PARAMETER = re.compile(r"\{([^{}/]*)\}")


def with_ids(request: Request, answers: Mapping[str, Any]) -> Request | None:
    """Return a request with ids that exist in its path; None if none are known.

    An id is the value of a field that has the parameter's name, in any answer. Or it is
    the id of the first item in the list above: `/items` for `/items/{item_id}`.

    Args:
        request: A request whose path has made-up values.
        answers: The JSON of earlier answers, by the name of their request.
    """
    path, *query = request.path.parts or ("",)
    pieces = _PARAMETER.split(request.name)
    texts, names = pieces[::2], pieces[1::2]
    pattern = "([^/]+)".join(re.escape(_quoted(text)) for text in texts)
    match = re.fullmatch(pattern, path) if isinstance(path, str) else None
    if not names or match is None:
        return None
    values = []
    for number, name in enumerate(names):
        above = request.name.split("{" + name + "}")[0].rstrip("/")
        value = next(_values(name, above, answers), None)
        values.append(match[number + 1] if value is None else quote(value, safe=""))
    if values == list(match.groups()):
        return None
    new = "".join(
        text + value
        for text, value in zip(map(_quoted, texts), [*values, ""], strict=True)
    )
    return replace(request, path=Template((new, *query)))


def _values(name: str, above: str, answers: Mapping[str, Any]) -> Iterator[str]:
    """Yield values for a parameter, the most likely first."""
    lists = [content for path, content in answers.items() if path.rstrip("/") == above]
    for content in lists:
        for item in _items(content):
            # A list of ids, or of objects.
            fields = item if isinstance(item, dict) else {name: item}
            for key in (name, *IDS):
                yield from _as_id(fields.get(key))
    for content in answers.values():
        for item in _objects(content):
            yield from _as_id(item.get(name))


def _items(content: Any) -> Iterator[Any]:
    """Yield the items of the outermost list; of an object, those of its lists."""
    if isinstance(content, list):
        yield from content[:1]
    elif isinstance(content, dict):
        for value in content.values():
            yield from value[:1] if isinstance(value, list) else ()


def _objects(content: Any, depth: int = MAX_DEPTH) -> Iterator[dict[str, Any]]:
    """Yield an object and those within it; of a list, the first item's."""
    if isinstance(content, dict):
        yield content
    if depth:
        within = content.values() if isinstance(content, dict) else _items(content)
        for value in within:
            yield from _objects(value, depth - 1)


def _as_id(value: Any) -> Iterator[str]:
    is_id = isinstance(value, str | int) and not isinstance(value, bool)
    if is_id and 0 < len(str(value)) <= MAX_ID:
        yield str(value)


def _quoted(text: str) -> str:
    return quote(text, safe="/:@!$&'()*+,;=~%", errors="replace")
