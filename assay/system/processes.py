"""Child processes that never outlive Assay, and measurements of processes.

Every child has its own process group, and a token in its environment. A guard process
waits until Assay ends, for whatever reason, and then ends every process that has the
token. Nothing stays behind, even if Assay itself was killed with SIGKILL.
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
from assay.system import redaction

# It marks the processes that this process of Assay started.
OWNER = "ASSAY_OWNER"
MIN_TIME_SLICE = 100_000  # nanoseconds: the shortest that Linux accepts
LOG_END = 1_000_000  # characters at the end of a log; its last lines are among them
LONGEST_SECRET = 100_000  # characters that are read before the end of a log
SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}  # number of the system call
_token = secrets.token_hex(8)


@dataclass(frozen=True)
class Cores:
    """The cores that only the target uses, and the cores that all others share.

    Both are empty if processes cannot be pinned, or if there is only one core.
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
    """A process in its own process group, with its output in a log file."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        """Wrap a process that `start` has started."""
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        """The process id, which is also the id of the process group."""
        return self._process.pid

    def running(self) -> bool:
        """Return whether the process itself still runs."""
        return self._process.poll() is None

    def exit_code(self) -> int | None:
        """Return the exit code: negative for a signal, None while the process runs."""
        return self._process.poll()

    def interrupt(self) -> None:
        """Send SIGINT to the process, but not to the rest of its group."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGINT)

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds; return whether the process has ended."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def terminate(self) -> None:
        """Send SIGTERM to the group, without waiting for its end."""
        self._signal_group(signal.SIGTERM)

    def stop(self, grace: float = 3.0) -> None:
        """End the group: SIGTERM, then SIGKILL after at most `grace` seconds."""
        self.terminate()
        self.wait(grace)
        # Other processes of the group can outlive its first process (those of a process
        # pool do), so the group is killed even if the first process has ended.
        self._signal_group(signal.SIGKILL)
        self._process.wait()

    def last_lines(self, count: int = 12) -> str:
        """Return the last lines of the log, indented, for an error message.

        Secrets are replaced by `***`, even if they began before the last lines.
        """
        lines = end_of_log(self.log, LOG_END).splitlines()
        return (
            "\n".join(f"    {line}" for line in lines[-count:])
            or "    (it wrote nothing)"
        )

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def end_of_log(log: Path, limit: int) -> str:
    """Return the end of a log, with its secrets replaced by `***`.

    A secret of which only the end is read would not be recognised. So more is read than
    is returned, and a line that is cut off is left out.

    Args:
        log: The file.
        limit: The largest number of characters that are returned.

    Raises:
        OSError: The file cannot be read.
    """
    text = log.read_text(encoding="utf-8", errors="replace")
    end = text[-limit - LONGEST_SECRET :]
    shown = redaction.text(end)
    if len(end) < len(text):
        shown = shown.partition("\n")[2] or shown[LONGEST_SECRET:]
    return shown[-limit:]


@dataclass(frozen=True)
class Inherited:
    """The file descriptors and the user that a child inherits from this process.

    Attributes:
        descriptors: File descriptors that stay open in the child.
        user: (uid, gid) that the child runs as, which needs root; None for the user of
            this process.
    """

    descriptors: tuple[int, ...] = ()
    user: tuple[int, int] | None = None


INHERITS_NOTHING = Inherited()


def start(
    name: str,
    command: Sequence[str],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    cores: Sequence[int] = (),
    inherits: Inherited = INHERITS_NOTHING,
) -> Child:
    """Start a process in its own session.

    Args:
        name: Name of the process in messages.
        command: Program and arguments.
        log: File for its standard output and standard error.
        cwd: Working directory; this process's if None.
        env: Complete environment; this process's if None.
        cores: Cores that the process is pinned to; empty for no pinning.
        inherits: File descriptors and user of the process.

    Raises:
        MeasureError: The program cannot be started.
    """
    environment = {**(os.environ if env is None else env), OWNER: _token}
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
    """Pin a process and its descendants, with all their threads, to some cores."""
    for member in tree(pid):
        for thread in _threads(member):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(thread, cores)


def raise_priority(child: Child) -> None:
    """Let a process preempt everything else on its core as soon as it is runnable.

    A load generator that has to wait until a database leaves its core sends requests
    milliseconds late. Real-time priority prevents that, but needs root or an `rtprio`
    limit. Without it, the process gets a short time slice, which needs no privileges:
    the scheduler then lets it preempt other processes sooner (sched_setattr(2), Linux
    6.12 and newer).
    """
    if not hasattr(os, "SCHED_FIFO"):
        return
    try:
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(child.pid, policy, os.sched_param(1))
    except OSError:
        syscall = SCHED_SETATTR.get(platform.machine())
        if syscall is not None:
            # size, policy, flags, nice, priority, then the time slice in nanoseconds.
            attributes = struct.pack("IIQiIQQQ", 48, 0, 0, 0, 0, MIN_TIME_SLICE, 0, 0)
            ctypes.CDLL(None).syscall(syscall, child.pid, attributes, 0)


def lower_priority(child: Child) -> None:
    """Let a process run only when its core is otherwise idle.

    This is meant for a database that shares the generator's core. Processes that the
    database forks inherit the policy. Where every session is its own scheduling group,
    the policy has little effect; then only `raise_priority` of the generator helps.
    """
    if hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(child.pid, os.SCHED_IDLE, os.sched_param(0))


def tree(pid: int) -> list[int]:
    """Return the ids of a process and of all its current descendants."""
    try:
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of another process, to the nanosecond where possible.

    On Linux it comes from the process's CPU clock (`clock_getcpuclockid(3)`), elsewhere
    from psutil, with the resolution of the scheduler's ticks.
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
    delays = {}
    for thread in _threads(pid):
        with contextlib.suppress(OSError, IndexError, ValueError):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                delays[thread] = int(file.read().split()[1]) / 1e9
    return delays


def run_delay(pid: int) -> float:
    """Return the seconds that a process's threads were runnable but not running."""
    return sum(run_delays(pid).values())


def busy_seconds(cores: Sequence[int]) -> float:
    """Return the seconds that some cores have been busy since a fixed moment.

    The difference between two calls, minus the CPU time of the caller's own processes,
    is the time that other processes took. The kernel counts the time of each core to
    the microsecond: the busy time in the cpuacct controller, or the time spent in each
    idle state. The ticks of /proc/stat would be far too coarse for a short measurement.

    Returns:
        Seconds, summed over the cores; NaN if the kernel does not provide them.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open("/sys/fs/cgroup/cpuacct/cpuacct.usage_percpu") as file:
            usage = file.read().split()
        return sum(int(usage[core]) for core in cores) / 1e9
    busy = 0.0
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
        busy += time.perf_counter() - idle / 1e6
    return busy


def memory_peak(pid: int) -> int:
    """Return the peak resident memory in bytes, summed over a process tree.

    Without /proc the current resident memory is returned instead.
    """
    total = 0
    for member in tree(pid):
        with contextlib.suppress(OSError, psutil.Error):
            status = Path(f"/proc/{member}/status")
            if status.exists():
                lines = status.read_text().splitlines()
                peak = next((line for line in lines if line.startswith("VmHWM:")), "")
                total += int(peak.split()[1]) * 1024 if peak else 0
            else:
                total += psutil.Process(member).memory_info().rss
    return total


@contextlib.contextmanager
def guarded(temporary: Sequence[Path] = ()) -> Iterator[None]:
    """Start a guard that ends every child and removes `temporary` if Assay dies.

    The guard is a process in its own session that holds one end of a pipe. When the
    other end closes, Assay has ended. After a clean exit the guard usually finds
    nothing left to end or to remove.
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


def _processes_with_token(token: str) -> list[psutil.Process]:
    """Return every process with the token in its environment, except this one."""
    marked = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(OWNER) == token:
                marked.append(process)
    return marked


def _guard(token: str, temporary: Sequence[str]) -> None:
    """Wait until Assay ends; then end its processes and remove its temporary files."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()  # returns when Assay's end of the pipe closes
    for process in _processes_with_token(token):
        with contextlib.suppress(psutil.Error):
            process.terminate()
    deadline = time.monotonic() + 2.0
    while (left := _processes_with_token(token)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    for folder in temporary:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _guard(sys.argv[1], sys.argv[2:])
