"""Where a locustfile raised an error: tracebacks of bounded number and length."""

import traceback
from collections.abc import Mapping
from types import TracebackType

from assay.system import redaction

MAX_TRACEBACKS = 20  # different errors whose traceback is kept
MAX_LENGTH = 4000  # characters of a traceback
MAX_FRAMES = 20
# Parts of the paths of files that run every task: their frames say nothing.
_RUNNERS = ("/locust/user/", "/assay/load/inside/")


def text(error: BaseException) -> str:
    """Return the traceback of an error, from the locustfile's own code on.

    Secrets are removed. A long traceback loses its beginning, because its end says what
    went wrong.
    """
    first = error.__traceback__
    while first is not None and first.tb_next is not None and _is_runner(first):
        first = first.tb_next
    try:
        lines = traceback.format_exception(type(error), error, first, limit=-MAX_FRAMES)
    except Exception as broken:  # an exception class of the user may fail to print
        return f"{type(error).__name__}: its traceback cannot be shown: {broken!r}"
    # Secrets are removed first: a secret that was cut could not be recognised.
    return _end(redaction.text("".join(lines).rstrip()))


def merged(*parts: Mapping[str, str]) -> dict[str, str]:
    """Return the first traceback of each error, of at most `MAX_TRACEBACKS` errors.

    The parts may come from any program: long texts are cut.
    """
    first_of: dict[str, str] = {}
    for part in parts:
        for error, trace in part.items():
            if len(first_of) < MAX_TRACEBACKS:
                first_of.setdefault(error[:MAX_LENGTH], _end(trace))
    return first_of


def _end(whole: str) -> str:
    """Return a text, or the end of a long one."""
    return whole if len(whole) <= MAX_LENGTH else f"…{whole[1 - MAX_LENGTH :]}"


def _is_runner(frame: TracebackType) -> bool:
    path = frame.tb_frame.f_code.co_filename.replace("\\", "/")
    return any(part in path for part in _RUNNERS)
