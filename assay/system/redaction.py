"""Keep passwords and keys out of everything that is stored or shown.

A secret is recognised by the name that it is given under, or by its place in a URL.
Nothing else distinguishes it from other text.
"""

import re
import shlex
from collections.abc import Iterable, Mapping

HIDDEN = "***"
SECRET = re.compile(r"pass|secret|token|key|credential|auth", re.IGNORECASE)
# Up to the last @ before the path: a password may contain one.
USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")
_QUERY = re.compile(r"([?&][\w.~-]*=)[^&#\s]*")
# `--name=value`, `NAME=value`, or a header: `Name: value`.
_PAIR = re.compile(r"(-{0,2}[\w.-]+(?:=|:\s+))(.+)", re.DOTALL)
MAX_DEPTH = 2  # levels of commands within commands: sh -c 'API_TOKEN=... serve'
_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|\S)+""", re.DOTALL)


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with secrets, and users in URLs, replaced by `***`."""
    return {
        name: HIDDEN if SECRET.search(name) else url(value)
        for name, value in env.items()
    }


def url(text: str) -> str:
    """Return text whose URLs have users and secret parameters replaced by `***`."""

    def redact(parameter: re.Match[str]) -> str:
        name = parameter[1]
        return name + HIDDEN if SECRET.search(name) else parameter[0]

    return _QUERY.sub(redact, USER_INFO.sub(f"{HIDDEN}@", text))


def arguments(words: Iterable[str]) -> list[str]:
    """Return the words of a command with secrets replaced by `***`."""
    return _redact_words(words, MAX_DEPTH)


def command(text: str) -> str:
    """Return a command line with secrets replaced by `***`, otherwise unchanged."""
    return _redact_line(text, MAX_DEPTH)


def _redact_words(words: Iterable[str], depth: int) -> list[str]:
    redacted, secret_follows = [], False
    for word in words:
        # If dashes follow, the option before them has no value.
        if secret_follows and not word.startswith("--"):
            redacted.append(HIDDEN)
            secret_follows = False
            continue
        is_option = re.fullmatch(r"--?[\w.-]+", word)
        secret_follows = bool(is_option and SECRET.search(word))
        redacted.append(_redact_word(word, depth))
    return redacted


def _redact_line(text: str, depth: int) -> str:
    matches = list(_WORD.finditer(text))
    words = [_unquoted(match[0]) for match in matches]
    parts, position = [], 0
    for match, word, redacted in zip(
        matches, words, _redact_words(words, depth), strict=True
    ):
        parts.append(text[position : match.start()])
        parts.append(match[0] if word == redacted else shlex.quote(redacted))
        position = match.end()
    return "".join([*parts, text[position:]])


def _redact_word(word: str, depth: int) -> str:
    pair = _PAIR.fullmatch(word)
    if pair and SECRET.search(pair[1]):
        return pair[1] + HIDDEN
    is_command = depth and len(word.split()) > 1
    return url(_redact_line(word, depth - 1) if is_command else word)


def _unquoted(word: str) -> str:
    try:
        return "".join(shlex.split(word))
    except ValueError:  # an unclosed quote
        return word
