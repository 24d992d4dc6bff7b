"""Make a text that matches a simple regular expression."""

import re

MAX_LENGTH = 200  # characters of a text that is made
_CLASSES = {"d": "1", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_KIND = re.compile(r"\\[dwsDWS]")
_COUNT = re.compile(r"\{(\d{1,4})(,\d*)?\}")


class NotSimpleError(ValueError):
    """An expression is too complicated for this module, or not valid."""


def matching(pattern: str) -> str:
    """Return a short text that matches an expression.

    The text follows the first of several alternatives, and has no optional parts.

    Raises:
        NotSimpleError: The expression has look-arounds, back references or flags, its
            groups are nested deeply, a class excludes almost all characters, or the
            text would be long. Or the expression is not valid.
    """
    reader = _Reader(pattern)
    made = reader.alternatives()
    if reader.position < len(pattern):
        raise NotSimpleError("unbalanced parentheses")
    return made


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.position = 0
        self.depth = 0

    def alternatives(self) -> str:
        """Read alternatives up to a parenthesis; return the text of the first one."""
        made = [self._sequence()]
        while self._next() == "|":
            self.position += 1
            made.append(self._sequence())
        return made[0]

    def _sequence(self) -> str:
        made = ""
        while (character := self._next()) and character not in "|)":
            atom = self._atom()
            made += atom * self._least()
            if len(made) > MAX_LENGTH:
                raise NotSimpleError("the text would be long")
        return made

    def _atom(self) -> str:
        character = self._take()
        if character in "^$":
            return ""
        if character == ".":
            return "a"
        if character == "[":
            return self._class()
        if character == "(":
            return self._group()
        if character == "\\":
            return self._escape()
        if character in "*+?":
            raise NotSimpleError("nothing to repeat")
        return character

    def _group(self) -> str:
        if self._next() == "?":
            if not re.match(r"\?(:|P?<\w+>)", self.pattern[self.position :]):
                raise NotSimpleError("a look-around or a flag")
            while self._take() not in ":>":
                pass
        self.depth += 1
        if self.depth > 20:
            raise NotSimpleError("nested too deeply")
        made = self.alternatives()
        self.depth -= 1
        if self._take() != ")":
            raise NotSimpleError("unbalanced parentheses")
        return made

    def _escape(self) -> str:
        character = self._take()
        if character in _CLASSES:
            return _CLASSES[character]
        if character in "bBAZz":
            return ""
        if character in _ESCAPES:
            return _ESCAPES[character]
        if character.isalnum():
            raise NotSimpleError("a back reference, or a code")
        return character

    def _class(self) -> str:
        """Read a class of characters; return a character that it allows."""
        negated = self._next() == "^"
        self.position += negated
        members: list[tuple[str, str]] = []
        kinds = []  # members such as \w, which stand for many characters
        while self._next() != "]" or not members:
            kind = _KIND.match(self.pattern, self.position)
            kinds += [kind[0]] if kind else []
            first = self._member()
            last = first
            is_range = not kind and self._next() == "-"
            if is_range and self.pattern[self.position + 1 :][:1] != "]":
                self.position += 1
                last = self._member()
            members.append((first, last))
        self.position += 1
        if not negated:
            return members[0][0]
        for candidate in "a1A-_. ~":
            if not (
                any(first <= candidate <= last for first, last in members)
                or any(re.fullmatch(kind, candidate, re.ASCII) for kind in kinds)
            ):
                return candidate
        raise NotSimpleError("a class that excludes much")

    def _member(self) -> str:
        character = self._take()
        return self._escape() if character == "\\" else character

    def _least(self) -> int:
        """Read the quantifier of an atom, and return the fewest repetitions."""
        character = self._next()
        least = 1
        if character and character in "?*+":
            self.position += 1
            least = 1 if character == "+" else 0
        elif counted := _COUNT.match(self.pattern, self.position):
            self.position = counted.end()
            least = int(counted[1])
        else:
            return 1
        if self._next() in ("?", "+"):  # lazy or possessive
            self.position += 1
        return least

    def _next(self) -> str:
        return self.pattern[self.position : self.position + 1]

    def _take(self) -> str:
        character = self._next()
        if not character:
            raise NotSimpleError("it ends too early")
        self.position += 1
        return character
