"""What a profiler is, and what its files share."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

from assay.errors import InputError, MeasureError
from assay.plan import Data, Preset
from assay.results import Profile


class Observed(Data):
    """What the target did between the start and the stop of a capture.

    Attributes:
        requests: Requests that it served.
        cpu_seconds: CPU time of its whole process tree, from the CPU clock.
    """

    topic: str
    variant: str
    requests: int
    cpu_seconds: float


class Capture(Protocol):
    """A profiler at work on one process tree."""

    def enough(self, observed: Observed) -> bool:
        """Say whether what was seen so far will do, as far as that can be told."""

    def stop(self) -> None:
        """Stop observing; safe to call again."""

    def profile(self, observed: Observed) -> Profile:
        """Return what was captured, per request.

        Raises:
            MeasureError: The tool failed, or saw too little.
        """


class Profiler(Protocol):
    """One tool that observes processes from outside."""

    @property
    def name(self) -> str:
        """The name that presets use."""

    def check(self, preset: Preset) -> None:
        """Check a preset before anything is measured.

        Whether the tool works on this machine is found out by `start`, since that
        costs a profile and not the run.

        Raises:
            InputError: A setting of the preset is unknown or impossible.
        """

    def start(
        self, pid: int, preset: Preset, folder: Path, cores: Sequence[int] = ()
    ) -> Capture:
        """Attach to a process and its children.

        Returns once the tool observes, so that requests and CPU time can be
        counted over the same stretch.

        Args:
            pid: The process at the root of the tree.
            preset: What to capture, as `check` accepted it.
            folder: Where the tool leaves its raw output and its log.
            cores: Cores for the tool itself: never those of the target.

        Raises:
            MeasureError: The tool cannot attach, or the folder cannot be written.
        """

    def follow_up_preset(
        self, preset: Preset, seen: Sequence[Profile]
    ) -> Preset | None:
        """Return a preset that shows what this one could not; None if it showed all.

        Args:
            preset: What was captured.
            seen: Its profiles of every variant of a topic.
        """


type Setting = float | int | bool | str


def settings_of(preset: Preset, defaults: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return a preset's settings over the defaults.

    Raises:
        InputError: One is unknown, or not of its default's type.
    """
    for key, value in preset.settings.items():
        place = f"profiles/{preset.name}.toml: settings.{key}"
        if key not in defaults:
            near = get_close_matches(key, defaults, n=1)
            hint = (
                f"did you mean {near[0]!r}?"
                if near
                else f"known: {', '.join(defaults)}"
            )
            raise InputError(f"{place}: {preset.profiler} has no such setting; {hint}")
        wanted = type(defaults[key])
        # TOML's 1 is a fine float, but its true is no number.
        number = wanted is float and type(value) is int
        if type(value) is not wanted and not number:
            raise InputError(
                f"{place}: expected {_KINDS[wanted]}, "
                f"such as {str(defaults[key]).lower()}, not {value!r}"
            )
    return {**defaults, **preset.settings}


def require_range(
    preset: Preset, key: str, value: float, low: float, high: float
) -> None:
    """Refuse a setting outside its range, ends included.

    Raises:
        InputError: It is outside.
    """
    if not low <= value <= high:
        raise InputError(
            f"profiles/{preset.name}.toml: settings.{key}: "
            f"expected {low:g} to {high:g}, not {value:g}"
        )


def writable(path: Path) -> Path:
    """Make an empty file to be sure that the tool will be able to write it.

    Raises:
        MeasureError: It cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    except OSError as error:
        raise MeasureError(
            f"{path}: a profile cannot be written here: {error.strerror}; "
            "name another --output"
        ) from error
    return path


_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
}
