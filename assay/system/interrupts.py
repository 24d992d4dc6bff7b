"""Work that no Ctrl-C splits."""

import contextlib
import importlib
import signal
import threading
from collections.abc import Iterator

_INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Let what interrupts wait until this is done.

    Only the main thread is interrupted, so in any other nothing has to wait.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in _INTERRUPTING
        if callable(signal.getsignal(number))  # neither ignored nor deadly
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


def load_scipy() -> None:
    """Import SciPy before anything depends on it.

    It is imported late, since most commands need none of it. A SciPy whose import was
    interrupted cannot be imported again, and what was measured could not be judged.
    """
    with held():
        for part in ("optimize", "special", "stats"):
            importlib.import_module(f"scipy.{part}")
