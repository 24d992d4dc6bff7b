"""Examine whether this machine is fit to measure on, and what is missing.

Each examination answers one question, and says what to do about a poor answer. No
examination fails: if the answer cannot be determined, that is a finding as well.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from assay.doctor import trial
from assay.doctor.finding import Finding, judged
from assay.doctor.spin import PIECE_SECONDS, Spin
from assay.profilers import pyspy
from assay.system import processes

SPIN_PROGRAM = "from assay.doctor.spin import print_spin; print_spin()"
# Limits of the spread of equal pieces of work (`Spin.spread`). The speed of shared
# machines varies by 5 to 10 %.
SPREAD_POOR = 0.03
SPREAD_BAD = 0.10
# Share of the core's time that others take. Above 1 %, some slices are disturbed, and
# their blocks have to be repeated. Above 5 %, a typical slice is disturbed, so
# repeating does not help.
STOLEN_POOR = 0.01
STOLEN_BAD = 0.05
# Share of all cores that other processes use.
BUSY_POOR = 0.10
BUSY_BAD = 0.50
# Available bytes.
MEMORY_POOR = 1024**3
MEMORY_BAD = 256 * 1024**2
CLOCK_SECONDS = 0.1  # usual time for reading the CPU clock of a process
CLOCK_PATIENCE = 3.0  # maximum seconds of clock reading, if the process must wait
# Milliseconds: a reading this close to a whole millisecond counts as whole.
TICK_TOLERANCE = 1e-4
SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies", "refined-jiffies")


def examine(
    seconds: float = 5.0, quick: bool = False, say: trial.Say = lambda words: None
) -> list[Finding]:
    """Examine this machine.

    Args:
        seconds: How long to watch the noise.
        quick: Whether to leave out the A/A trial, which takes some 20 s. The other
            examinations take about a second more than `seconds`.
        say: Called with a description of each step.

    Returns:
        The findings, in the order in which they are shown.
    """
    with (
        tempfile.TemporaryDirectory(prefix="assay-") as name,
        processes.guarded([Path(name)]),
    ):
        folder = Path(name)
        cores = processes.split_cores()
        say("looking at cores and clocks")
        with _busy_child(folder, cores.target[:1]) as child:
            findings = [
                examine_cores(cores),
                _examine_pinning(child, cores),
                _examine_cpu_clock(child),
                _examine_run_delay(child),
            ]
        findings.append(_examine_pyspy())
        say(f"watching the noise for {seconds:g} s")
        noise = measure_noise(folder, cores, seconds)
        findings += noise
        if not quick:
            steady = noise[0].state == "good"
            findings += trial.examine_resolution(folder, steady, say)
    findings += [
        examine_memory(psutil.virtual_memory().available),
        examine_clock(_clock_source(), time.get_clock_info("perf_counter").resolution),
    ]
    return findings


def examine_cores(cores: processes.Cores) -> Finding:
    """Judge how target and load generator share the cores."""
    if cores.target:
        return Finding(
            "cores",
            "good",
            f"target on {_core_list(cores.target)}, load generator and the rest on "
            f"{_core_list(cores.generator)}",
        )
    count = os.cpu_count() or 1
    return Finding(
        "cores",
        "bad" if count < 2 else "poor",
        f"{count} {'core' if count == 1 else 'cores'}; target and load generator "
        "cannot be given separate cores",
        "use a machine with 2 cores or more, if possible with Linux: otherwise the "
        "generator takes CPU time from the target that it measures",
    )


def examine_noise(spin: Spin, steal: float | None) -> list[Finding]:
    """Judge how constant the speed of the target's core is, and how much is stolen.

    Args:
        spin: A spin calibration on the target's core.
        steal: Share of all CPU time that the hypervisor gave to others; None if the
            system does not count it.
    """
    advice = "stop other processes, or use a dedicated machine"
    spread = Finding(
        "steadiness",
        judged(spin.spread, SPREAD_POOR, SPREAD_BAD),
        f"the same {PIECE_SECONDS * 1000:g} ms of work varies by "
        f"{100 * spin.spread:.1f} % (robust sd of {len(spin.pieces)} pieces)",
        "" if spin.spread < SPREAD_POOR else f"{advice}; expect more launches",
        spin.spread,
        "share",
    )
    stolen = spin.run_delay / spin.seconds
    taken = f"other processes took {100 * stolen:.1f} % of the target's core"
    if steal is not None:
        taken += f", and the hypervisor {100 * steal:.1f} % of all cores"
    share = max(stolen, steal or 0.0)
    return [
        spread,
        Finding(
            "stolen time",
            judged(share, STOLEN_POOR, STOLEN_BAD),
            taken,
            "" if share < STOLEN_POOR else f"{advice}; disturbed blocks are repeated",
            share,
            "share",
        ),
    ]


def examine_others(
    busy: float, cores: int, load: float, names: tuple[str, ...]
) -> Finding:
    """Judge how busy other processes keep this machine.

    Args:
        busy: Cores that other processes kept busy.
        cores: The number of cores.
        load: Load average of the last minute.
        names: The processes that used most CPU time, the busiest first.
    """
    state = judged(busy / cores, BUSY_POOR, BUSY_BAD)
    usage = f"other processes use {busy:.2f} of {cores} cores (load average {load:.2f})"
    return Finding(
        "other processes",
        state,
        f"{usage}; busiest: {', '.join(names)}" if names else usage,
        "" if state == "good" else "stop them, or wait until they have finished",
        busy,
        "cores",
    )


def examine_memory(available: int) -> Finding:
    """Judge the available memory, in bytes."""
    state = judged(1 / max(available, 1), 1 / MEMORY_POOR, 1 / MEMORY_BAD)
    return Finding(
        "memory",
        state,
        f"{available / 1024**2:.0f} MiB available",
        (
            ""
            if state == "good"
            else "free some memory: a machine that swaps measures its disk"
        ),
        available,
        "B",
    )


def examine_clock(source: str, resolution: float) -> Finding:
    """Judge the clock with which requests are timed.

    Args:
        source: The kernel's clock source; empty if unknown.
        resolution: The resolution of `time.perf_counter`, in seconds.
    """
    prefix = f"{source}, " if source else ""
    slow = source in SLOW_CLOCKS or resolution > 1e-5
    return Finding(
        "clock",
        "poor" if slow else "good",
        f"{prefix}resolution {resolution * 1e9:.0f} ns",
        "slow or coarse; on Linux, boot with clocksource=tsc" if slow else "",
        resolution,
        "s",
    )


@contextlib.contextmanager
def _busy_child(folder: Path, cores: tuple[int, ...]) -> Iterator[processes.Child]:
    # The child sleeps now and then, as a server does: if a process never sleeps, the
    # kernel updates its CPU clock only at ticks.
    program = "import time\nwhile True: sum(range(9999)); time.sleep(1e-4)"
    child = processes.start(
        "a busy process",
        [sys.executable, "-c", program],
        log=folder / "busy.log",
        cores=cores,
    )
    try:
        time.sleep(0.2)
        yield child
    finally:
        child.stop()


def _examine_pinning(child: processes.Child, cores: processes.Cores) -> Finding:
    if not hasattr(os, "sched_getaffinity") or not cores.target:
        return Finding(
            "pinning",
            "poor",
            "processes are not pinned to cores here",
            "expect wider intervals; pinning needs Linux and 2 cores or more",
        )
    if os.sched_getaffinity(child.pid) == set(cores.target[:1]):
        return Finding(
            "pinning", "good", "processes stay on the cores they are pinned to"
        )
    return Finding(
        "pinning",
        "poor",
        "a process did not stay on the core that it was pinned to",
        "check the CPU set of this container or session (taskset --cpu-list --pid $$)",
    )


def _examine_cpu_clock(child: processes.Child) -> Finding:
    readings: set[float] = set()
    began = time.perf_counter()
    # On a busy machine the child may have to wait for its turn.
    while (waited := time.perf_counter() - began) < CLOCK_SECONDS or (
        len(readings) < 2 and waited < CLOCK_PATIENCE
    ):
        readings.add(processes.cpu_seconds(child.pid))
    if len(readings) < 2:
        return Finding(
            "CPU clock",
            "bad",
            "the CPU time of another process cannot be read",
            "cpu_per_request and CPU profiles will be missing; run Assay as the user "
            "who runs the target",
        )
    ordered = sorted(readings)
    step = min(b - a for a, b in zip(ordered, ordered[1:], strict=False))
    # Readings can be far apart for other reasons. A clock that counts ticks shows whole
    # milliseconds.
    whole_milliseconds = all(
        abs(1e3 * reading - round(1e3 * reading)) < TICK_TOLERANCE
        for reading in readings
    )
    if whole_milliseconds and step > 1e-3:
        return Finding(
            "CPU clock",
            "poor",
            f"the CPU time of another process comes in steps of {step * 1e3:.0f} ms",
            "cpu_per_request is coarse; use Linux, where this clock has nanoseconds",
        )
    return Finding("CPU clock", "good", "the CPU time of another process is exact")


def _examine_run_delay(child: processes.Child) -> Finding:
    path = Path(f"/proc/{child.pid}/schedstat")
    try:
        counted = int(path.read_text(encoding="ascii").split()[0]) > 0
    except (OSError, ValueError, IndexError):
        counted = False
    if counted:
        return Finding(
            "run-delay", "good", "the kernel counts how long a process waits"
        )
    return Finding(
        "run-delay",
        "poor",
        "the kernel does not count how long a process waits for its core",
        "disturbed blocks cannot be detected; to turn the count on, type on Linux: "
        "sudo sysctl kernel.sched_schedstats=1",
    )


def _examine_pyspy() -> Finding:
    problem = pyspy.attach_problem()
    if not problem:
        return Finding("py-spy", "good", "it can observe Python processes")
    reason, _, advice = problem.partition("; ")
    return Finding("py-spy", "poor", f"{reason} (no CPU profiles)", advice)


def measure_noise(
    folder: Path, cores: processes.Cores, seconds: float
) -> list[Finding]:
    """Return the findings on steadiness, stolen time and other processes.

    While a spin calibration runs on the target's core, the CPU time that others take is
    measured. If the calibration fails, there is no finding on stolen time.
    """
    child = processes.start(
        "a spin calibration",
        [sys.executable, "-c", SPIN_PROGRAM, str(seconds)],
        log=folder / "spin.log",
        cores=cores.target[:1],
    )
    try:
        before, started = _cpu_by_process(), time.perf_counter()
        steal = _stolen_ticks()
        finished = child.wait(seconds + 30)
        took = time.perf_counter() - started
        after, steal_after = _cpu_by_process(), _stolen_ticks()
    finally:
        child.stop()
    own_pids = {os.getpid(), child.pid}
    used = [
        ((spent - before.get(pid, ("", 0.0))[1]) / took, name)
        for pid, (name, spent) in after.items()
        if pid not in own_pids
    ]
    busiest = sorted(used, reverse=True)[:3]
    names = tuple(_printable(name) for share, name in busiest if share > 0.02)
    busy = sum(share for share, _ in used)
    findings = [examine_others(busy, os.cpu_count() or 1, os.getloadavg()[0], names)]
    stolen = None
    if steal and steal_after and steal_after[1] > steal[1]:
        stolen = (steal_after[0] - steal[0]) / (steal_after[1] - steal[1])
    try:
        pieces, waited, spent = json.loads(child.log.read_text(encoding="utf-8"))
    except ValueError:
        reason = child.last_lines(2).strip() if finished else "it did not end"
        failure = f"the spin calibration failed: {reason}"
        return [Finding("steadiness", "bad", failure), *findings]
    return examine_noise(Spin(tuple(pieces), waited, spent), stolen) + findings


def _cpu_by_process() -> dict[int, tuple[str, float]]:
    """Return the name and CPU seconds of every process, by pid."""
    usage = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            usage[process.pid] = process.name(), float(times.user + times.system)
    return usage


def _stolen_ticks() -> tuple[int, int] | None:
    """Return the stolen ticks and the total ticks of all cores since boot.

    The result is None if they are unknown.
    """
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    except OSError:
        return None
    ticks = [int(field) for field in line.split()[1:9]]
    return (ticks[7], sum(ticks)) if len(ticks) == 8 else None


def _clock_source() -> str:
    path = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _core_list(cores: tuple[int, ...]) -> str:
    kind = "core" if len(cores) == 1 else "cores"
    return f"{kind} {', '.join(map(str, cores))}"


def _printable(name: str) -> str:
    """Return a process's name, shortened and with `?` for control characters."""
    return "".join(c if c.isprintable() else "?" for c in name)[:40]
