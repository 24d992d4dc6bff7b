"""How the launches of one topic are measured: of a service, or of benchmarks."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from assay import comparisons
from assay import launch as launches
from assay import micro, profiling, target
from assay.errors import MeasureError
from assay.load.remote import Generator
from assay.plan import AGAIN, Preset, Topic, Variant
from assay.report.text import significant
from assay.results import Profile

if TYPE_CHECKING:
    from assay.experiment import Experiment

# Every so many launches the baseline is started twice: an A/A arm.
CONTROL_EVERY = 5


class Session(Protocol):
    """One topic's way to measure a launch."""

    def launch(self, number: int) -> bool:
        """Measure and keep one launch; say whether it counts."""

    def profile(self) -> None:
        """Take the profiles that the topic's claims ask for."""

    def profile_variant(
        self, name: str, presets: Sequence[Preset], rate: float | None
    ) -> Sequence[Profile]:
        """Take some profiles of one variant, and return what came of them."""


@dataclass
class ServiceSession:
    """Launches of a service under load."""

    experiment: "Experiment"
    topic: Topic
    folder: Path
    environment: Mapping[str, str]
    generator: Generator
    schedule: launches.Schedule | None = None

    def launch(self, number: int) -> bool:
        """Start every variant afresh and measure its blocks."""
        experiment, topic, generator = self.experiment, self.topic, self.generator
        variants = list(topic.variants)
        if (number - 1) % CONTROL_EVERY == 0:
            variants += [_again(topic.variant(name)) for name in topic.controls()]
        began = time.perf_counter()
        spin = launches.spin(experiment.cores.target)
        rng = experiment.rng(topic, number)
        with target.launched(
            topic,
            variants,
            self.environment,
            self.folder,
            experiment.cores.target,
            rng,
        ) as running:
            order = list(running.values())
            rng.shuffle(order)
            self.attach(order)
            launches.warm_up(generator, topic, order)
            if self.schedule is None:
                self.schedule = launches.calibrate(
                    generator, topic, list(running), topic.metrics()
                )
                self._warn_of_rate(self.schedule)
            measured = launches.measure(
                generator,
                running,
                self.schedule,
                topic.compared(),
                experiment.cores.target,
                rng,
            )
            generator.detach()
            for runs in running.values():
                runs.check_guard(topic.target.guard)
        took = time.perf_counter() - began
        self._keep(number, measured, {"spin": spin, "seconds": took})
        return measured.counts

    def _warn_of_rate(self, schedule: launches.Schedule) -> None:
        """Say that the open loop has fewer arrivals than were asked for."""
        if schedule.rate >= schedule.wanted:
            return
        self.experiment.warnings.append(
            f"{self.topic.name}: the load generator is late for the "
            f"{significant(schedule.wanted)} arrivals a second that are "
            f"{self.topic.scenario.load.utilisation:.0%} of the slower variant's "
            f"capacity, so there were {significant(schedule.rate)}. "
            + comparisons.LEANER
        )

    def attach(self, running: Sequence[target.RunningTarget]) -> None:
        """Give every running variant its users."""
        load = self.topic.scenario.load
        self.generator.attach(
            {t.variant.name: t.url for t in running},
            {t.variant.name: t.pids for t in running},
            self.experiment.cores.target,
            max(load.users, load.connections),
        )

    def profile(self) -> None:
        """Run each claimed variant once more, with the profilers attached."""
        if self.schedule is None:
            return
        wanted = profiling.wanted(self.experiment.plan, self.topic)
        seen = self._profile_all(wanted, self.schedule.rate)
        self._profile_all(profiling.closer(wanted, seen), self.schedule.rate)

    def _profile_all(
        self, wanted: Mapping[str, Sequence[Preset]], rate: float
    ) -> list[Profile]:
        """Take presets of each variant; one that fails costs only its profiles."""
        found: list[Profile] = []
        for name, presets in wanted.items():
            self.experiment.progress.profiling(self.topic, name, presets)
            try:
                found += self.profile_variant(name, presets, rate)
            except MeasureError as error:  # costs the profile, not the verdicts
                self.experiment.warnings.append(f"{self.topic.name}: {error}")
        return found

    def profile_variant(
        self, name: str, presets: Sequence[Preset], rate: float | None
    ) -> Sequence[Profile]:
        """Profile one variant on fresh servers, and return what could be taken.

        Args:
            name: The variant.
            presets: Which profiles.
            rate: Arrivals per second; from the variant's own capacity if None.

        Raises:
            MeasureError: The target could not be started, or it ended.
        """
        experiment = self.experiment
        rng = experiment.rng(self.topic, f"profile/{name}")
        with target.launched(
            self.topic,
            [self.topic.variant(name)],
            self.environment,
            self.folder,
            experiment.cores.target,
            rng,
        ) as running:
            self.attach(list(running.values()))
            launches.warm_up(self.generator, self.topic, list(running.values()))
            if rate is None:
                rate = launches.calibrate(self.generator, self.topic, [name]).rate
            taken = profiling.take(
                self.topic.name,
                running[name],
                self.generator,
                presets,
                rate,
                self.folder / "profiles",
                experiment.cores.generator,
                rng,
            )
            self.generator.detach()
            running[name].check_guard(self.topic.target.guard)
        for profile in taken.profiles:
            experiment.run.write_profile(profile)
        for problem in taken.problems:
            experiment.warnings.append(f"{self.topic.name}: {problem}")
            experiment.progress.note(problem)
        return taken.profiles

    def _keep(
        self, number: int, measured: launches.Launch, machine: Mapping[str, float]
    ) -> None:
        topic, origin = self.topic.name, self.experiment.origin
        rows: list[dict[str, object]] = [
            {
                "topic": topic,
                "launch": number,
                **row,
                "started": row["started"] - origin,
            }
            for row in measured.slices
        ]
        known = {("", name): (value, False) for name, value in machine.items()}
        known |= measured.values
        values = _value_rows(topic, number, known)
        self.experiment.run.append_launch(
            topic,
            number,
            rows,
            values if measured.counts else [],
            sample_frame(number, measured, origin),
        )
        for variant, errors in measured.errors.items():
            self.experiment.failed(self.topic, variant).update(errors)


def _again(variant: Variant) -> Variant:
    """Return the A/A arm: the same variant under another name."""
    return variant.model_copy(update={"name": variant.name + AGAIN})


@dataclass
class MicroSession:
    """Launches of pytest-benchmark tests."""

    experiment: "Experiment"
    topic: Topic
    folder: Path

    def launch(self, number: int) -> bool:
        """Run every side once, in random order."""
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
        values = _value_rows(self.topic.name, number, found)
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


def _value_rows(
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
    """Return the requests of a launch as the table of `RunDirectory.samples`."""
    import numpy as np
    import pandas as pd

    rows, taken = zip(*measured.samples, strict=True)
    counts = [len(one.columns["end"]) for one in taken]

    def each(values: Sequence[object], kind: type | None = None) -> Any:
        """Repeat what is known of every slice for each of its requests."""
        return np.repeat(np.asarray(values, dtype=kind), counts)

    def of_all(column: str) -> Any:
        """Chain a column of all slices."""
        return np.concatenate([one.columns[column] for one in taken])

    # One table, not one of each slice: there are a hundred and more in a launch.
    named = [np.asarray(one.names, object)[one.columns["name"]] for one in taken]
    return pd.DataFrame(
        {
            "launch": np.int16(number),
            "block": each([row["block"] for row in rows], np.int16),
            "variant": pd.Categorical(each([row["variant"] for row in rows])),
            "mode": pd.Categorical(each([row["mode"] for row in rows])),
            "scheduled": of_all("scheduled") - origin,
            "start": of_all("start") - origin,
            "end": of_all("end") - origin,
            "name": pd.Categorical(np.concatenate(named)),
            "failed": of_all("failed") > 0,
            "disturbed": each([row["disturbed"] for row in rows], np.bool_),
        }
    )
