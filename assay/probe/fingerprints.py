"""Remove the values from queries and addresses."""

from __future__ import annotations

import functools
import re
from urllib.parse import urlsplit

LONGEST = 300  # characters

# One pass from left to right finds all tokens. So `--` inside a literal does not start
# a comment, and a quote inside a comment or a quoted name does not start a literal. An
# unterminated literal or /* comment runs to the end of the text.
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

    A list of several values becomes `(?, …)`, so that `IN` with 3 values and `IN` with
    30 values give the same text.
    """
    # Databases disagree on whether \' ends a literal. If a query has it, everything
    # from the first quote on is replaced by one `?`.
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
    """Return the text that replaces a comment, a quoted name or a literal."""
    if token["comment"] is not None:
        return " "
    return token[0] if token["name"] is not None else "?"


@functools.lru_cache(maxsize=2048)
def of_address(url: str) -> str:
    """Return host and path of a URL, without user, query and variable path segments.

    A segment becomes `{}` if it has a digit and only letters, digits and `_.~-`, or if
    it has more than 32 characters.
    """
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
