"""Is this machine fit to measure on, and what is missing?

Each examination answers one question and says what to do about a poor answer.
None of them fails: what cannot be found out is a finding as well.
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
from assay.doctor.spin import PIECE, Spin
from assay.profilers import pyspy
from assay.system import processes

SPIN = "from assay.doctor.spin import print_spin; print_spin()"
# Host speed wanders by 5 to 10 % on shared machines (robust spread of the pieces).
SPREAD_POOR, SPREAD_BAD = 0.03, 0.10
# A slice counts as disturbed above 5 % of run-delay; half of all slices beyond that
# cannot be made up for by repeating them.
STOLEN_POOR, STOLEN_BAD = 0.01, 0.05
BUSY_POOR, BUSY_BAD = 0.10, 0.50  # cores that others use
MEMORY_POOR, MEMORY_BAD = 1024**3, 256 * 1024**2
# Seconds for which the CPU clock of a process is read, and at most.
CLOCK_SECONDS, CLOCK_PATIENCE = 0.1, 3.0
WHOLE = 1e-4  # milliseconds
SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies", "refined-jiffies")


def examine(
    seconds: float = 5.0, quick: bool = False, say: trial.Say = lambda words: None
) -> list[Finding]:
    """Examine this machine.

    Args:
        seconds: How long to watch the noise.
        quick: Leave out the miniature experiment, which takes some 20 s; all the
            rest takes about a second.
        say: Takes what is being done, for whoever waits.

    Returns:
        One finding for each question, in the order in which they matter.
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
        noise = examine_load(folder, cores, seconds)
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
            f"target on {_listed(cores.target)}, load generator and the rest on "
            f"{_listed(cores.generator)}",
        )
    count = os.cpu_count() or 1
    return Finding(
        "cores",
        "bad" if count < 2 else "poor",
        f"{count} {'core' if count == 1 else 'cores'}; target and load generator "
        "cannot be given cores of their own",
        "use a machine with 2 cores or more, and Linux if you can: otherwise the "
        "generator takes time from the target that it measures",
    )


def examine_noise(spin: Spin, steal: float | None) -> list[Finding]:
    """Judge how steadily the target's core works, and how much of it is taken away.

    Args:
        spin: A spin calibration on that core.
        steal: Share of all CPU time that the hypervisor gave to others; None where
            the system does not count it.
    """
    quiet = "stop what else runs here, or use a machine of your own"
    spread = Finding(
        "steadiness",
        judged(spin.spread, SPREAD_POOR, SPREAD_BAD),
        f"the same {PIECE * 1000:g} ms of work vary by {100 * spin.spread:.1f} % "
        f"(robust sd of {len(spin.pieces)} pieces)",
        "" if spin.spread < SPREAD_POOR else f"{quiet}; expect more launches",
        spin.spread,
        "share",
    )
    stolen = spin.run_delay / spin.seconds
    told = (
        ""
        if steal is None
        else f", and the hypervisor {100 * steal:.1f} % of all cores"
    )
    share = max(stolen, steal or 0.0)
    return [
        spread,
        Finding(
            "stolen time",
            judged(share, STOLEN_POOR, STOLEN_BAD),
            f"other processes took {100 * stolen:.1f} % of the target's core{told}",
            "" if share < STOLEN_POOR else f"{quiet}; disturbed blocks are repeated",
            share,
            "share",
        ),
    ]


def examine_others(
    busy: float, cores: int, load: float, names: tuple[str, ...]
) -> Finding:
    """Judge what else runs here.

    Args:
        busy: Cores that other processes kept busy.
        cores: Cores that there are.
        load: Load average of the last minute.
        names: The busiest of them, most busy first.
    """
    state = judged(busy / cores, BUSY_POOR, BUSY_BAD)
    what = f"other processes use {busy:.2f} of {cores} cores (load average {load:.2f})"
    return Finding(
        "other processes",
        state,
        f"{what}; busiest: {', '.join(names)}" if names else what,
        "" if state == "good" else "stop them, or measure when they are done",
        busy,
        "cores",
    )


def examine_memory(available: int) -> Finding:
    """Judge the bytes of memory that are free."""
    state = judged(1 / max(available, 1), 1 / MEMORY_POOR, 1 / MEMORY_BAD)
    return Finding(
        "memory",
        state,
        f"{available / 1024**2:.0f} MiB available",
        (
            ""
            if state == "good"
            else "free memory: a machine that swaps measures its disk"
        ),
        available,
        "B",
    )


def examine_clock(source: str, resolution: float) -> Finding:
    """Judge the clock that requests are timed with.

    Args:
        source: The kernel's clock source; empty where it does not say.
        resolution: Of `time.perf_counter`, in seconds.
    """
    named = f"{source}, " if source else ""
    slow = source in SLOW_CLOCKS or resolution > 1e-5
    return Finding(
        "clock",
        "poor" if slow else "good",
        f"{named}resolution {resolution * 1e9:.0f} ns",
        "slow or coarse; on Linux see the kernel's clocksource=tsc" if slow else "",
        resolution,
        "s",
    )


@contextlib.contextmanager
def _busy_child(folder: Path, cores: tuple[int, ...]) -> Iterator[processes.Child]:
    # It rests between its works, as a server does: the kernel brings the CPU clock of
    # a process that never rests up to date at its ticks only.
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
            "expect wider intervals; Linux with 2 cores or more can do it",
        )
    if os.sched_getaffinity(child.pid) == set(cores.target[:1]):
        return Finding("pinning", "good", "processes stay on the cores they are given")
    return Finding(
        "pinning",
        "poor",
        "a process did not stay on the core that it was given",
        "check the CPU set of this container or session (taskset --cpu-list --pid $$)",
    )


def _examine_cpu_clock(child: processes.Child) -> Finding:
    steps: set[float] = set()
    began = time.perf_counter()
    # On a busy machine the child may have to wait for its turn.
    while (waited := time.perf_counter() - began) < CLOCK_SECONDS or (
        len(steps) < 2 and waited < CLOCK_PATIENCE
    ):
        steps.add(processes.cpu_seconds(child.pid))
    if len(steps) < 2:
        return Finding(
            "CPU clock",
            "bad",
            "the CPU time of another process cannot be read",
            "cpu_per_request and CPU profiles will be missing; run Assay as the user "
            "who runs the target",
        )
    ordered = sorted(steps)
    grain = min(b - a for a, b in zip(ordered, ordered[1:], strict=False))
    # Readings can be far apart for other reasons; a clock of ticks reads whole ones.
    ticks = all(abs(1e3 * step - round(1e3 * step)) < WHOLE for step in steps)
    if ticks and grain > 1e-3:
        return Finding(
            "CPU clock",
            "poor",
            f"the CPU time of another process comes in steps of {grain * 1e3:.0f} ms",
            "cpu_per_request is coarse; Linux has a clock in nanoseconds",
        )
    return Finding("CPU clock", "good", "the CPU time of another process, exact")


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
        "the kernel does not tell how long a process waits for its core",
        "disturbed blocks cannot be found, so watch the load yourself; on Linux: "
        "sudo sysctl kernel.sched_schedstats=1",
    )


def _examine_pyspy() -> Finding:
    problem = pyspy.attach_problem()
    if not problem:
        return Finding("py-spy", "good", "it can observe Python processes")
    what, _, advice = problem.partition("; ")
    return Finding("py-spy", "poor", f"{what} (no CPU profiles)", advice)


def examine_load(folder: Path, cores: processes.Cores, seconds: float) -> list[Finding]:
    """Spin on the target's core, and watch the machine meanwhile."""
    child = processes.start(
        "a spin calibration",
        [sys.executable, "-c", SPIN, str(seconds)],
        log=folder / "spin.log",
        cores=cores.target[:1],
    )
    try:
        before, started = _cpu_by_process(), time.perf_counter()
        steal = _stolen_ticks()
        ended = child.wait(seconds + 30)
        took = time.perf_counter() - started
        after, steal_after = _cpu_by_process(), _stolen_ticks()
    finally:
        child.stop()
    mine = {os.getpid(), child.pid}
    used = [
        ((spent - before.get(pid, ("", 0.0))[1]) / took, name)
        for pid, (name, spent) in after.items()
        if pid not in mine
    ]
    loudest = sorted(used, reverse=True)[:3]
    names = tuple(_plain(name) for share, name in loudest if share > 0.02)
    busy = sum(share for share, _ in used)
    findings = [examine_others(busy, os.cpu_count() or 1, os.getloadavg()[0], names)]
    stolen = None
    if steal and steal_after and steal_after[1] > steal[1]:
        stolen = (steal_after[0] - steal[0]) / (steal_after[1] - steal[1])
    try:
        pieces, waited, spent = json.loads(child.log.read_text(encoding="utf-8"))
    except ValueError:
        said = child.last_lines(2).strip() if ended else "it did not end"
        what = f"the spin calibration failed: {said}"
        return [Finding("steadiness", "bad", what), *findings]
    return examine_noise(Spin(tuple(pieces), waited, spent), stolen) + findings


def _cpu_by_process() -> dict[int, tuple[str, float]]:
    """Return name and CPU seconds of every process."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            found[process.pid] = process.name(), float(times.user + times.system)
    return found


def _stolen_ticks() -> tuple[int, int] | None:
    """Return stolen and all ticks of all cores since boot; None if not counted."""
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


def _listed(cores: tuple[int, ...]) -> str:
    kind = "core" if len(cores) == 1 else "cores"
    return f"{kind} {', '.join(map(str, cores))}"


def _plain(name: str) -> str:
    """Return a process's name without what could steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in name)[:40]
