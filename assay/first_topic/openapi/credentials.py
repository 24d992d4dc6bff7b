"""Read how requests authenticate from the security schemes of a document.

Secrets come from environment variables, and no generated file holds a secret.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.first_topic.openapi.document import Document, mapping
from assay.first_topic.request import Credential, Gap, Template, text
from assay.wording import one_line

TOKEN, KEY, USER, PASSWORD = "API_TOKEN", "API_KEY", "API_USER", "API_PASSWORD"


class UnsupportedError(Exception):
    """A security scheme is not supported; the message says which."""


@dataclass
class Authentication:
    """What is added to a request so that it authenticates.

    Attributes:
        headers: Headers by name.
        query: Query parameters by name, quoted for the query.
        cookies: Cookies by name.
        basic: The gaps for user and password of HTTP Basic authentication; None without
            it.
    """

    headers: dict[str, Template] = field(default_factory=dict)
    query: dict[str, Template] = field(default_factory=dict)
    cookies: dict[str, Template] = field(default_factory=dict)
    basic: tuple[Gap, Gap] | None = None


class Credentials:
    """The security schemes of one document, each with its environment variables."""

    def __init__(self, document: Document) -> None:
        """Read the schemes."""
        self._document = document
        if document.is_swagger:
            schemes = document.content.get("securityDefinitions")
        else:
            schemes = mapping(document.content.get("components")).get("securitySchemes")
        self._schemes = mapping(schemes)
        self._used: dict[str, Credential] = {}
        self._names: dict[tuple[str, str], str] = {}

    @property
    def used(self) -> tuple[Credential, ...]:
        """The environment variables that are needed by the requests made so far."""
        return tuple(self._used.values())

    def authentication(self, operation: Mapping[str, Any]) -> Authentication:
        """Return what the requests of an operation need to authenticate.

        The function chooses the first supported alternative of the operation's
        `security`, or nothing if the operation needs no authentication.

        Raises:
            UnsupportedError: The operation accepts no supported alternative.
        """
        wanted = operation.get("security", self._document.content.get("security"))
        ways = [mapping(way) for way in wanted] if isinstance(wanted, list) else []
        if not ways or {} in ways:
            return Authentication()
        problem = UnsupportedError("no way to authenticate")
        for way in ways:
            try:
                return self._authentication(way)
            except UnsupportedError as error:
                problem = error
        raise problem

    def _authentication(self, way: Mapping[str, Any]) -> Authentication:
        schemes = {name: self._scheme(name) for name in way}
        made = Authentication()
        for name, scheme in schemes.items():
            self._add(name, scheme, made)
        return made

    def _scheme(self, name: str) -> Mapping[str, Any]:
        """Return a scheme by its name.

        Raises:
            UnsupportedError: The scheme is not described or not supported.
        """
        shown = f"the security scheme {one_line(name)[:40]!r}"
        try:
            scheme = self._document.resolved(self._schemes.get(name))
        except LookupError:
            scheme = {}
        if not scheme:
            raise UnsupportedError(f"{shown} is not described")
        kind = str(scheme.get("type"))
        if kind == "http" and str(scheme.get("scheme")).lower() in ("bearer", "basic"):
            return scheme
        if kind in ("basic", "oauth2", "openIdConnect"):
            return scheme
        parameter = scheme.get("name")
        if (
            kind == "apiKey"
            and scheme.get("in") in ("header", "query", "cookie")
            and isinstance(parameter, str)
            and (scheme["in"] == "query" or re.fullmatch(r"[\w.-]+", parameter, re.A))
        ):
            return scheme
        raise UnsupportedError(f"{shown} is not supported")

    def _add(self, name: str, scheme: Mapping[str, Any], made: Authentication) -> None:
        shown = one_line(name)[:40]
        kind = scheme["type"]
        if kind == "basic" or str(scheme.get("scheme")).lower() == "basic":
            made.basic = (
                self._gap(USER, name, f"the user of {shown!r}"),
                self._gap(PASSWORD, name, f"the password of {shown!r}"),
            )
        elif kind == "apiKey":
            place, parameter = scheme["in"], scheme["name"]
            gap = self._gap(KEY, name, f"the key of {shown!r}")
            if place == "query":
                quoted = Gap(gap.name, "environment", "query")
                made.query[parameter] = text(quoted)
            else:
                parts = made.headers if place == "header" else made.cookies
                parts[parameter] = text(gap)
        else:
            gap = self._gap(TOKEN, name, f"the bearer token of {shown!r}")
            made.headers["Authorization"] = text("Bearer ", gap)

    def _gap(self, variable: str, scheme: str, meaning: str) -> Gap:
        """Return a gap for a variable of a scheme.

        Two schemes never share a variable.
        """
        key = variable, scheme
        if key not in self._names:
            name = variable
            if name in self._used:
                suffix = re.sub(r"\W+", "_", scheme, flags=re.A).strip("_").upper()
                name = f"{variable}_{suffix[:30] or len(self._used)}"
            while name in self._used:
                name += "_2"
            self._names[key] = name
            self._used[name] = Credential(name, meaning)
        return Gap(self._names[key], "environment")
