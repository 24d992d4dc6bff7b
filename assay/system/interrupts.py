"""Signals that stop Assay: their names, and code that they must not interrupt."""

import contextlib
import importlib
import signal
import threading
from collections.abc import Iterator

from assay.errors import AssayError

_INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_raised: list[int] = []  # the signals that became a KeyboardInterrupt


def raise_interrupt(number: int, _: object) -> None:
    """Handle a signal: raise a KeyboardInterrupt that knows which signal it was."""
    _raised.append(number)
    raise KeyboardInterrupt(name(number))


def interrupted(error: BaseException) -> bool:
    """Return whether a signal is the reason for an error.

    A library can catch the KeyboardInterrupt and raise an error of its own: pydantic
    does so while it builds a class. Errors that Assay raises itself say what is wrong,
    whatever came before.
    """
    if isinstance(error, KeyboardInterrupt):
        return True
    return bool(_raised) and not isinstance(error, AssayError)


def handled() -> None:
    """Note that a signal was dealt with: later errors have other reasons."""
    _raised.clear()


def cause(interrupt: BaseException) -> str:
    """Return what interrupted this process: ``Ctrl-C``, ``SIGTERM`` or ``SIGHUP``."""
    if isinstance(interrupt, KeyboardInterrupt) and interrupt.args:
        return str(interrupt.args[0])
    return name(_raised[-1] if _raised else signal.SIGINT)


def name(number: int) -> str:
    """Return the name of a signal for people: ``Ctrl-C`` for SIGINT."""
    if number == signal.SIGINT:
        return "Ctrl-C"
    return signal.Signals(number).name


def why_ended(error: BaseException, noun: str) -> str:
    """Return why a run or test ended before it was complete, in a sentence.

    Args:
        error: What ended it.
        noun: What it is: ``run`` or ``test``.
    """
    if interrupted(error):
        return f"{cause(error)} stopped the {noun} before it was complete."
    reason = str(error) if isinstance(error, AssayError) else repr(error)
    return f"The {noun} ended before it was complete: {reason}"


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
