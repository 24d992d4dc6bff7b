"""Make a task of a locustfile from each operation of an OpenAPI document."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

from assay.first_topic.names import identifier, unique
from assay.first_topic.openapi.bodies import Bodies
from assay.first_topic.openapi.credentials import (
    Authentication,
    Credentials,
    UnsupportedError,
)
from assay.first_topic.openapi.document import Document, mapping
from assay.first_topic.openapi.values import Maker, NoValueError, example_of
from assay.first_topic.request import Credential, Json, Request, Task, Template, text
from assay.wording import one_line

METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
# The client writes these headers itself, or they belong to a security scheme.
NOT_PARAMETERS = ("accept", "content-type", "authorization", "content-length", "host")
WRITE_IT = "write it by hand"
DEEP_OBJECT = "deepObject"
# Separators of the values of a list, by `style` or `collectionFormat`; else a comma.
JOINTS = {
    "spaceDelimited": " ",
    "pipeDelimited": "|",
    "ssv": " ",
    "tsv": "\t",
    "pipes": "|",
}


def tasks(
    document: Document, prefix: str
) -> tuple[tuple[Task, ...], tuple[Credential, ...]]:
    """Return one task for each operation, in the order of the paths in the document.

    A task is off if no request can be made for it. A path whose reference leads nowhere
    has one such task.

    Args:
        document: The document.
        prefix: The prefix of all paths.

    Returns:
        The tasks, and the environment variables with the secrets of their requests.
    """
    reader = _Reader(document, prefix)
    names: set[str] = set()
    made = []
    for task in reader.tasks():
        name = unique(task.identifier, names)
        names.add(name)
        made.append(replace(task, identifier=name))
    return tuple(made), reader.credentials.used


class _Reader:
    """Reads the operations of one document."""

    def __init__(self, document: Document, prefix: str) -> None:
        self.credentials = Credentials(document)
        self._document = document
        self._prefix = prefix
        self._maker = Maker(document)
        self._bodies = Bodies(document, self._maker)

    def tasks(self) -> Iterator[Task]:
        """Yield the task of each operation."""
        for path, written in self._document.content["paths"].items():
            try:
                item = self._document.resolved(written)
            except LookupError as error:
                label = f"* {one_line(path)}"
                reason = f"the reference {error.args[0]}"
                yield Task(identifier(path, "task"), "", label, None, reason, WRITE_IT)
                continue
            for method in METHODS:
                if isinstance(item.get(method), dict):
                    yield self._task(path, method.upper(), item, item[method])

    def _task(
        self,
        path: str,
        method: str,
        item: Mapping[str, Any],
        operation: Mapping[str, Any],
    ) -> Task:
        title = operation.get("summary")
        # A summary is shorter than an id of FastAPI, which repeats the path.
        name = title or operation.get("operationId") or f"{method} {path}"
        task = Task(
            identifier=identifier(str(name), method.lower()),
            title=one_line(title) if isinstance(title, str) else "",
            label=f"{method} {self._prefix}{one_line(path)}",
            request=None,
        )
        try:
            request = self._request(path, method, item, operation)
        except (NoValueError, UnsupportedError) as error:
            return replace(task, off=str(error), advice=WRITE_IT)
        return replace(task, request=request)

    def _request(
        self,
        path: str,
        method: str,
        item: Mapping[str, Any],
        operation: Mapping[str, Any],
    ) -> Request:
        if not path.startswith("/"):
            raise NoValueError("its path does not begin with /")
        parameters = self._parameters(item, operation)
        authentication = self.credentials.authentication(operation)
        headers = {
            name: text(self._header(name, parameter))
            for (place, name), parameter in parameters.items()
            if place == "header" and name.lower() not in NOT_PARAMETERS
        }
        headers.update(authentication.headers)
        if cookies := self._cookies(parameters, authentication):
            headers["Cookie"] = cookies
        body = None
        if method not in ("GET", "HEAD", "TRACE"):
            in_body = [one for (place, _), one in parameters.items() if place == "body"]
            fields = {
                name: one
                for (place, name), one in parameters.items()
                if place == "formData"
            }
            body, media_type = self._bodies.of(operation, in_body, fields)
            if media_type:
                headers["Content-Type"] = text(media_type)
        return Request(
            method=method,
            path=text(
                self._prefix + self._path(path, parameters),
                *self._query(parameters, authentication).parts,
            ),
            name=self._prefix + one_line(path),
            headers=headers,
            body=body,
            basic=authentication.basic,
        )

    def _parameters(
        self, item: Mapping[str, Any], operation: Mapping[str, Any]
    ) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Return the parameters that must be sent, by place and name.

        A parameter of the operation replaces a parameter of the path that has the same
        place and name.

        Raises:
            NoValueError: A reference leads nowhere.
        """
        parameters: dict[tuple[str, str], Mapping[str, Any]] = {}
        for holder in (item, operation):
            written = holder.get("parameters")
            for one in written if isinstance(written, list) else ():
                try:
                    parameter = self._document.resolved(one)
                except LookupError as error:
                    raise NoValueError(f"the reference {error.args[0]}") from error
                key = str(parameter.get("in")), str(parameter.get("name"))
                parameters[key] = parameter
        return {
            key: parameter
            for key, parameter in parameters.items()
            if parameter.get("required") is True or key[0] == "path"
        }

    def _value(self, parameter: Mapping[str, Any]) -> Json:
        """Return an example of a parameter, or a value that its schema allows.

        Raises:
            NoValueError: No value can be made.
        """
        for example in example_of(parameter, self._document):
            return example
        for media in mapping(parameter.get("content")).values():
            for example in example_of(mapping(media), self._document):
                return example
            made = self._maker.value(mapping(media).get("schema", True))
            return made if isinstance(made, str) else json.dumps(made)
        if "schema" in parameter:
            return self._maker.value(parameter["schema"])
        # In Swagger 2 the parameter is the schema.
        return self._maker.value({**parameter, "required": []})

    def _path(
        self, path: str, parameters: Mapping[tuple[str, str], Mapping[str, Any]]
    ) -> str:
        """Return the quoted path, with the values of its parameters.

        Raises:
            NoValueError: The value of a parameter is empty or cannot be made.
        """
        made = ""
        for index, part in enumerate(re.split(r"\{([^{}/]*)\}", path)):
            if index % 2 == 0:
                made += quote(part, safe="/:@!$&'()*+,;=~%", errors="replace")
                continue
            parameter = parameters.get(("path", part), {"schema": {"type": "string"}})
            value = self._value(parameter)
            texts = [
                _plain(one) for one in (value if isinstance(value, list) else [value])
            ]
            if not "".join(texts):
                raise NoValueError(f"its parameter {one_line(part)[:40]!r} is empty")
            made += ",".join(quote(one, safe="", errors="replace") for one in texts)
        return made

    def _query(
        self,
        parameters: Mapping[tuple[str, str], Mapping[str, Any]],
        authentication: Authentication,
    ) -> Template:
        """Return the query with its question mark; empty if there is none."""
        pairs: list[Template] = []
        for (place, name), parameter in parameters.items():
            if place == "query" and name not in authentication.query:
                pairs += [
                    text(f"{_quoted(key)}={_quoted(value)}")
                    for key, value in _exploded(name, parameter, self._value(parameter))
                ]
        for name, secret in authentication.query.items():
            pairs.append(text(f"{_quoted(name)}=", *secret.parts))
        parts = [
            part
            for index, pair in enumerate(pairs)
            for part in ("&" if index else "?", *pair.parts)
        ]
        return text(*parts)

    def _cookies(
        self,
        parameters: Mapping[tuple[str, str], Mapping[str, Any]],
        authentication: Authentication,
    ) -> Template | None:
        cookies = {
            name: text(self._header(name, parameter))
            for (place, name), parameter in parameters.items()
            if place == "cookie"
        }
        cookies.update(authentication.cookies)
        parts = [
            part
            for index, (name, value) in enumerate(cookies.items())
            for part in ("; " if index else "", f"{name}=", *value.parts)
        ]
        return text(*parts) if parts else None

    def _header(self, name: str, parameter: Mapping[str, Any]) -> str:
        """Return the value of a header or a cookie.

        Raises:
            NoValueError: A header cannot hold the name or the value.
        """
        value = self._value(parameter)
        values = value if isinstance(value, list) else [value]
        written = ",".join(map(_plain, values))
        if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII) or not re.fullmatch(
            r"[!-~](?:[ -~]*[!-~])?", written
        ):
            raise NoValueError(f"no header can be made of {one_line(name)[:40]!r}")
        return written


def _exploded(
    name: str, parameter: Mapping[str, Any], value: Json
) -> list[tuple[str, str]]:
    """Return the pairs of name and value that a query parameter becomes.

    The style of the parameter decides how lists and objects are written.
    """
    if isinstance(value, dict):
        if parameter.get("style") == DEEP_OBJECT:
            return [(f"{name}[{key}]", _plain(one)) for key, one in value.items()]
        return [(key, _plain(one)) for key, one in value.items()]
    if not isinstance(value, list):
        return [(name, _plain(value))]
    if "schema" in parameter or "content" in parameter:
        style = str(parameter.get("style", "form"))
        explode = parameter.get("explode", style == "form")
    else:  # Swagger 2
        style = str(parameter.get("collectionFormat", "csv"))
        explode = style == "multi"
    if explode:
        return [(name, _plain(one)) for one in value]
    return [(name, JOINTS.get(style, ",").join(map(_plain, value)))]


def _plain(value: Json) -> str:
    """Return a value as text for a URL or a header."""
    return value if isinstance(value, str) else json.dumps(value)


def _quoted(value: str) -> str:
    return quote_plus(value, errors="replace")
