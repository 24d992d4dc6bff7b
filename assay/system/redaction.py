"""Keep passwords and keys out of everything that is stored or shown.

A secret is recognised by the name that it is given under, by its place in a URL or a
header, or by its form; see `secrets_in_text`. The values of secrets that Assay itself
was given are known, and are recognised wherever they are. Nothing else distinguishes a
secret from other text.
"""

import contextlib
import getpass
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from assay.system import secrets_in_text
from assay.system.secrets_in_text import (
    HIDDEN,
    SECRET,
    SECRET_NAME,
    START,
    TEST,
    names_secret,
)

__all__ = ["HIDDEN", "SECRET", "SECRET_NAME"]

# `--name=value`, `NAME=value`, or a header: `Name: value`.
_PAIR = re.compile(r"(-{0,2}[\w.-]+(?:=|:\s+))(.+)", re.DOTALL)
MAX_DEPTH = 2  # levels of commands within commands: sh -c 'API_TOKEN=... serve'
_WORD = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|\S)+""", re.DOTALL)
_LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_FOLDERS = frozenset(("PWD", "OLDPWD"))  # the shell's variables of folders: no secrets
MIN_KNOWN = 6  # characters of a known secret that is looked for in other text
# Secrets that are too common to look for in other text: words, numbers, addresses.
_WORDS = re.compile(r"[A-Z]?[a-z]*(?:[-_. ][A-Za-z]?[a-z]*)*|[A-Z]+(?:[-_. ][A-Z]+)*")
_ORDINARY = re.compile(r"[~.]?/.*|.*://.*|[\d.]+\.\d+|[\w.-]+:\d+", re.DOTALL)
# The escape sequence of a colour, also in quoted text, such as `\x1b[31m`. Its last
# letter would hide where a word begins.
_COLOUR = re.compile(r"(?:\x1b|\\{1,4}(?:x1[bB]|u001[bB]|033))\[[0-9;]{0,99}[A-Za-z]")
LONG = 5000  # characters; a text of this length, such as a log, hardly occurs again
LONGEST_WORDS = 20  # characters; words of this length together are a pass phrase


class _Known:
    """The values of secrets that Assay was given in this process."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.values: set[str] = set()
        self.ordinary: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, values: Iterable[str], ordinary: Iterable[str] = ()) -> None:
        """Remember the values of secrets; values in `ordinary` are never hidden."""
        self.ordinary.update(ordinary)
        self.values.update(filter(_is_distinctive, values))
        sought = self.values - self.ordinary
        forms = sorted({*sought, *map(_quoted, sought)}, key=len, reverse=True)
        either = "|".join(map(re.escape, forms))
        self._pattern = re.compile(rf"{START}(?:{either})(?!\w)") if forms else None

    def hide(self, text: str) -> str:
        """Return the text with the known values replaced by `***`."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text


_known = _Known()
# The results are cached, because the same texts are written, read and shown.
_hidden = lru_cache(maxsize=5000)(secrets_in_text.hide)


def text(given: str) -> str:
    """Return a text with all secrets replaced by `***`.

    A text with secrets loses its colours. The id of a test stays as it is.
    """
    if TEST.fullmatch(given):
        return given
    plain = _COLOUR.sub("", given)
    shown = _known.hide(plain)
    shown = _hidden(shown) if len(shown) < LONG else secrets_in_text.hide(shown)
    return given if shown == plain else shown


def json_text(given: str) -> str:
    """Return a JSON text with the secrets in its strings replaced by `***`."""
    seen: dict[str, str] = {}

    def without_secrets(literal: re.Match[str]) -> str:
        written = literal[0]
        if written not in seen:
            before = json.loads(written)
            after = text(before)
            seen[written] = written if after == before else json.dumps(after)
        return seen[written]

    return _LITERAL.sub(without_secrets, given)


def learn(
    env: Mapping[str, str] | None = None,
    commands: Iterable[str] = (),
    words: Iterable[str] = (),
    ordinary: Iterable[str] = (),
) -> None:
    """From now on, hide the secrets in these variables, commands and words.

    Args:
        env: Variables; a variable whose name is that of a secret is a secret.
        commands: Command lines and URLs.
        words: The words of a command.
        ordinary: Names that are never hidden, such as those of topics.
    """
    values: list[str] = []
    for name, value in (env or {}).items():
        if names_secret(name) and name not in _FOLDERS:
            values.append(value)
        values += _in_urls(value)
    _redact_words(words, MAX_DEPTH, values)
    for line in commands:
        _redact_line(line, MAX_DEPTH, values)
    _known.add(values, [*ordinary, *_names_here()])


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with secrets, and users in URLs, replaced by `***`."""
    return {
        name: (
            HIDDEN if SECRET_NAME.search(name) and name not in _FOLDERS else text(value)
        )
        for name, value in env.items()
    }


def tags(given: Mapping[str, str]) -> dict[str, str]:
    """Return tags with secrets replaced by `***`.

    A whole value is hidden only if its name names a secret itself: see `names_secret`.
    """
    return {
        name: HIDDEN if names_secret(name) else text(value)
        for name, value in given.items()
    }


def arguments(words: Iterable[str]) -> list[str]:
    """Return the words of a command with secrets replaced by `***`."""
    return _redact_words(words, MAX_DEPTH, [])


def command(line: str) -> str:
    """Return a command line with secrets replaced by `***`, otherwise unchanged."""
    return _redact_line(line, MAX_DEPTH, [])


def _redact_words(words: Iterable[str], depth: int, found: list[str]) -> list[str]:
    """Return the words without secrets, and add the secrets to a list.

    The value of an option whose name only sounds like that of a secret (`--keyspace`)
    is hidden here, but is not looked for in other texts.
    """
    redacted, secret_follows, option = [], False, ""
    for word in words:
        # If dashes follow, the option before them has no value.
        if secret_follows and not word.startswith("--"):
            if names_secret(option):
                found.append(word)
            redacted.append(HIDDEN)
            secret_follows = False
            continue
        is_option = re.fullmatch(r"--?[\w.-]+", word)
        secret_follows, option = bool(is_option and SECRET_NAME.search(word)), word
        redacted.append(_redact_word(word, depth, found))
    return redacted


def _redact_line(line: str, depth: int, found: list[str]) -> str:
    matches = list(_WORD.finditer(line))
    words = [_unquoted(match[0]) for match in matches]
    parts, position = [], 0
    for match, word, redacted in zip(
        matches, words, _redact_words(words, depth, found), strict=True
    ):
        parts.append(line[position : match.start()])
        parts.append(match[0] if word == redacted else shlex.quote(redacted))
        position = match.end()
    return "".join([*parts, line[position:]])


def _redact_word(word: str, depth: int, found: list[str]) -> str:
    pair = _PAIR.fullmatch(word)
    if pair and SECRET_NAME.search(pair[1]):
        if names_secret(pair[1]):
            found.append(pair[2])
        return pair[1] + HIDDEN
    found += _in_urls(word)
    is_command = depth and len(word.split()) > 1
    return text(_redact_line(word, depth - 1, found) if is_command else word)


def _in_urls(value: str) -> list[str]:
    return [*secrets_in_text.user_infos(value), *secrets_in_text.parameters(value)]


def _names_here() -> list[str]:
    """Return the user's name, and the names of the folders of this process.

    They are never hidden: they may be users of URLs, too, but are parts of many paths.
    """
    names: list[str] = []
    for find in (getpass.getuser, Path.home, Path.cwd):
        with contextlib.suppress(LookupError, OSError, RuntimeError, ImportError):
            names += Path(find()).parts
    return names


def _is_distinctive(value: str) -> bool:
    """Say whether a value can be looked for in other text without harm."""
    if len(value) < MIN_KNOWN or HIDDEN in value:
        return False
    if _ORDINARY.fullmatch(value) and not secrets_in_text.is_base_64_with_slashes(
        value
    ):
        return False
    return len(value) >= LONGEST_WORDS or not _WORDS.fullmatch(value)


def _quoted(value: str) -> str:
    return quote(value, safe="")


def _unquoted(word: str) -> str:
    try:
        return "".join(shlex.split(word))
    except ValueError:  # an unclosed quote
        return word
