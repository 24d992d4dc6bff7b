"""Launches of a service under load: started, loaded, kept."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.analysis import measurements
from assay.analysis.deciding import LEANER
from assay.errors import MeasureError
from assay.experiment import calibration
from assay.experiment import launch as launches
from assay.experiment import profiling, target
from assay.experiment.context import Experiment
from assay.experiment.deadlines import NEVER, Deadline
from assay.experiment.sessions import CONTROL_EVERY, Clock
from assay.load.answers import Beginnings
from assay.load.control.generator import Generator
from assay.plan import AA_SUFFIX, Preset, Topic, Variant
from assay.results import Profile
from assay.run_directory import rows
from assay.wording import significant


@dataclass
class ServiceSession:
    """Launches of a service under load.

    Attributes:
        schedule: How launches are measured; chosen in the first one.
        users: How many users of each variant were needed so far.
        warned: Variants some of whose log-ins failed, which is said once.
        cut: Whether the last launch was cut short by its deadline.
    """

    experiment: Experiment
    topic: Topic
    folder: Path
    environment: Mapping[str, str]
    generator: Generator
    schedule: calibration.Schedule | None = None
    users: int = 0
    warned: set[str] = field(default_factory=set)
    cut: bool = False

    def launch(self, number: int, deadline: Deadline = NEVER) -> bool:
        """Start every variant afresh and measure its blocks."""
        experiment, topic = self.experiment, self.topic
        variants = list(topic.variants)
        if (number - 1) % CONTROL_EVERY == 0:
            variants += [_again(topic.variant(name)) for name in topic.controls()]
        clock = Clock()
        spin = calibration.spin(experiment.cores.target)
        rng = experiment.rng(topic, number)
        clock.went_to("rest")
        with target.launched(
            topic, variants, self.environment, self.folder, (), rng
        ) as running:
            clock.went_to("starts")
            measured = self._measured(running, rng, deadline, clock)
            self.generator.detach()
            for runs in running.values() if measured.counts else ():
                runs.check_guard(topic.target.guard)
        clock.went_to("rest")
        self._keep(number, measured, spin, clock)
        self.cut = measured.cut
        return measured.counts

    def _measured(
        self,
        running: Mapping[str, target.RunningTarget],
        rng: random.Random,
        deadline: Deadline,
        clock: Clock,
    ) -> launches.Launch:
        """Measure the blocks of servers that have just started."""
        generator, topic = self.generator, self.topic
        cores = self.experiment.cores.target
        order = list(running.values())
        rng.shuffle(order)
        self.attach(order)
        clock.went_to("log_ins")
        calibration.warm_up(generator, topic, order, deadline)
        if self.schedule is None and not deadline.passed:
            self.schedule = calibration.calibrate(
                generator, topic, list(running), topic.metrics(), deadline
            )
            self._warn_of_rate(self.schedule)
        clock.went_to("warm_up")
        if self.schedule is None:
            return launches.Launch(counts=False, cut=True)
        schedule = self.schedule.after(clock.all, len(running))
        measured = launches.measure(
            generator, running, schedule, topic.compared(), cores, rng, deadline
        )
        self.users = max(self.users, measured.users)
        clock.went_to("slices")
        return measured

    def _warn_of_rate(self, schedule: calibration.Schedule) -> None:
        """Say that the open loop has fewer arrivals than were asked for."""
        if schedule.rate >= schedule.wanted:
            return
        self.experiment.warnings.append(
            f"{self.topic.name}: the load generator is late for the "
            f"{significant(schedule.wanted)} arrivals a second that are "
            f"{self.topic.scenario.load.utilisation:.0%} of the slower variant's "
            f"capacity, so there were {significant(schedule.rate)}. " + LEANER
        )

    def attach(self, running: Sequence[target.RunningTarget]) -> None:
        """Give every running variant its users, then pin the servers to their cores.

        Log-ins can take long, and nothing is measured yet: they have every core. There
        are as many users as have been needed so far.

        Raises:
            MeasureError: Every request of a variant's `on_start` failed.
        """
        load, cores = self.topic.scenario.load, self.experiment.cores.target
        told = self.generator.attach(
            {t.variant.name: t.url for t in running},
            {t.variant.name: t.pids for t in running},
            cores,
            max(load.users, self.users),
            most=calibration.most_users(load),
        )
        for one in running:
            self._check_log_ins(one, told[one.variant.name])
            one.pin(cores)

    def _check_log_ins(self, running: target.RunningTarget, told: Beginnings) -> None:
        """Say once for each variant that log-ins failed.

        Raises:
            MeasureError: All of them did.
        """
        failed, requests = told.failed, told.requests
        if not failed:
            return
        name = running.variant.name.removesuffix(AA_SUFFIX)
        error = max(told.errors, key=told.errors.__getitem__, default="")
        # The port is another one in every launch, the error is not.
        error = error.replace(running.url, "")
        if failed == requests:
            raise MeasureError(
                f"{self.topic.scenario.locustfile}: every request of on_start to "
                f"variant {name!r} failed ({requests} of {requests}), most often: "
                f"{error}\n  does the locustfile log in with users that the target "
                "has?"
            )
        if name not in self.warned:
            self.warned.add(name)
            self.experiment.warnings.append(
                f"{self.topic.name}: variant {name}: {failed} of {requests} requests "
                f"of on_start failed, most often: {error}"
            )

    def profile(self) -> None:
        """Run each claimed variant once more, with the profilers attached."""
        if self.schedule is None:
            return
        wanted = profiling.wanted(self.experiment.plan, self.topic)
        seen = self._profile_all(wanted, self.schedule.rate)
        self._profile_all(profiling.follow_ups(wanted, seen), self.schedule.rate)

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
            (),
            rng,
        ) as running:
            self.attach(list(running.values()))
            calibration.warm_up(self.generator, self.topic, list(running.values()))
            if rate is None:
                rate = calibration.calibrate(self.generator, self.topic, [name]).rate
            cores = experiment.cores.generator
            under = profiling.Conditions(
                self.topic.name, self.generator, rate, cores, rng
            )
            folder = self.folder / "profiles"
            taken = profiling.take(running[name], presets, folder, under)
            self.generator.detach()
            running[name].check_guard(self.topic.target.guard)
        for profile in taken.profiles:
            experiment.run.write_profile(profile)
        for problem in taken.problems:
            experiment.warnings.append(f"{self.topic.name}: {problem}")
            experiment.progress.note(problem)
        return taken.profiles

    def _keep(
        self, number: int, measured: launches.Launch, spin: float, clock: Clock
    ) -> None:
        topic, origin = self.topic, self.experiment.origin
        known = {
            ("", f"seconds.{part}"): (seconds, False)
            for part, seconds in clock.seconds.items()
        }
        if measured.counts:
            assert self.schedule is not None
            known |= {("", "spin"): (spin, False), ("", "seconds"): (clock.all, False)}
            known |= measured.values
            known |= {
                (name, measurements.GENERATOR): (share, False)
                for name, share in self.schedule.generator.items()
                if not name.endswith(AA_SUFFIX)
            }
        self.experiment.run.append_launch(
            topic.name,
            number,
            rows.slices(topic.name, number, measured.slices, origin),
            rows.values(topic.name, number, known),
            rows.samples(number, measured.samples, origin),
        )
        for variant, errors in measured.errors.items():
            self.experiment.failed(topic, variant).update(errors)


def _again(variant: Variant) -> Variant:
    """Return the A/A arm: the same variant under another name."""
    return variant.model_copy(update={"name": variant.name + AA_SUFFIX})
