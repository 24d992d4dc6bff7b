"""CPU time per request and call stack, sampled by py-spy from outside.

py-spy runs with ``--nonblocking``: stopping the target for every sample slows it.
The price is that some samples are torn. What it cannot tell is which threads use
the processor: those that queue for the GIL or for the core look busy, and its idea
of an idle thread misses what Python 3.12 shows. Three things make up for that.

- With ``gil`` (the default) only threads that hold the GIL are sampled: at most one
  per process and moment, so nobody who queues is taken for busy.
- Without it, stacks whose leaf waits are dropped here; threads that queue for the
  GIL after a call into C still inflate that call.
- The total is the CPU time that the kernel charged to the process tree. With
  ``gil``, what the samples do not account for is shown as `OUTSIDE`; without it,
  the samples are scaled to the total. Where most of the time is `OUTSIDE`, the
  target is looked at once more without ``gil``.
"""

import functools
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from assay.errors import MeasureError
from assay.plan import Preset
from assay.profilers.protocol import (
    Observed,
    Setting,
    require_range,
    settings_of,
    writable,
)
from assay.profilers.rawstacks import Raw, parse
from assay.results import SAMPLES_TO_COMPARE, Profile, Stacks
from assay.system import processes

DEFAULTS: dict[str, Setting] = {
    "rate": 200,
    "gil": True,
    "nonblocking": True,
    "subprocesses": True,
}
OUTSIDE = "outside the GIL (system calls and C code)"
# A frame that holds a tenth of the time is then known to about a third of itself.
FEWEST_SAMPLES = 10
# What an attribution needs, though more than half of the samples may be torn.
ENOUGH_SAMPLES = 2.5 * SAMPLES_TO_COMPARE
# Ends the name of a preset that is taken once more without ``gil``.
ALL_THREADS = "-all-threads"
# Beyond this share, what a profile shows is not where the time goes.
MUCH_OUTSIDE = 0.5
ATTACH_TIMEOUT = 15.0
STOP_TIMEOUT = 15.0

_SUMMARY = re.compile(r"Samples: (\d+) Errors: (\d+)")


class PySpy:
    """Samples the call stacks of a process tree."""

    name = "py-spy"

    def check(self, preset: Preset) -> None:
        """See `Profiler.check`."""
        settings = settings_of(preset, DEFAULTS)
        # Above 1000 the sampler takes a core of its own and falls behind.
        require_range(preset, "rate", float(settings["rate"]), 1, 1000)

    def start(
        self, pid: int, preset: Preset, folder: Path, cores: Sequence[int] = ()
    ) -> "PySpyCapture":
        """See `Profiler.start`."""
        settings = settings_of(preset, DEFAULTS)
        raw = writable(folder / f"{preset.name}.stacks.txt")
        log = writable(folder / f"{preset.name}.py-spy.log")
        command = [str(executable()), "record", "--pid", str(pid), "--format", "raw"]
        command += ["--output", str(raw), "--rate", str(settings["rate"])]
        command += [
            f"--{key}"
            for key in ("gil", "nonblocking", "subprocesses")
            if settings[key]
        ]
        if not psutil.pid_exists(pid):
            raise MeasureError(
                f"py-spy: there is no process {pid}; the target has ended, see its log"
            )
        child = processes.start(
            "py-spy", command, log=log, env=_environment(), cores=cores
        )
        _await_sampling(child, pid)
        return PySpyCapture(child, raw, preset)

    def follow_up_preset(
        self, preset: Preset, seen: Sequence[Profile]
    ) -> Preset | None:
        """See `Profiler.follow_up_preset`: where the cost is outside the GIL."""
        if not settings_of(preset, DEFAULTS)["gil"]:
            return None
        if max((_outside(profile) for profile in seen), default=0) <= MUCH_OUTSIDE:
            return None
        return preset.model_copy(
            update={
                "name": preset.name + ALL_THREADS,
                "settings": {**preset.settings, "gil": False},
            }
        )


class PySpyCapture:
    """A py-spy that records."""

    def __init__(self, child: processes.Child, raw: Path, preset: Preset) -> None:
        """Take over a py-spy that samples already."""
        self._child = child
        self._raw = raw
        self._preset = preset

    def enough(self, observed: Observed) -> bool:
        """See `Capture.enough`: a busy thread is sampled once a period."""
        rate = float(settings_of(self._preset, DEFAULTS)["rate"])
        return observed.cpu_seconds * rate >= ENOUGH_SAMPLES

    def stop(self) -> None:
        """Stop recording, by SIGINT: on any other signal py-spy writes nothing."""
        if self._child.running():
            self._child.interrupt()
            self._child.wait(STOP_TIMEOUT)
        self._child.stop()

    def profile(self, observed: Observed) -> Stacks:
        """Return CPU seconds per request by call stack.

        Raises:
            MeasureError: py-spy failed, or saw too little running code.
        """
        log = self._child.log.read_text(encoding="utf-8", errors="replace")
        summary = _SUMMARY.search(log)
        if self._child.exit_code() != 0 or summary is None:
            raise MeasureError(
                f"py-spy ended without a profile of {observed.topic}, "
                f"variant {observed.variant}; it said:\n{self._child.last_lines()}"
            )
        lines = self._raw.read_text(encoding="utf-8", errors="replace").split("\n")
        # Whoever holds the GIL does not wait, whatever its leaf is called.
        raw = parse(lines, drop_idle=not settings_of(self._preset, DEFAULTS)["gil"])
        return to_stacks(raw, observed, self._preset, errors=int(summary.group(2)))


def to_stacks(raw: Raw, observed: Observed, preset: Preset, errors: int = 0) -> Stacks:
    """Scale samples to CPU seconds per request.

    Args:
        raw: The samples.
        observed: Requests and CPU time of the same stretch.
        preset: The preset that they were taken by.
        errors: Samples that py-spy says it could not read.

    Raises:
        MeasureError: There are too few samples, or there was nothing to divide by.
    """
    samples = raw.running.total()
    place = f"py-spy, {observed.topic}, variant {observed.variant}"
    if observed.requests < 1:
        raise MeasureError(
            f"{place}: no request was served while it sampled; is the load running?"
        )
    outside = _share_outside(raw, observed, preset, errors)
    if samples < FEWEST_SAMPLES:
        raise MeasureError(
            f"{place}: only {samples} samples of running code, at least "
            f"{FEWEST_SAMPLES} are needed; {_advice(preset, outside)}"
        )
    total = observed.cpu_seconds / observed.requests
    each = total * (1 - outside) / samples
    stacks = [(stack, each * count) for stack, count in raw.running.most_common()]
    if outside:
        stacks.append(((OUTSIDE,), total * outside))
    return Stacks(
        topic=observed.topic,
        variant=observed.variant,
        preset=preset.name,
        unit="s",
        requests=observed.requests,
        samples=samples,
        total=total,
        stacks=tuple(stacks),
        notes=_notes(raw, observed, preset, errors, outside),
    )


def executable() -> Path:
    """Return py-spy, from the environment that Assay runs in.

    Raises:
        MeasureError: It is not there.
    """
    path = Path(sys.executable).with_name("py-spy")
    if not path.is_file():
        raise MeasureError(
            f"py-spy is not beside {Path(sys.executable).name} in Assay's own "
            "environment; type: python -m pip install py-spy"
        )
    return path


@functools.cache
def attach_problem() -> str:
    """Return why py-spy cannot observe a Python process here; empty if it can.

    It really attaches, to a small process of its own; the answer is kept.
    """
    try:
        path = executable()
    except MeasureError as error:
        return str(error)
    with tempfile.TemporaryDirectory(prefix="assay-") as name:
        folder = Path(name)
        # A target is Assay's child, and so py-spy's sibling: the same is tried here.
        sleeper = processes.start(
            "a process to attach to",
            [
                sys.executable,
                "-c",
                "import time; print('up', flush=True); time.sleep(60)",
            ],
            log=folder / "sleeper.log",
        )
        try:
            _await_text(sleeper, "up")
            dump = [str(path), "dump", "--nonblocking", "--pid", str(sleeper.pid)]
            spy = processes.start(
                "py-spy", dump, log=folder / "py-spy.log", env=_environment()
            )
            ended = spy.wait(ATTACH_TIMEOUT)
            spy.stop()
            if ended and spy.exit_code() == 0:
                return ""
            return (
                f"py-spy cannot observe processes here: {_said(spy)}{_hint(_said(spy))}"
            )
        finally:
            sleeper.stop()


def _share_outside(raw: Raw, observed: Observed, preset: Preset, errors: int) -> float:
    """Return the share of CPU time that no sample of a GIL's holder accounts for."""
    settings = settings_of(preset, DEFAULTS)
    if not settings["gil"] or observed.cpu_seconds <= 0:
        return 0.0
    seen = (raw.running.total() + raw.unread + errors) / float(settings["rate"])
    return max(0.0, 1 - seen / observed.cpu_seconds)


def _advice(preset: Preset, outside: float) -> str:
    """Return what to do about too few samples."""
    file = f"profiles/{preset.name.removesuffix(ALL_THREADS)}.toml"
    said = f"raise `seconds` (now {preset.seconds:g}) in {file}, or the scenario's load"
    if outside > MUCH_OUTSIDE:
        said += (
            f"; {outside:.0%} of the CPU time was spent outside the GIL, which "
            "`gil = false` there shows"
        )
    return said


def _outside(profile: Profile) -> float:
    """Return the share of a profile that is `OUTSIDE`."""
    if not isinstance(profile, Stacks) or profile.total <= 0:
        return 0.0
    outside = sum(value for stack, value in profile.stacks if stack == (OUTSIDE,))
    return outside / profile.total


def _notes(
    raw: Raw, observed: Observed, preset: Preset, errors: int, outside: float
) -> tuple[str, ...]:
    samples = raw.running.total()
    spent = f"{observed.cpu_seconds:.3g} s of CPU time"
    first = f"{samples} samples of running code in {spent}"
    if raw.idle:
        first += f"; {raw.idle} samples of waiting threads were left out"
    notes = [f"{first}."]
    if outside:
        notes.append(
            f"{100 * outside:.0f} % of the CPU time is accounted for by no sample of "
            "code that holds the GIL: system calls, C code that releases it, and what "
            "quick changes of its holder hide. With gil = false in the preset such "
            "calls are seen."
        )
    if not settings_of(preset, DEFAULTS)["gil"]:
        notes.append(
            "All threads were sampled: functions that queue for the GIL or for a core, "
            "after a call into C, look busy and are overstated."
        )
    lost = errors + raw.unread
    if lost:
        share = 100 * lost / (samples + raw.idle + lost)
        notes.append(
            f"{share:.1f} % of the samples could not be read: "
            "the target is not stopped while it is sampled."
        )
    return tuple(notes)


def _await_sampling(child: processes.Child, pid: int) -> None:
    """Wait until py-spy samples.

    Raises:
        MeasureError: It ended, or did not begin in time.
    """
    if _await_text(child, "Sampling process"):
        return
    child.stop()
    said = _said(child)
    if "No python processes" in said or "python version" in said:
        raise MeasureError(
            f"py-spy: process {pid} and its children run no Python that py-spy can "
            "read; it profiles only targets whose command starts Python"
        )
    raise MeasureError(f"py-spy cannot attach to process {pid}: {said}{_hint(said)}")


def _await_text(child: processes.Child, text: str) -> bool:
    deadline = time.monotonic() + ATTACH_TIMEOUT
    while time.monotonic() < deadline:
        ended = not child.running()
        if text in child.log.read_text(encoding="utf-8", errors="replace"):
            return True
        if ended:
            return False
        time.sleep(0.02)
    return False


def _said(child: processes.Child) -> str:
    """Return the first line that a tool wrote, which is where py-spy says why."""
    lines = child.log.read_text(encoding="utf-8", errors="replace").splitlines()
    first = next((line.strip() for line in lines if line.strip()), "it wrote nothing")
    return first.removeprefix("Error: ").partition(" Try running")[0].rstrip(":.")


def _hint(said: str) -> str:
    """Return what to do about a refusal to attach."""
    if "permission" not in said.lower():
        return ""
    if sys.platform == "darwin":
        return "; macOS lets only root do this: run Assay with sudo"
    return (
        "; allow it until the next start: sudo sysctl kernel.yama.ptrace_scope=0 "
        "(in a container: add the capability SYS_PTRACE)"
    )


def _environment() -> dict[str, str]:
    return {**os.environ, "RUST_BACKTRACE": "0"}
