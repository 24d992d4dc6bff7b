"""Values as Python source, in black's layout.

The values may come from an untrusted document. Texts are escaped with `repr`, so that
none of them can end its literal and become code.
"""

import re
from collections.abc import Sequence
from math import isfinite

from assay.first_topic.request import File, Gap, Json, Template
from assay.wording import one_line

WIDTH = 88
INDENT = 4
MAX_TITLE = 100  # characters of a title


def literal(value: Json, indent: int = 0, before: int = 0, after: int = 0) -> str:
    """Return a value as Python source.

    Args:
        value: JSON, which may contain templates, gaps, files, tuples and bytes.
        indent: Columns of the line's indentation.
        before: Columns between the indentation and the value.
        after: Columns that follow the value, such as 1 for a comma.

    Raises:
        ValueError: A number is not finite.
        TypeError: A value has another type.
    """
    flat = _flat(value)
    room = WIDTH - indent - before - after
    if len(flat) <= room or not isinstance(value, dict | list) or not value:
        return flat
    inner = indent + INDENT
    if isinstance(value, dict):
        lines = [
            f"{key}: {literal(part, inner, len(key) + 2, 1)}"
            for key, part in ((text(str(name)), part) for name, part in value.items())
        ]
    else:
        lines = [literal(part, inner, 0, 1) for part in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return _block(opening, lines, closing, indent)


def call(function: str, arguments: Sequence[tuple[str, Json]], indent: int) -> str:
    """Return a call as Python source.

    Args:
        function: The expression that is called.
        arguments: Names and values. A value with an empty name is positional.
        indent: Columns of the line's indentation.

    Raises:
        ValueError: A number is not finite.
        TypeError: A value has a type that `literal` does not know.
    """
    flat = ", ".join(_named(name, _flat(value)) for name, value in arguments)
    if indent + len(function) + len(flat) + 2 <= WIDTH:
        return f"{function}({flat})"
    inner = indent + INDENT
    lines = [
        _named(name, literal(value, inner, len(name) + 1 if name else 0, 1))
        for name, value in arguments
    ]
    return _block(f"{function}(", lines, ")", indent)


def text(content: str, prefix: str = "") -> str:
    """Return a string literal with the quotes that need the fewest backslashes.

    Args:
        content: The text.
        prefix: What stands before the quotes: ``f``, ``b`` or nothing.
    """
    quote = '"' if content.count('"') <= content.count("'") else "'"
    # `repr` chooses its quotes by the content. If the content has both kinds, `repr`
    # takes single quotes and escapes the single quotes inside. So both kinds are
    # appended here, and removed again.
    body = repr(content + "'\"")[1:-1].removesuffix("\\'\"").replace("\\'", "'")
    return f"{prefix}{quote}{body.replace(quote, chr(92) + quote)}{quote}"


def comment(content: str) -> str:
    """Return a text as one line without control characters, for a comment."""
    return one_line(content)


def docstring(content: str) -> str:
    """Return a docstring of one line, shortened to `MAX_TITLE` characters."""
    line = one_line(content).replace("\\", "/").replace('"', "'")
    return f'"""{shortened(line, MAX_TITLE).rstrip(".")}."""'


def shortened(line: str, most: int) -> str:
    """Return a line, cut to at most `most` characters."""
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _flat(value: Json) -> str:
    """Return a value as Python source on one line."""
    if isinstance(value, Template):
        return _template(value)
    if isinstance(value, File):
        parts = (value.name, value.content, value.media_type)
        return f"({', '.join(map(_flat, parts))})"
    if isinstance(value, Gap):
        return _expression(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        pairs = (f"{text(str(key))}: {_flat(part)}" for key, part in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flat, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_flat, value))})"
    if isinstance(value, bytes):
        return text(value.decode("latin-1"), "b") if value.isascii() else repr(value)
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{value} is not JSON")
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise TypeError(f"no JSON: {type(value).__name__}")


def _template(template: Template) -> str:
    """Return a template as a string literal, an f-string or a single expression."""
    parts = template.parts
    if all(isinstance(part, str) for part in parts):
        return text("".join(map(str, parts)))
    if len(parts) == 1 and isinstance(parts[0], Gap):
        return _expression(parts[0])
    # Each gap becomes a private-use character, so that the whole text is written as one
    # literal. The gaps' expressions are put in afterwards.
    marks: dict[str, str] = {}
    content = ""
    for part in parts:
        if isinstance(part, Gap):
            mark = chr(0xE000 + len(marks))
            marks[mark] = f"{{{_expression(part)}}}"
            content += mark
        else:
            content += re.sub("[\ue000-\uf8ff]", "\ufffd", part)
    body = text(content.replace("{", "{{").replace("}", "}}"), "f")
    for mark, expression in marks.items():
        # `repr` has escaped this character, since it is not printable.
        body = body.replace(f"\\u{ord(mark):04x}", expression)
    return body


def _expression(gap: Gap) -> str:
    value = gap.name if gap.source == "environment" else f"self.{gap.name}"
    if not gap.place:
        return value
    functions = {"path": "quote", "query": "quote_plus"}
    functions |= {"number": "int", "decimal": "float"}
    return f"{functions[gap.place]}({value})"


def _named(name: str, value: str) -> str:
    return f"{name}={value}" if name else value


def _block(opening: str, lines: Sequence[str], closing: str, indent: int) -> str:
    inner = " " * (indent + INDENT)
    body = "".join(f"{inner}{line},\n" for line in lines)
    return f"{opening}\n{body}{' ' * indent}{closing}"
