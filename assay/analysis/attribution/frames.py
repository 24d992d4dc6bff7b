"""Frames of call stacks: whose code they are, and what they are called."""

from __future__ import annotations

import re

# Files of event loops and servers. Every request runs through them.
INFRASTRUCTURE = re.compile(
    r"\((asyncio|uvicorn|uvloop|gunicorn|hypercorn|granian|waitress|werkzeug/serving"
    r"|anyio|concurrent|click|multiprocessing|socketserver|threading|selectors|runpy"
    r"|wsgiref|http/server|gevent|<frozen runpy)[/.>]"
)
# Names of comprehensions and lambdas. Their time counts for the enclosing function.
_INNER = re.compile(r"(\.<locals>)?\.<(genexpr|listcomp|dictcomp|setcomp|lambda)>")
OWN = re.compile(r"^(?P<function>.+) \((?P<file>.+):(?P<line>\d+)\)$", re.DOTALL)
_PLACE = re.compile(r"^(?P<function>.+) \((?P<file>.+?)(:\d+)?\)$", re.DOTALL)


def split_place(own: str) -> tuple[str, str]:
    """Return the function and the file of a place, which may also have a line."""
    match = _PLACE.match(own)
    if match is None:
        return own, ""
    return match["function"], match["file"].removeprefix("./")


def function_key(frame: str) -> str:
    """Return a frame without its line.

    Only frames of the user's code have a line. They get `./` before their file.
    """
    match = OWN.match(frame)
    if match is None:
        return frame
    return f"{_INNER.sub('', match['function'])} (./{match['file']})"


def file_key(frame: str) -> str:
    """Return one key for all functions of a library's file; else the frame's key."""
    key = function_key(frame)
    match = _PLACE.match(frame)
    return f"several functions ({match['file']})" if match and is_library(key) else key


def is_own(key: str) -> bool:
    """Say whether the key of a frame is one of the user's functions."""
    return " (./" in key and not key.startswith("<module>")


def is_library(key: str) -> bool:
    """Say whether the key of a frame is a function of a library, not of a server."""
    # `outside the GIL` is not a function. Its time belongs to its caller.
    named = " (" in key and key.endswith(")") and not key.startswith("outside the GIL")
    return named and not is_own(key) and not INFRASTRUCTURE.search(key)
