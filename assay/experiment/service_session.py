"""Launches of a service under load: start the servers, load them, store the results."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.analysis import measurements
from assay.analysis.deciding import LEAN_USER_HINT
from assay.errors import MeasureError
from assay.experiment import calibration
from assay.experiment import launch as launches
from assay.experiment import profiling, target
from assay.experiment.context import Experiment
from assay.experiment.deadlines import NEVER, Deadline
from assay.experiment.pair_profiling import PairProfiling
from assay.experiment.sessions import CONTROL_EVERY, LaunchTimer
from assay.load.answers import OnStartResult
from assay.load.control.generator import Generator
from assay.metrics import METRICS
from assay.plan import AA_SUFFIX, Preset, Topic, Variant
from assay.profilers.probe import ProbeProfiler
from assay.results import Profile
from assay.run_directory import rows
from assay.wording import significant


@dataclass
class ServiceSession:
    """Launches of a service under load.

    Attributes:
        experiment: The running experiment.
        topic: The topic that is measured.
        folder: A folder for temporary files.
        environment: Environment variables for the servers.
        generator: The load generator.
        schedule: How launches are measured; chosen in the first launch.
        users: The most users that a variant needed so far.
        warned: Variants whose failed log-ins were already reported.
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
        """Start every variant afresh, measure the blocks, and store the results.

        Returns:
            Whether the launch counts.
        """
        experiment, topic = self.experiment, self.topic
        variants = list(topic.variants)
        if (number - 1) % CONTROL_EVERY == 0:
            variants += [_control_of(topic.variant(name)) for name in topic.controls()]
        timer = LaunchTimer()
        # The time of a fixed piece of work: the machine's speed in this launch.
        spin = calibration.spin(experiment.cores.target)
        rng = experiment.rng(topic, number)
        timer.charge("rest")
        with target.launched(
            topic, variants, self.environment, self.folder, (), rng
        ) as running:
            timer.charge("starts")
            measured = self._measure(running, rng, deadline, timer)
            self.generator.detach()
            # A disturbed launch does not count, but its guard is checked even so.
            if not measured.cut:
                for server in running.values():
                    server.check_guard(topic.target.guard)
        timer.charge("rest")
        self._store(number, measured, spin, timer)
        self.cut = measured.cut
        return measured.counts

    def _measure(
        self,
        running: Mapping[str, target.RunningTarget],
        rng: random.Random,
        deadline: Deadline,
        timer: LaunchTimer,
    ) -> launches.Launch:
        """Run the blocks of a launch on servers that have just started."""
        generator, topic = self.generator, self.topic
        cores = self.experiment.cores.target
        order = list(running.values())
        rng.shuffle(order)
        self.attach(order)
        timer.charge("log_ins")
        calibration.warm_up(generator, topic, order, deadline)
        if self.schedule is None and not deadline.passed:
            self.schedule = calibration.calibrate(
                generator, topic, list(running), topic.metrics(), deadline
            )
            self._warn_of_lower_rate(self.schedule)
        timer.charge("warm_up")
        if self.schedule is None:
            return launches.Launch(counts=False, cut=True)
        schedule = self.schedule.extended_for(timer.total, len(running))
        measured = launches.measure(
            generator, running, schedule, topic.compared(), cores, rng, deadline
        )
        self.users = max(self.users, measured.users)
        timer.charge("slices")
        return measured

    def _warn_of_lower_rate(self, schedule: calibration.Schedule) -> None:
        """Add a warning if the open loop has fewer arrivals than were requested."""
        if schedule.rate >= schedule.requested_rate:
            return
        self.experiment.warnings.append(
            f"{self.topic.name}: the load generator cannot keep up with "
            f"{significant(schedule.requested_rate)} arrivals a second "
            f"({self.topic.scenario.load.utilisation:.0%} of the slower variant's "
            f"capacity); the rate is {significant(schedule.rate)} instead. "
            + LEAN_USER_HINT
        )

    def attach(self, running: Sequence[target.RunningTarget]) -> None:
        """Give every running variant its users, then pin the servers to their cores.

        Log-ins can take long, and nothing is measured yet, so they may use every core.
        Each variant gets as many users as any variant has needed so far.

        Raises:
            MeasureError: Every request of a variant's `on_start` failed.
        """
        load, cores = self.topic.scenario.load, self.experiment.cores.target
        log_ins = self.generator.attach(
            {server.variant.name: server.url for server in running},
            {server.variant.name: server.pids for server in running},
            cores,
            max(load.users, self.users),
            max_users=calibration.max_users(load),
        )
        for server in running:
            self._check_log_ins(server, log_ins[server.variant.name])
            server.pin(cores)

    def _check_log_ins(
        self, server: target.RunningTarget, log_ins: OnStartResult
    ) -> None:
        """Add a warning, once for each variant, if some log-ins failed.

        Raises:
            MeasureError: All log-ins failed.
        """
        failed, requests = log_ins.failed, log_ins.requests
        if not failed:
            return
        name = server.variant.name.removesuffix(AA_SUFFIX)
        error = max(log_ins.errors, key=log_ins.errors.__getitem__, default="")
        # Remove the URL: its port differs in every launch, although the error is the
        # same.
        error = error.replace(server.url, "")
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
        """Profile the pairs that differ or have a claim.

        If the settings ask for profiles, pairs without a difference or a claim are
        profiled, too.
        """
        if self.schedule is None:
            return
        plan, topic, rate = self.experiment.plan, self.topic, self.schedule.rate
        # The presets that the profile of a pair leaves out: they are taken of each
        # variant by itself.
        presets_by_variant: dict[str, list[Preset]] = {}
        for pair in self._pairs_to_profile():
            presets = plan.profiles_of(topic, pair)
            taken = PairProfiling(
                self.experiment,
                topic,
                pair,
                presets,
                self.folder,
                self.environment,
                self.generator,
                self.attach,
                self._only_request(pair),
            ).take(self.schedule)
            for preset in presets:
                if preset.name in taken or preset.profiler == ProbeProfiler.name:
                    continue
                for name in pair:
                    wanted = presets_by_variant.setdefault(name, [])
                    wanted += [preset] if preset not in wanted else []
        profiles = self._profile_all(presets_by_variant, rate)
        follow_ups = profiling.follow_ups(presets_by_variant, profiles)
        self._profile_all(follow_ups, rate)

    def _pairs_to_profile(self) -> list[tuple[str, str]]:
        """Return the pairs to profile; Assay must start the servers of both sides."""
        topic, asked = self.topic, self.experiment.plan.settings.profile
        results = self.experiment.results(partial=False)
        differing = {
            (item.baseline, item.candidate)
            for item in results.comparisons
            if item.topic == topic.name
            and (
                item.verdict == "slower"
                if METRICS[item.metric].of_request
                else item.verdict in ("faster", "slower") or item.differs
            )
        }
        claimed = {(claim.baseline, claim.candidate) for claim in topic.claims}
        return [
            pair
            for pair in topic.pairs()
            if (asked or pair in claimed | differing)
            and self.experiment.plan.profiles_of(topic, pair)
            and all(self._is_started(topic.variant(name)) for name in pair)
        ]

    def _only_request(self, pair: tuple[str, str]) -> str:
        """Return the request that differs most clearly; empty if the load differs."""
        compared = [
            item
            for item in self.experiment.results(partial=False).comparisons
            if (item.topic, item.baseline, item.candidate) == (self.topic.name, *pair)
        ]
        if any(
            item.verdict in ("faster", "slower") for item in compared if not item.test
        ):
            return ""
        slower = [item for item in compared if item.test and item.verdict == "slower"]
        return max(slower, key=lambda item: item.low or 0.0).test if slower else ""

    def _is_started(self, variant: Variant) -> bool:
        """Say whether Assay starts a variant's server.

        Servers that were already running cannot be profiled.
        """
        return not variant.url and bool(variant.command or not self.topic.target.url)

    def _profile_all(
        self, presets_of: Mapping[str, Sequence[Preset]], rate: float
    ) -> list[Profile]:
        """Profile each variant; if one fails, only its profiles are missing."""
        profiles: list[Profile] = []
        for name, presets in presets_of.items():
            self.experiment.progress.profiling(self.topic, name, presets)
            try:
                profiles += self.profile_variant(name, presets, rate)
            except MeasureError as error:  # the verdicts do not depend on profiles
                self.experiment.warnings.append(f"{self.topic.name}: {error}")
        return profiles

    def profile_variant(
        self, name: str, presets: Sequence[Preset], rate: float | None
    ) -> Sequence[Profile]:
        """Profile one variant on a fresh server; return the profiles that succeeded.

        Args:
            name: The variant.
            presets: The presets of the profiles to take.
            rate: Arrivals per second; derived from the variant's capacity if None.

        Raises:
            MeasureError: The target could not be started, or it ended early.
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
            conditions = profiling.Conditions(
                self.topic.name, self.generator, rate, cores, rng
            )
            folder = self.folder / "profiles"
            taken = profiling.take(running[name], presets, folder, conditions)
            self.generator.detach()
            running[name].check_guard(self.topic.target.guard)
        for profile in taken.profiles:
            experiment.run.write_profile(profile)
        for problem in taken.problems:
            experiment.warnings.append(f"{self.topic.name}: {problem}")
            experiment.progress.note(problem)
        return taken.profiles

    def _store(
        self, number: int, measured: launches.Launch, spin: float, timer: LaunchTimer
    ) -> None:
        """Append a launch to the run directory, and count its errors."""
        topic, origin = self.topic, self.experiment.origin
        # Each value is a pair: the number, and whether it is only a bound.
        values = {
            ("", f"seconds.{part}"): (seconds, False)
            for part, seconds in timer.seconds.items()
        }
        if measured.counts:
            assert self.schedule is not None
            values |= {
                ("", "spin"): (spin, False),
                ("", "seconds"): (timer.total, False),
            }
            values |= measured.values
            values |= {
                (name, metric): (value, False)
                for metric, by_variant in (
                    (measurements.GENERATOR_SHARE, self.schedule.generator_share),
                    (measurements.TARGET_CORES, self.schedule.target_cores),
                )
                for name, value in by_variant.items()
                if not name.endswith(AA_SUFFIX)
            }
        self.experiment.run.append_launch(
            topic.name,
            number,
            rows.slices(topic.name, number, measured.slices, origin),
            rows.values(topic.name, number, values),
            rows.samples(number, measured.samples, origin),
        )
        if measured.counts and topic.scenario.each_request:
            by_request = rows.requests(topic.name, number, measured.requests)
            self.experiment.run.append_requests(by_request)
        for variant, errors in measured.errors.items():
            self.experiment.errors_of(topic, variant).update(errors)


def _control_of(variant: Variant) -> Variant:
    """Return the A/A arm of a variant: the same variant under another name."""
    return variant.model_copy(update={"name": variant.name + AA_SUFFIX})
