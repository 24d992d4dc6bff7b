"""Which processes count as the target's."""

import os
import subprocess
import sys
import threading

from assay.load.inside.clocks import _members


def test_a_process_that_another_thread_started_is_a_member() -> None:
    children: list["subprocess.Popen[bytes]"] = []
    over = threading.Event()

    def start() -> None:
        command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        children.append(subprocess.Popen(command, stdin=subprocess.PIPE))
        started.set()
        over.wait(20)  # when a thread ends, its children go to another thread

    started = threading.Event()
    thread = threading.Thread(target=start)
    thread.start()
    started.wait(20)
    try:
        assert children[0].pid in _members(os.getpid())
    finally:
        over.set()
        thread.join()
        children[0].communicate(timeout=20)
