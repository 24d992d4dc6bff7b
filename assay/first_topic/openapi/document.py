"""Parse an OpenAPI document, and follow its references."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from assay.errors import InputError
from assay.wording import one_line

MAX_REFERENCES = 50  # references that lead to references


@dataclass(frozen=True)
class Document:
    """An OpenAPI document.

    Attributes:
        content: The JSON of the document.
        source: The name of its file, or its path in the service.
    """

    content: Mapping[str, Any]
    source: str

    @property
    def title(self) -> str:
        """The title of the document, in one line; empty if it has none."""
        title = mapping(self.content.get("info")).get("title")
        return one_line(title)[:80] if isinstance(title, str) else ""

    @property
    def is_swagger(self) -> bool:
        """Whether it is a Swagger 2.0 document, which has another structure."""
        return "swagger" in self.content

    @property
    def prefix(self) -> str:
        """The prefix of all paths: the path of the first server, or `basePath`.

        The prefix is empty if the document has neither.
        """
        if self.is_swagger:
            return _path_of(self.content.get("basePath"))
        servers = self.content.get("servers")
        first = mapping(servers[0]) if isinstance(servers, list) and servers else {}
        url = first.get("url")
        if not isinstance(url, str):
            return ""
        for name, variable in mapping(first.get("variables")).items():
            url = url.replace(f"{{{name}}}", str(mapping(variable).get("default", "")))
        return _path_of(url)

    def resolved(self, node: object) -> Mapping[str, Any]:
        """Return a node of the document; if it is a reference, return its target.

        The keys beside a reference are added to its target, as in OpenAPI 3.1.

        Returns:
            The node; empty if it is not an object.

        Raises:
            LookupError: A reference leads nowhere, out of the document or in a circle.
        """
        target = mapping(node)
        for _ in range(MAX_REFERENCES):
            reference = target.get("$ref")
            if not isinstance(reference, str):
                return target
            beside = {key: part for key, part in target.items() if key != "$ref"}
            target = {**mapping(self._at(reference)), **beside}
        raise LookupError("references go round in a circle")

    def _at(self, reference: str) -> object:
        shown = one_line(reference)[:80]
        if not reference.startswith("#"):
            raise LookupError(f"{shown} is in another file")
        node: object = self.content
        for step in unquote(reference[1:]).split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
                node = node[int(key)]
            elif isinstance(node, Mapping) and key in node:
                node = node[key]
            else:
                raise LookupError(f"{shown} does not exist")
        return node


def parse(content: str | bytes, source: str) -> Document:
    """Return the document in a text.

    Raises:
        InputError: The text is no OpenAPI document in JSON.
    """
    try:
        document = read_json(content)
    except ValueError as error:
        raise InputError(
            f"{source}: expected an OpenAPI document in JSON: {error}{_yaml(content)}"
        ) from error
    whole = mapping(document)
    version = str(whole.get("openapi") or whole.get("swagger") or "")
    if not version.startswith(("3.", "2.")):
        raise InputError(
            f"{source}: expected an OpenAPI document: an object with `openapi`: 3.0 or "
            f"3.1, or with `swagger`: 2.0, got {one_line(version)[:20] or 'neither'}"
        )
    if not isinstance(whole.get("paths"), dict):
        raise InputError(f"{source}: paths: expected an object of paths")
    return Document(whole, source)


def read_json(content: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: The text is not valid JSON or UTF-8, is nested too deeply, or has a
            number that is not finite. The message says which.
    """
    try:
        return json.loads(
            content.decode("utf-8-sig") if isinstance(content, bytes) else content,
            parse_float=_finite,
            parse_constant=_no_number,
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise ValueError(
            f"line {error.lineno}, column {error.colno}: "
            f"{error.msg[:1].lower()}{error.msg[1:]}"
        ) from error


def mapping(node: object) -> Mapping[str, Any]:
    """Return the node if it is a JSON object, otherwise an empty one."""
    return node if isinstance(node, dict) else {}


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"the number {number[:20]} is too large")
    return value


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _path_of(url: object) -> str:
    """Return the path of a URL, quoted, without a slash at its end."""
    if not isinstance(url, str):
        return ""
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return quote(path.rstrip("/"), safe="/%~") if path.startswith("/") else ""


def _yaml(content: str | bytes) -> str:
    """Return advice if a document seems to be YAML, otherwise an empty text."""
    start = content[:2000]
    beginning = start if isinstance(start, str) else start.decode("utf-8", "replace")
    lines = [line.strip() for line in beginning.splitlines()]
    if any(line.startswith(("openapi:", "swagger:")) for line in lines):
        return (
            "\n  it looks like YAML; convert it with: python -c 'import json, sys, "
            "yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout, default=str)' "
            "< openapi.yaml > openapi.json"
        )
    return ""
