"""The interface of a profiler, and helpers that its implementations share."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

from assay.errors import InputError, MeasureError
from assay.plan import Data, Preset
from assay.results import Profile


class Observed(Data):
    """The work of the target between the start and the stop of a capture.

    Attributes:
        requests: Number of requests served.
        cpu_seconds: CPU time of the whole process tree, from the CPU clock.
    """

    topic: str
    variant: str
    requests: int
    cpu_seconds: float


class Capture(Protocol):
    """A profiler at work on one process tree."""

    def enough(self, observed: Observed) -> bool:
        """Say whether enough has been captured, as far as that can be known."""

    def stop(self) -> None:
        """Stop observing; safe to call again."""

    def profile(self, observed: Observed) -> Profile:
        """Return the profile that the capture gives.

        Args:
            observed: The work of the target while the profiler observed it.

        Raises:
            MeasureError: The tool failed, or captured too little.
        """


class Profiler(Protocol):
    """One tool that observes processes from outside."""

    @property
    def name(self) -> str:
        """The name that presets use."""

    def check(self, preset: Preset) -> None:
        """Check a preset before anything is measured.

        Whether the tool works on this machine is checked only by `start`, since such a
        failure costs only a profile, not the run.

        Raises:
            InputError: A setting of the preset is unknown or impossible.
        """

    def start(
        self, pid: int, preset: Preset, folder: Path, cores: Sequence[int] = ()
    ) -> Capture:
        """Attach to a process and its children.

        Return once the tool samples, so that requests and CPU time are counted over
        the same period.

        Args:
            pid: The process at the root of the tree.
            preset: The preset, which `check` has accepted.
            folder: Folder for the tool's raw output and log.
            cores: Cores for the tool itself, never the target's cores.

        Raises:
            MeasureError: The tool cannot attach, or the folder cannot be written.
        """

    def follow_up_preset(
        self, preset: Preset, profiles: Sequence[Profile]
    ) -> Preset | None:
        """Return a preset for costs that the used preset could not show, if any.

        Args:
            preset: The preset that was used.
            profiles: Its profiles of all variants of a topic.

        Returns:
            The further preset; None if the used preset showed enough.
        """


type Setting = float | int | bool | str


def settings_of(preset: Preset, defaults: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return the default settings, replaced by a preset's own settings.

    Raises:
        InputError: A setting is unknown, or has another type than its default.
    """
    for key, value in preset.settings.items():
        place = f"profiles/{preset.name}.toml: settings.{key}"
        if key not in defaults:
            matches = get_close_matches(key, defaults, n=1)
            hint = (
                f"did you mean {matches[0]!r}?"
                if matches
                else f"known: {', '.join(defaults)}"
            )
            raise InputError(f"{place}: {preset.profiler} has no such setting; {hint}")
        expected = type(defaults[key])
        # In TOML, 1 is accepted as a float, but true is not a number.
        int_for_float = expected is float and type(value) is int
        if type(value) is not expected and not int_for_float:
            raise InputError(
                f"{place}: expected {_TYPE_NAMES[expected]}, "
                f"such as {str(defaults[key]).lower()}, not {value!r}"
            )
    return {**defaults, **preset.settings}


def require_range(
    preset: Preset, key: str, value: float, low: float, high: float
) -> None:
    """Refuse a setting outside its range; the ends belong to the range.

    Raises:
        InputError: The setting is outside its range.
    """
    if not low <= value <= high:
        raise InputError(
            f"profiles/{preset.name}.toml: settings.{key}: "
            f"expected {low:g} to {high:g}, not {value:g}"
        )


def writable(path: Path) -> Path:
    """Create an empty file, to check that the tool can write it.

    Raises:
        MeasureError: The file cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    except OSError as error:
        raise MeasureError(
            f"{path}: the profile cannot be written here: {error.strerror}; "
            "choose another --output"
        ) from error
    return path


_TYPE_NAMES: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
}
