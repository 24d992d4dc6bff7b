"""Queries and addresses without the values that they carry."""

from __future__ import annotations

import functools
import re
from urllib.parse import urlsplit

LONGEST = 300  # characters

# Read from left to right, so that a comment's signs in a literal begin no comment, and
# a quote in a comment or a name no literal. What does not end goes on to the end.
_TOKEN = re.compile(
    r"(?P<comment>/\*.*?(?:\*/|\Z)|--[^\n]*)"
    r'|(?P<name>"[^"]*"|`[^`]*`)'
    r"|\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)"
    r"|[eE]?'(?:[^']|'')*(?:'|\Z)",
    re.DOTALL,
)
_NUMBER = re.compile(
    r"(?<![\w$:@%])[-+]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)"
)
_PARAMETER = re.compile(r"\$\d+(?:::[\w\[\]]+)?|%\(\w+\)s|%s|(?<!:):\w+|(?<![\w?])\?")
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_ROWS = re.compile(r"(\(\?[^()]*\))(?:\s*,\s*\(\?[^()]*\))+")
_SPACE = re.compile(r"\s+")
_VARIABLE = re.compile(r"(?=.*\d)[\w.~-]+|[^/]{33,}")


@functools.lru_cache(maxsize=2048)
def of_query(statement: str) -> str:
    """Return a query's text without literals, parameters, comments and line breaks.

    Lists of values become one, so that `IN` of three and of thirty are the same.
    """
    # Databases differ in what a backslash before a quote means: what follows is unsure.
    certain, escaped, _ = statement.partition("\\'")
    if escaped:
        statement = certain.partition("'")[0] + "'"
    text = _TOKEN.sub(_shown, statement)
    text = _PARAMETER.sub("?", text)
    text = _NUMBER.sub("?", text)
    text = _SPACE.sub(" ", text).strip()
    text = _LIST.sub("(?, …)", text)
    text = _ROWS.sub(r"\1, …", text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _shown(token: re.Match[str]) -> str:
    """Return what is shown of a comment, a quoted name or a literal."""
    if token["comment"] is not None:
        return " "
    return token[0] if token["name"] is not None else "?"


@functools.lru_cache(maxsize=2048)
def of_address(url: str) -> str:
    """Return host and path of a URL: no user, no query, and no part with a number."""
    try:
        split = urlsplit(url)
        host = split.hostname or ""
        port = f":{split.port}" if split.port else ""
    except ValueError:
        return "?"
    parts = [_part(part) for part in split.path.split("/")]
    return f"{host}{port}{'/'.join(parts)}"[:LONGEST]


def _part(part: str) -> str:
    return "{}" if _VARIABLE.fullmatch(part) else part
