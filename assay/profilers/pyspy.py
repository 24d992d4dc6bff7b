"""CPU time per request and call stack, sampled by py-spy from outside.

py-spy runs with ``--nonblocking``, because stopping the target for each sample slows
it. The price is that some samples are unreadable. py-spy also cannot tell which threads
use the processor: threads that wait for the GIL or for a core look busy, and py-spy
does not recognise all idle threads of Python 3.12. Three measures correct this.

- With ``gil`` (the default) only threads that hold the GIL are sampled: at most one
  per process and moment, so no waiting thread is counted as busy.
- Without ``gil``, stacks whose leaf function waits are dropped here. Threads that wait
  for the GIL after a call into C still inflate that call.
- The total is the CPU time that the kernel charged to the process tree. With ``gil``,
  time that the samples do not account for is shown as `OUTSIDE`. Without ``gil``, the
  samples are scaled to the total. If most of the time is `OUTSIDE`, the target is
  profiled once more without ``gil``.
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
    "full_filenames": False,
}
OUTSIDE = "outside the GIL (system calls and C code)"
# If a frame takes half of the time, ten samples give its time to within about a third.
MIN_SAMPLES = 10
# Enough for an attribution, even if more than half of the samples are unreadable.
ENOUGH_SAMPLES = 2.5 * SAMPLES_TO_COMPARE
# Suffix of a preset's name when the preset is used once more, without ``gil``.
ALL_THREADS_SUFFIX = "-all-threads"
# Above this share of `OUTSIDE`, a profile does not show where the time goes.
MAX_SHARE_OUTSIDE = 0.5
ATTACH_TIMEOUT = 15.0
STOP_TIMEOUT = 15.0

_SUMMARY = re.compile(r"Samples: (\d+) Errors: (\d+)")


class PySpy:
    """Samples the call stacks of a process tree."""

    name = "py-spy"

    def check(self, preset: Preset) -> None:
        """See `Profiler.check`."""
        settings = settings_of(preset, DEFAULTS)
        # Above 1000 the sampler needs a whole core and falls behind.
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
            f"--{key.replace('_', '-')}"
            for key in ("gil", "nonblocking", "subprocesses", "full_filenames")
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
        self, preset: Preset, profiles: Sequence[Profile]
    ) -> Preset | None:
        """See `Profiler.follow_up_preset`: for costs outside the GIL."""
        if not settings_of(preset, DEFAULTS)["gil"]:
            return None
        share = max((_outside_share(profile) for profile in profiles), default=0.0)
        if share <= MAX_SHARE_OUTSIDE:
            return None
        return preset.model_copy(
            update={
                "name": preset.name + ALL_THREADS_SUFFIX,
                "settings": {**preset.settings, "gil": False},
            }
        )


class PySpyCapture:
    """A running py-spy."""

    def __init__(self, child: processes.Child, raw: Path, preset: Preset) -> None:
        """Wrap a py-spy that is sampling."""
        self._child = child
        self._raw = raw
        self._preset = preset

    def enough(self, observed: Observed) -> bool:
        """See `Capture.enough`: a busy thread yields one sample per period."""
        rate = float(settings_of(self._preset, DEFAULTS)["rate"])
        return observed.cpu_seconds * rate >= ENOUGH_SAMPLES

    def stop(self) -> None:
        """Stop recording with SIGINT; on other signals py-spy writes nothing."""
        if self._child.running():
            self._child.interrupt()
            self._child.wait(STOP_TIMEOUT)
        self._child.stop()

    def lines(self) -> list[str]:
        """Return the lines that py-spy has written; call it after `stop`."""
        return self._raw.read_text(encoding="utf-8", errors="replace").split("\n")

    def profile(self, observed: Observed) -> Stacks:
        """Return CPU seconds per request by call stack.

        Raises:
            MeasureError: py-spy failed, or has too few samples of running code.
        """
        log = self._child.log.read_text(encoding="utf-8", errors="replace")
        summary = _SUMMARY.search(log)
        if self._child.exit_code() != 0 or summary is None:
            raise MeasureError(
                f"py-spy ended without a profile of {observed.topic}, "
                f"variant {observed.variant}; its output:\n{self._child.last_lines()}"
            )
        lines = self.lines()
        # A thread that holds the GIL does not wait, whatever its leaf function is.
        raw = parse(lines, drop_idle=not settings_of(self._preset, DEFAULTS)["gil"])
        return to_stacks(raw, observed, self._preset, errors=int(summary.group(2)))


def to_stacks(raw: Raw, observed: Observed, preset: Preset, errors: int = 0) -> Stacks:
    """Scale samples to CPU seconds per request.

    Args:
        raw: The samples.
        observed: Requests and CPU time of the same period.
        preset: The preset that was used.
        errors: Number of samples that py-spy could not read, by its own count.

    Raises:
        MeasureError: There are too few samples, or no requests.
    """
    samples = raw.running.total()
    subject = f"py-spy, {observed.topic}, variant {observed.variant}"
    if observed.requests < 1:
        raise MeasureError(
            f"{subject}: no request was served while it sampled; is the load running?"
        )
    outside = _share_outside(raw, observed, preset, errors)
    if samples < MIN_SAMPLES:
        raise MeasureError(
            f"{subject}: only {samples} samples of running code, at least "
            f"{MIN_SAMPLES} are needed; {_advice(preset, outside)}"
        )
    total = observed.cpu_seconds / observed.requests
    per_sample = total * (1 - outside) / samples
    stacks = [(stack, per_sample * count) for stack, count in raw.running.most_common()]
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
    """Return the path of py-spy in the environment that Assay runs in.

    Raises:
        MeasureError: py-spy is not installed there.
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

    To find out, py-spy is attached to a small process that is started for this. The
    answer is cached.
    """
    try:
        path = executable()
    except MeasureError as error:
        return str(error)
    with tempfile.TemporaryDirectory(prefix="assay-") as name:
        folder = Path(name)
        # A target is a child of Assay and a sibling of py-spy; so is this process.
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
            command = [str(path), "dump", "--nonblocking", "--pid", str(sleeper.pid)]
            py_spy = processes.start(
                "py-spy", command, log=folder / "py-spy.log", env=_environment()
            )
            ended = py_spy.wait(ATTACH_TIMEOUT)
            py_spy.stop()
            if ended and py_spy.exit_code() == 0:
                return ""
            message = _first_line(py_spy)
            return f"py-spy cannot observe processes here: {message}{_hint(message)}"
        finally:
            sleeper.stop()


def _share_outside(raw: Raw, observed: Observed, preset: Preset, errors: int) -> float:
    """Return the share of CPU time that no sample of a GIL holder accounts for."""
    settings = settings_of(preset, DEFAULTS)
    if not settings["gil"] or observed.cpu_seconds <= 0:
        return 0.0
    samples = raw.running.total() + raw.unread + errors
    sampled_seconds = samples / float(settings["rate"])
    return max(0.0, 1 - sampled_seconds / observed.cpu_seconds)


def _advice(preset: Preset, outside: float) -> str:
    """Return advice for the case of too few samples."""
    file = f"profiles/{preset.name.removesuffix(ALL_THREADS_SUFFIX)}.toml"
    advice = (
        f"raise `seconds` (now {preset.seconds:g}) in {file}, or the scenario's load"
    )
    if outside > MAX_SHARE_OUTSIDE:
        advice += (
            f"; {outside:.0%} of the CPU time was spent outside the GIL: set "
            "`gil = false` in that file to see it"
        )
    return advice


def _outside_share(profile: Profile) -> float:
    """Return the share of a profile that is `OUTSIDE`."""
    if not isinstance(profile, Stacks) or profile.total <= 0:
        return 0.0
    outside = sum(value for stack, value in profile.stacks if stack == (OUTSIDE,))
    return outside / profile.total


def _notes(
    raw: Raw, observed: Observed, preset: Preset, errors: int, outside: float
) -> tuple[str, ...]:
    samples = raw.running.total()
    first = (
        f"{samples} samples of running code in {observed.cpu_seconds:.3g} s of CPU time"
    )
    if raw.idle:
        first += f"; {raw.idle} samples of waiting threads were left out"
    notes = [f"{first}."]
    if outside:
        notes.append(
            f"For {100 * outside:.0f} % of the CPU time there is no sample of code "
            "that holds the GIL. The causes are system calls, C code that releases the "
            "GIL, and quick changes of its holder. With gil = false, the preset shows "
            "such calls."
        )
    if not settings_of(preset, DEFAULTS)["gil"]:
        notes.append(
            "All threads were sampled: functions that wait for the GIL or for a core "
            "after a call into C look busy, so their cost is overstated."
        )
    unread = errors + raw.unread
    if unread:
        share = 100 * unread / (samples + raw.idle + unread)
        notes.append(
            f"{share:.1f} % of the samples could not be read: "
            "the target is not stopped while it is sampled."
        )
    return tuple(notes)


def _await_sampling(child: processes.Child, pid: int) -> None:
    """Wait until py-spy samples.

    Raises:
        MeasureError: py-spy ended, or did not start to sample in time.
    """
    if _await_text(child, "Sampling process"):
        return
    child.stop()
    message = _first_line(child)
    if "No python processes" in message or "python version" in message:
        raise MeasureError(
            f"py-spy: process {pid} and its children run no Python that py-spy can "
            "read; it profiles only targets whose command starts Python"
        )
    raise MeasureError(
        f"py-spy cannot attach to process {pid}: {message}{_hint(message)}"
    )


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


def _first_line(child: processes.Child) -> str:
    """Return the first line of a tool's output, where py-spy gives its reason."""
    lines = child.log.read_text(encoding="utf-8", errors="replace").splitlines()
    first = next((line.strip() for line in lines if line.strip()), "it wrote nothing")
    return first.removeprefix("Error: ").partition(" Try running")[0].rstrip(":.")


def _hint(message: str) -> str:
    """Return advice if permission to attach was refused; otherwise an empty text."""
    if "permission" not in message.lower():
        return ""
    if sys.platform == "darwin":
        return "; macOS lets only root do this: run Assay with sudo"
    return (
        "; allow it until the next reboot: sudo sysctl kernel.yama.ptrace_scope=0 "
        "(in a container: add the capability SYS_PTRACE)"
    )


def _environment() -> dict[str, str]:
    return {**os.environ, "RUST_BACKTRACE": "0"}
