"""Passwords and keys kept out of what is written down and shown.

What a secret is follows from the name that it was given under, and from its place in
a URL: nothing else tells it from other text.
"""

import re
import shlex
from collections.abc import Iterable, Mapping

HIDDEN = "***"
SECRET = re.compile(r"pass|secret|token|key|credential|auth", re.IGNORECASE)
# Up to the last @ before the path: a password may hold one.
USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")
_QUERY = re.compile(r"([?&][\w.~-]*=)[^&#\s]*")
# `--name=value`, `NAME=value`, or a header: `Name: value`.
_PAIR = re.compile(r"(-{0,2}[\w.-]+(?:=|:\s+))(.+)", re.DOTALL)
DEPTH = 2  # commands within commands: sh -c 'API_TOKEN=... serve'
_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|\S)+""", re.DOTALL)


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with secrets, and users in URLs, replaced by `***`."""
    return {
        name: HIDDEN if SECRET.search(name) else url(value)
        for name, value in env.items()
    }


def url(text: str) -> str:
    """Return text in which URLs have lost their users and the secrets they carry."""

    def shown(match: re.Match[str]) -> str:
        return match[1] + HIDDEN if SECRET.search(match[1]) else match[0]

    return _QUERY.sub(shown, USER_INFO.sub(f"{HIDDEN}@", text))


def arguments(words: Iterable[str]) -> list[str]:
    """Return the words of a command with their secrets replaced by `***`."""
    return _words(words, DEPTH)


def command(text: str) -> str:
    """Return a command line with its secrets replaced by `***`, else as it was."""
    return _line(text, DEPTH)


def _words(words: Iterable[str], depth: int) -> list[str]:
    found, awaited = [], False
    for word in words:
        # What follows a flag can only be told from its value by its dashes.
        if awaited and not word.startswith("--"):
            found.append(HIDDEN)
            awaited = False
            continue
        awaited = bool(re.fullmatch(r"--?[\w.-]+", word) and SECRET.search(word))
        found.append(_word(word, depth))
    return found


def _line(text: str, depth: int) -> str:
    matches = list(_WORD.finditer(text))
    plain = [_unquoted(match[0]) for match in matches]
    shown, at = [], 0
    for match, before, after in zip(matches, plain, _words(plain, depth), strict=True):
        shown.append(text[at : match.start()])
        shown.append(match[0] if before == after else shlex.quote(after))
        at = match.end()
    return "".join([*shown, text[at:]])


def _word(word: str, depth: int) -> str:
    pair = _PAIR.fullmatch(word)
    if pair and SECRET.search(pair[1]):
        return pair[1] + HIDDEN
    return url(_line(word, depth - 1) if depth and len(word.split()) > 1 else word)


def _unquoted(word: str) -> str:
    try:
        return "".join(shlex.split(word))
    except ValueError:  # a quote that nothing closes
        return word
