"""Child processes that never outlive Assay, and what can be read of them.

Every child gets a process group of its own and carries a token in its
environment. A guard process waits for Assay's end, however that comes, and ends
whatever still carries the token; so even SIGKILL leaves nothing behind.
"""

import contextlib
import ctypes
import glob
import math
import os
import platform
import secrets
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from assay.errors import MeasureError

TOKEN = "ASSAY_TOKEN"
SHORTEST_SLICE = 100_000  # nanoseconds: the least that Linux accepts
_token = secrets.token_hex(8)


@dataclass(frozen=True)
class Cores:
    """Which cores the target has for itself, and which everything else shares.

    Both are empty where nothing can be pinned.
    """

    target: tuple[int, ...] = ()
    generator: tuple[int, ...] = ()


def split_cores() -> Cores:
    """Give the target half of the cores that this process may use."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores()
    allowed = sorted(os.sched_getaffinity(0))
    half = len(allowed) // 2
    return Cores(tuple(allowed[:half]), tuple(allowed[half:])) if half else Cores()


class Child:
    """A process with its own group, its output in a log file."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        """Wrap a process that `start` started."""
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its group."""
        return self._process.pid

    def running(self) -> bool:
        """Say whether the process itself is still there."""
        return self._process.poll() is None

    def exit_code(self) -> int | None:
        """Return its exit code, negative for a signal, None while it runs."""
        return self._process.poll()

    def interrupt(self) -> None:
        """Send SIGINT to the process alone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGINT)

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds; say whether it has ended."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def terminate(self) -> None:
        """Send SIGTERM to the whole group, and do not wait."""
        self._signal_group(signal.SIGTERM)

    def stop(self, grace: float = 3.0) -> None:
        """End the whole group: SIGTERM, then SIGKILL after `grace` seconds."""
        self.terminate()
        self.wait(grace)
        # Members can outlive their leader (a process pool does), so the group
        # is killed whether or not the leader has gone.
        self._signal_group(signal.SIGKILL)
        self._process.wait()

    def last_lines(self, count: int = 12) -> str:
        """Return the last lines of its log, indented, for an error message."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return (
            "\n".join(f"    {line}" for line in lines[-count:])
            or "    (it wrote nothing)"
        )

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


@dataclass(frozen=True)
class Inherited:
    """What a child gets from this process.

    Attributes:
        descriptors: That stay open in it.
        user: (uid, gid) that it becomes, which needs root; None for this one's.
    """

    descriptors: tuple[int, ...] = ()
    user: tuple[int, int] | None = None


NOTHING = Inherited()


def start(
    name: str,
    command: Sequence[str],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    cores: Sequence[int] = (),
    inherits: Inherited = NOTHING,
) -> Child:
    """Start a process in a session of its own.

    Args:
        name: What to call it in messages.
        command: Program and arguments.
        log: File that takes its standard output and error.
        cwd: Working directory; this one if None.
        env: Its whole environment; this one if None.
        cores: Cores it is pinned to; empty leaves it free.
        inherits: What it gets from this process, and as whom it runs.

    Raises:
        MeasureError: The program cannot be started.
    """
    environment = {**(os.environ if env is None else env), TOKEN: _token}
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(command),
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=inherits.user[0] if inherits.user else None,
                group=inherits.user[1] if inherits.user else None,
                extra_groups=[] if inherits.user else None,
                pass_fds=inherits.descriptors,
            )
    except OSError as error:
        raise MeasureError(
            f"{name}: cannot start {command[0]!r}: {error.strerror}"
        ) from error
    if cores:
        pin(process.pid, cores)
    return Child(name, process, log)


def pin(pid: int, cores: Sequence[int]) -> None:
    """Pin every process of a family, with all its threads, to some cores."""
    for member in family(pid):
        for thread in _threads(member):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(thread, cores)


def raise_priority(child: Child) -> None:
    """Let a process that is due run before anything else on its core.

    A load generator that waits behind a database sends late, by milliseconds.
    Real-time priority prevents that but needs root (or an `rtprio` limit); what
    everybody may ask for is a short slice, which lets the scheduler preempt
    others for it (sched_setattr(2), Linux 6.12 and newer).
    """
    if not hasattr(os, "SCHED_FIFO"):
        return
    try:
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(child.pid, policy, os.sched_param(1))
    except OSError:
        number = {"x86_64": 314, "aarch64": 274}.get(platform.machine())
        if number is not None:
            # size, policy, flags, nice, priority, then the slice in nanoseconds.
            attributes = struct.pack("IIQiIQQQ", 48, 0, 0, 0, 0, SHORTEST_SLICE, 0, 0)
            ctypes.CDLL(None).syscall(number, child.pid, attributes, 0)


def step_back(child: Child) -> None:
    """Let a process run only when nothing else wants its core.

    For a database that shares the generator's core. It is inherited by what the
    process forks. (Where every session is a scheduling group of its own, the
    policy says little: then `raise_priority` must do.)
    """
    if hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(child.pid, os.SCHED_IDLE, os.sched_param(0))


def family(pid: int) -> list[int]:
    """Return the process and all its descendants that are there now."""
    try:
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of another process, to the nanosecond where possible.

    On Linux this is the process's CPU clock (`clock_getcpuclockid(3)`); elsewhere
    psutil's figure, which has the grain of the scheduler's ticks.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return time.clock_gettime_ns(((~pid) << 3) | 2) / 1e9
        return 0.0
    with contextlib.suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return 0.0


def run_delays(pid: int) -> dict[int, float]:
    """Return the seconds that each thread was runnable but not running."""
    waited = {}
    for thread in _threads(pid):
        with contextlib.suppress(OSError, IndexError, ValueError):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                waited[thread] = int(file.read().split()[1]) / 1e9
    return waited


def run_delay(pid: int) -> float:
    """Return the seconds that a process's threads were runnable but not running."""
    return sum(run_delays(pid).values())


def busy_seconds(cores: Sequence[int]) -> float:
    """Return the seconds that some cores have worked since some fixed moment.

    What they worked between two calls, less the CPU time of one's own processes,
    is what neighbours took. The kernel accounts for it per core to the
    microsecond in the cpuacct controller, or else in the idle states' residence
    times; the ticks of /proc/stat would be far too coarse for a short slice.

    Returns:
        Seconds, summed over the cores; NaN where the kernel does not say.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open("/sys/fs/cgroup/cpuacct/cpuacct.usage_percpu") as file:
            used = file.read().split()
        return sum(int(used[core]) for core in cores) / 1e9
    worked = 0.0
    for core in cores:
        idle = 0
        states = glob.glob(f"/sys/devices/system/cpu/cpu{core}/cpuidle/state*/time")
        try:
            for state in states:
                with open(state) as file:
                    idle += int(file.read())
        except (OSError, ValueError):
            return math.nan
        if not idle:
            return math.nan
        worked += time.perf_counter() - idle / 1e6
    return worked


def memory_peak(pid: int) -> int:
    """Return the bytes of peak resident memory, summed over a family."""
    total = 0
    for member in family(pid):
        with contextlib.suppress(OSError, psutil.Error):
            status = Path(f"/proc/{member}/status")
            if status.exists():
                line = next(
                    (
                        x
                        for x in status.read_text().splitlines()
                        if x.startswith("VmHWM:")
                    ),
                    "",
                )
                total += int(line.split()[1]) * 1024 if line else 0
            else:
                total += psutil.Process(member).memory_info().rss
    return total


@contextlib.contextmanager
def guarded(temporary: Sequence[Path] = ()) -> Iterator[None]:
    """Have a guard end every child, and remove `temporary`, if Assay dies.

    The guard is a process in its own session that holds one end of a pipe: when
    the other end closes, Assay is gone. On a clean exit it finds nothing to do.
    """
    reader, writer = os.pipe()
    guard = subprocess.Popen(
        [sys.executable, "-m", "assay.system.processes", _token, *map(str, temporary)],
        stdin=reader,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(reader)
    try:
        yield
    finally:
        os.close(writer)
        guard.wait()


def _threads(pid: int) -> list[int]:
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


def _marked(token: str) -> list[psutil.Process]:
    """Return every process that carries the token, but this one."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(TOKEN) == token:
                found.append(process)
    return found


def _guard(token: str, temporary: Sequence[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    for process in _marked(token):
        with contextlib.suppress(psutil.Error):
            process.terminate()
    deadline = time.monotonic() + 2.0
    while (left := _marked(token)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    for folder in temporary:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _guard(sys.argv[1], sys.argv[2:])
