"""Sections of code that Ctrl-C must not interrupt."""

import contextlib
import importlib
import signal
import threading
from collections.abc import Iterator

_INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Defer interrupting signals to the end of the `with` block.

    Python runs signal handlers in the main thread only, so in other threads there is
    nothing to defer.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    original_handlers = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in _INTERRUPTING
        if callable(signal.getsignal(number))  # neither SIG_IGN nor SIG_DFL
    }
    try:
        yield
    finally:
        for number, handler in original_handlers.items():
            signal.signal(number, handler)
    if received:
        signal.raise_signal(received[0])


def load_scipy() -> None:
    """Import SciPy in one piece, before anything is measured.

    Most commands do not need SciPy, so it is not imported at the start. If Ctrl-C
    interrupted the import, SciPy could not be imported again in this process, and the
    measurements could not be judged.
    """
    with deferred():
        for package in ("optimize", "special", "stats"):
            importlib.import_module(f"scipy.{package}")
