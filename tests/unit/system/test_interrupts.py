"""Code that Ctrl-C must not interrupt."""

import signal
import subprocess
import sys
import threading

import pytest

from assay.errors import MeasureError
from assay.system import interrupts


def test_an_interrupt_comes_after_the_work() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt):
        with interrupts.deferred():
            signal.raise_signal(signal.SIGINT)
            done.append("all of it")
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupts.deferred():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_do_not_touch_signals() -> None:
    def work() -> None:
        with interrupts.deferred():
            done.append(1)

    done: list[int] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]


def test_a_signal_is_the_reason_for_errors_that_others_raise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interrupts, "_raised", [])
    converted = ValueError("what a library made of it")
    assert not interrupts.interrupted(converted)
    with pytest.raises(KeyboardInterrupt):
        interrupts.raise_interrupt(signal.SIGTERM, None)
    assert interrupts.interrupted(converted)
    assert interrupts.why_ended(converted, "run") == (
        "SIGTERM stopped the run before it was complete."
    )
    said = MeasureError("the disk is full")
    assert "the disk is full" in interrupts.why_ended(said, "run")


INTERRUPTED = """\
import signal, sys
from assay.system import interrupts

class Hit:
    def find_spec(self, name, path, target=None):
        if name == "scipy._lib._ccallback":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Hit())
try:
    interrupts.load_scipy()
except KeyboardInterrupt:
    print("interrupted")
sys.meta_path.pop(0)
from scipy.stats import norm
print(norm.cdf(0))
"""


def test_scipy_is_whole_even_if_interrupted_meanwhile() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["interrupted", "0.5"], done.stderr
