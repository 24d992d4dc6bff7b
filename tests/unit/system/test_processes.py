"""Child processes in their own groups, and the measurements of processes."""

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from assay.errors import MeasureError
from assay.system import processes

PARENT = """
import subprocess, sys, time, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def python(code: str, folder: Path) -> processes.Child:
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return processes.start("a child", command, log=folder / "child.log")


def first_output(child: processes.Child) -> str:
    deadline = time.monotonic() + 20
    while not (text := child.log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return text


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_stop_ends_the_whole_group_even_if_it_does_not_want_to(tmp_path: Path) -> None:
    child = python(PARENT, tmp_path)
    grandchild = int(first_output(child))
    assert processes.tree(child.pid) == [child.pid, grandchild]
    child.stop(grace=0.2)
    assert not child.running()
    deadline = time.monotonic() + 30
    while not gone(grandchild) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert gone(grandchild)


def test_the_guard_ends_children_of_a_killed_parent(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir()
    script = f"""
    import os, sys, signal, time
    from pathlib import Path
    from assay.system import processes
    folder = Path({str(tmp_path)!r})
    with processes.guarded([Path({str(private)!r})]):
        child = processes.start(
            "x", [sys.executable, "-c", "import time; time.sleep(60)"],
            log=folder / "x.log",
        )
        print(child.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True
    )
    pid = int(done.stdout)
    deadline = time.monotonic() + 30
    while (not gone(pid) or private.exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert gone(pid)
    assert not private.exists()


def test_a_command_that_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="tea: cannot start 'teapot-418'"):
        processes.start("tea", ["teapot-418"], log=tmp_path / "log")


def test_the_last_lines_of_a_log(tmp_path: Path) -> None:
    child = python("print('\\n'.join(map(str, range(30))))", tmp_path)
    child.wait(20)
    assert child.last_lines(2) == "    28\n    29"
    assert child.exit_code() == 0


def test_the_last_lines_of_a_log_hold_no_secret(tmp_path: Path) -> None:
    key = "\\n".join(["-----BEGIN PRIVATE KEY-----", "Zq7Kp", "Zq8Kp", "Zq9Kp"])
    code = f"print('token=hunter2x9\\n{key}')"
    child = python(code, tmp_path)
    child.wait(20)
    assert child.last_lines(3) == "    token=***\n    -----BEGIN PRIVATE KEY-----***"


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's CPU clocks")
def test_another_process_clock_is_its_own(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\n"
    child = python(
        burn + "print(time.process_time(), flush=True)\nwhile 1: pass", tmp_path
    )
    try:
        first = float(first_output(child))
        assert processes.cpu_seconds(child.pid) >= first
        assert processes.memory_peak(child.pid) > 1_000_000
    finally:
        child.stop()
    assert processes.cpu_seconds(child.pid) == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's schedstat")
def test_waiting_for_a_core_is_seen(tmp_path: Path) -> None:
    core = sorted(os.sched_getaffinity(0))[:1]
    busy = "while 1: pass"
    pair = [python(busy, tmp_path), python(busy, tmp_path)]
    try:
        for child in pair:
            processes.pin(child.pid, core)
        before = [processes.run_delay(child.pid) for child in pair]
        time.sleep(0.6)
        waited = [
            processes.run_delay(child.pid) - start
            for child, start in zip(pair, before, strict=True)
        ]
        # Two busy processes on one core each wait for about half of the time.
        assert sum(waited) > 0.3
    finally:
        for child in pair:
            child.stop()


def test_the_cores_are_shared_out() -> None:
    cores = processes.split_cores()
    assert not set(cores.target) & set(cores.generator)
    if len(os.sched_getaffinity(0)) > 1:
        assert cores.target and cores.generator


def test_what_is_gone_has_no_numbers() -> None:
    assert processes.tree(2**22 + 1) == []
    assert processes.run_delay(2**22 + 1) == 0.0


@pytest.mark.parametrize("line", [0, 40])
def test_the_end_of_a_log_holds_no_end_of_a_secret(tmp_path: Path, line: int) -> None:
    log = tmp_path / "a.log"
    secret = "https://api.telegram.org/bot123:Zq7Kp011xT9/send failed"
    end = "\n".join([secret] * 5000) + ("\n" + "x" * line) * bool(line)
    log.write_text(end)
    for limit in range(1000, 1000 + len(secret) + 2):
        shown = processes.end_of_log(log, limit)
        assert "Zq7Kp011xT9" not in shown and 0 < len(shown) <= limit
        assert shown.endswith("x" * line if line else "*** failed")
    log.write_text("y" * 300_000)  # a line without an end
    assert processes.end_of_log(log, 1000) == "y" * 1000
    log.write_text("short")
    assert processes.end_of_log(log, 1000) == "short"
