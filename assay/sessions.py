"""How the launches of one topic are measured: of a service, or of benchmarks."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from assay import launch as launches
from assay import micro, slices
from assay.analysis import measurements
from assay.deadlines import NEVER, Deadline
from assay.errors import MeasureError
from assay.plan import Preset, Topic
from assay.results import Profile

if TYPE_CHECKING:
    from assay.experiment import Experiment

# Every so many launches the baseline is started twice: an A/A arm.
CONTROL_EVERY = 5


class Session(Protocol):
    """One topic's way to measure a launch.

    Attributes:
        cut: Whether the last launch was cut short by its deadline.
    """

    cut: bool

    def launch(self, number: int, deadline: Deadline = NEVER) -> bool:
        """Measure and keep one launch; say whether it counts.

        Args:
            number: Of the launch, from 1.
            deadline: After which no slice begins any more.
        """

    def profile(self) -> None:
        """Take the profiles that the topic's claims ask for."""

    def profile_variant(
        self, name: str, presets: Sequence[Preset], rate: float | None
    ) -> Sequence[Profile]:
        """Take some profiles of one variant, and return what came of them."""


class Clock:
    """Tells what the time of a launch went to, one thing after the other."""

    def __init__(self) -> None:
        """Begin."""
        self._began = self._last = time.perf_counter()
        self.seconds = dict.fromkeys(measurements.PARTS, 0.0)

    def went_to(self, part: str) -> None:
        """Note that what passed since the last note went to a part."""
        now = time.perf_counter()
        self.seconds[part] += now - self._last
        self._last = now

    @property
    def all(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._began


@dataclass
class MicroSession:
    """Launches of pytest-benchmark tests."""

    experiment: "Experiment"
    topic: Topic
    folder: Path
    cut: bool = False

    def launch(self, number: int, deadline: Deadline = NEVER) -> bool:
        """Run every side once, in random order; a benchmark is never cut short."""
        order = list(self.topic.variants)
        self.experiment.rng(self.topic, number).shuffle(order)
        found: dict[tuple[str, str], tuple[float, bool]] = {}
        began = time.perf_counter()
        for variant in order:
            seconds = micro.measure(
                self.topic, variant, self.folder, self.experiment.cores.target
            )
            found[variant.name, "time"] = seconds, False
        found["", "seconds"] = time.perf_counter() - began, False
        values = value_rows(self.topic.name, number, found)
        self.experiment.run.append_launch(self.topic.name, number, [], values, None)
        return True

    def profile(self) -> None:
        """Micro-benchmarks have no server to attach a profiler to."""

    def profile_variant(
        self, name: str, presets: Sequence[Preset], rate: float | None
    ) -> NoReturn:
        """Refuse: there is no server.

        Raises:
            MeasureError: Always.
        """
        raise MeasureError(
            f"{self.topic.file}: profiles need a server under load, and this topic "
            "has benchmarks"
        )


def value_rows(
    topic: str, number: int, values: Mapping[tuple[str, str], tuple[float, bool]]
) -> list[dict[str, object]]:
    """Return what a launch came to as the rows of `RunDirectory.launches`."""
    return [
        {
            "topic": topic,
            "launch": number,
            "variant": variant,
            "metric": metric,
            "value": value,
            "censored": censored,
        }
        for (variant, metric), (value, censored) in values.items()
    ]


def sample_frame(number: int, measured: launches.Launch, origin: float) -> Any:
    """Return the requests of a launch as the table of `RunDirectory.samples`.

    None where there is no slice.
    """
    import numpy as np
    import pandas as pd

    if not measured.samples:
        return None
    rows, taken = zip(*measured.samples, strict=True)
    counts = [len(one.columns["end"]) for one in taken]

    def each(values: Sequence[object], kind: type | None = None) -> Any:
        """Repeat what is known of every slice for each of its requests."""
        return np.repeat(np.asarray(values, dtype=kind), counts)

    def of_all(column: str) -> Any:
        """Chain a column of all slices."""
        return np.concatenate([one.columns[column] for one in taken])

    # One table, not one of each slice: there are a hundred and more in a launch.
    named = [
        np.asarray([slices.shown(name) for name in one.names], object)[
            one.columns["name"]
        ]
        for one in taken
    ]
    return pd.DataFrame(
        {
            "launch": np.int16(number),
            "block": each([row["block"] for row in rows], np.int16),
            "variant": pd.Categorical(each([row["variant"] for row in rows])),
            "mode": pd.Categorical(each([row["mode"] for row in rows])),
            "scheduled": of_all("scheduled") - origin,
            "waited": of_all("waited"),
            "start": of_all("start") - origin,
            "end": of_all("end") - origin,
            "name": pd.Categorical(np.concatenate(named)),
            "user": of_all("user").astype(np.uint16),
            "failed": of_all("failed") > 0,
            "disturbed": each([row["disturbed"] for row in rows], np.bool_),
        }
    )
