"""Make the request bodies that operations expect."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from assay.first_topic.openapi.document import Document, mapping
from assay.first_topic.openapi.values import Maker, NoValueError, example_of
from assay.first_topic.request import Body, File, Json
from assay.wording import one_line

JSON, FORM, MULTIPART = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
)
FILE = File("example.txt", b"example", "text/plain")


class Bodies:
    """Makes the bodies of one document."""

    def __init__(self, document: Document, maker: Maker) -> None:
        """Keep the document and the maker of its values."""
        self._document = document
        self._maker = maker

    def of(
        self,
        operation: Mapping[str, Any],
        in_body: Sequence[Mapping[str, Any]],
        fields: Mapping[str, Mapping[str, Any]],
    ) -> tuple[Body | None, str]:
        """Return the body of an operation.

        Args:
            operation: The operation.
            in_body: In Swagger 2, the parameters that describe the body.
            fields: In Swagger 2, the parameters that are fields of a form, by name.

        Returns:
            The body and its media type. The body is None if the operation describes
            none. The media type is empty if the client sets it.

        Raises:
            NoValueError: The operation describes a body, but none can be made.
        """
        if in_body or fields:
            return self._of_swagger(operation, in_body, fields)
        try:
            request_body = self._document.resolved(operation.get("requestBody"))
        except LookupError as error:
            raise NoValueError(f"the reference {error.args[0]}") from error
        content = mapping(request_body.get("content"))
        if not content:
            return None, ""
        media_type = _preferred(list(content))
        media = mapping(content[media_type])
        kind = media_type.partition(";")[0].strip().lower()
        for example in example_of(media, self._document):
            return _body(kind, media_type, example, {})
        schema = media.get("schema", {})
        parts = self._files(schema) if kind == MULTIPART else {}
        return _body(kind, media_type, self._maker.value(schema), parts)

    def _of_swagger(
        self,
        operation: Mapping[str, Any],
        in_body: Sequence[Mapping[str, Any]],
        fields: Mapping[str, Mapping[str, Any]],
    ) -> tuple[Body | None, str]:
        consumes = operation.get("consumes", self._document.content.get("consumes"))
        types = [one for one in consumes or () if isinstance(one, str)]
        if in_body:
            media_type = _preferred(types) if types else JSON
            value = self._maker.value(in_body[0].get("schema", {}))
            return _body(media_type.lower(), media_type, value, {})
        files = {name for name, one in fields.items() if one.get("type") == "file"}
        made = {
            name: self._maker.value({**one, "required": []})
            for name, one in fields.items()
            if name not in files
        }
        kind = MULTIPART if files or MULTIPART in types else FORM
        return _body(kind, kind, made, {name: FILE for name in sorted(files)})

    def _files(self, schema: object) -> dict[str, File]:
        """Return a file for each required property whose content is a file."""
        return {
            name: FILE
            for name, part in self._maker.properties(schema).items()
            if part.get("format") == "binary" or "contentMediaType" in part
        }


def _preferred(types: Sequence[str]) -> str:
    """Return the media type whose bodies are easiest to make, JSON first."""
    for wanted in (JSON, FORM, MULTIPART):
        for media_type in types:
            if media_type.partition(";")[0].strip().lower() == wanted:
                return media_type
    for media_type in types:
        if _is_json(media_type.partition(";")[0].strip().lower()):
            return media_type
    return types[0]


def _is_json(kind: str) -> bool:
    return kind in (JSON, "*/*", "application/*") or kind.endswith("+json")


def _body(
    kind: str, media_type: str, value: Json, files: Mapping[str, File]
) -> tuple[Body, str]:
    """Return a body and its media type, which is empty if the client sets it.

    Raises:
        NoValueError: No body of this media type can be made of the value.
    """
    if _is_json(kind):
        return Body("json", value), (
            "" if kind in (JSON, "*/*", "application/*") else (_checked(media_type))
        )
    if kind == MULTIPART and isinstance(value, dict):
        plain = {name: _field(one) for name, one in value.items() if name not in files}
        # Fields are written as parts, so that a body without a file is multipart, too.
        return Body("multipart", {**plain, **files}), ""
    if kind == FORM and isinstance(value, dict):
        if any(isinstance(one, list | dict) for one in value.values()):
            pairs = {
                name: (
                    [_field(part) for part in one]
                    if isinstance(one, list)
                    else _field(one)
                )
                for name, one in value.items()
            }
            return Body("raw", urlencode(pairs, doseq=True, errors="replace")), FORM
        return Body("form", {name: _field(one) for name, one in value.items()}), ""
    if isinstance(value, str):
        return Body("raw", value), _checked(media_type)
    raise NoValueError(f"the document has no example of {one_line(media_type)[:60]}")


def _field(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _checked(media_type: str) -> str:
    """Return the media type, if a header can hold it.

    Raises:
        NoValueError: The media type has characters that a header cannot hold.
    """
    if not media_type.isascii() or not media_type.isprintable():
        raise NoValueError(f"{one_line(media_type)[:60]} is no media type")
    return media_type
