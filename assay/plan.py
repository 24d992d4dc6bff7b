"""The data types of a plan: what will be measured, on what, under which load.

`assay.inputs.loader` builds a plan from the files that people write. A run directory
keeps it as `plan.json`.
"""

import math
from pathlib import Path

from assay.commits import Subject
from assay.data import Data as Data  # noqa: PLC0414
from assay.gating import Gating
from assay.metrics import DECIDING_METRICS

# The A/A arm measures the baseline a second time, under its name with this suffix. No
# name in a file can end with the suffix.
AA_SUFFIX = "~again"


class Expectation(Data):
    """What a claim expects of the ratio candidate / baseline.

    Attributes:
        text: The expectation as written, for example ``<= 0.30`` or ``faster``.
        low: Natural log of the smallest ratio for which the claim is true, or -inf.
        high: Natural log of the largest ratio for which the claim is true, or +inf.
    """

    text: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def directed(self) -> bool:
        """Whether it expects a change in one direction, without saying how large.

        ``<= 1`` does not expect a change: it also holds if nothing changes.
        """
        return " ".join(self.text.split()) in ("faster", "slower")


# The presets that every profiled pair gets, unless a claim asks for no profiles.
DEFAULT_PROFILES = ("cpu", "memory", "waits", "queries", "gc")


class Claim(Data):
    """A statement about two variants under one scenario.

    Attributes:
        profiles: Presets that are taken in addition to the default ones. None means
            only the default ones; an empty tuple means no presets at all.
    """

    says: str
    baseline: str
    candidate: str
    metric: str
    expect: Expectation
    profiles: tuple[str, ...] | None = None


class Budget(Data):
    """An absolute limit on one metric of one variant.

    Attributes:
        at_most: The limit in the metric's unit.
        text: The limit as written, for example ``50ms``.
    """

    variant: str
    metric: str
    at_most: float
    text: str


class Variant(Data):
    """A named change to the target.

    Attributes:
        env: Environment variables, added to the target's.
        command: The command that replaces the target's.
        url: The URL of a server that already runs, so that nothing is started.
        tests: The pytest node of this variant, for benchmarks; for example
            ``bench_json.py::test_orjson``.
        cwd: The working directory that replaces the target's.
        python: The interpreter that runs the benchmarks of this variant, instead of the
            target's.
        packages: The folder in which the project's own package is installed; None if
            the package is not installed separately for this variant.
        original: The folder that `cwd` is a copy of; None if `cwd` is not a copy.
    """

    name: str
    env: dict[str, str] = {}
    command: str | None = None
    url: str | None = None
    tests: str | None = None
    cwd: Path | None = None
    python: Path | None = None
    packages: Path | None = None
    original: Path | None = None


class Target(Data):
    """How to start one server, or the URL of a server that already runs.

    Attributes:
        command: A command line with ``{port}`` where the port goes.
        cwd: The folder that the command runs in.
        ready: The path that answers 2xx once the server is ready.
        ready_timeout: Seconds that the server may take to get ready.
        guard: The path at which the server says whether the variant did what its name
            says; empty if there is none. See `RunningTarget.check_guard`.
        needs: Names of services, which the target gets as DATABASE_URL and REDIS_URL.
        round_trip: Network round trip added to each service, by name, in seconds.
        prepare: A command that is run once before the first launch, for example a
            migration or a seeding script, in the same environment.
        python: The interpreter that runs benchmarks; None for the one that the command
            `python` starts in the working directory.
        copied: Whether each variant runs in its own copy of its working directory,
            which is restored before each launch.
    """

    command: str | None = None
    url: str | None = None
    env: dict[str, str] = {}
    cwd: Path
    ready: str = "/"
    ready_timeout: float = 30.0
    guard: str = ""
    needs: tuple[str, ...] = ()
    round_trip: dict[str, float] = {}
    prepare: str | None = None
    python: Path | None = None
    copied: bool = False


class Companion(Data):
    """A process that the target calls, started once for a topic.

    Attributes:
        command: A command line with ``{port}`` where the port goes.
        variable: The environment variable that tells the target its URL.
        ready: The path that answers 2xx once it is ready.
        ready_timeout: Seconds that it may take to get ready.
    """

    name: str
    command: str
    variable: str
    env: dict[str, str] = {}
    ready: str = "/"
    ready_timeout: float = 30.0


class Load(Data):
    """The load of a scenario.

    Attributes:
        users: Concurrent users of the closed loop.
        utilisation: Arrival rate of the open loop, as a share of the slower
            variant's capacity; used if `arrival_rate` is None.
        arrival_rate: Arrivals per second of the open loop.
        connections: The largest number of users, and therefore of connections, in the
            open loop.
        think_time: Whether users of the closed loop wait as the locustfile says.
        shape: How the arrival rate changes within an open-loop slice, as written;
            empty for a constant rate.
        times: Times in the slice, in seconds, at which the shape sets a rate; empty for
            a constant rate.
        multiples: The rates at these times, as multiples of the arrival rate.
    """

    users: int = 4
    utilisation: float = 0.5
    arrival_rate: float | None = None
    connections: int = 32
    think_time: bool = False
    shape: str = ""
    times: tuple[float, ...] = ()
    multiples: tuple[float, ...] = ()


class Scenario(Data):
    """The work put on a target: a locustfile and a load, or benchmarks.

    Attributes:
        arguments: Arguments for the locustfile, as after `locust -f FILE`.
        benchmarks: A pattern of files in the topic's folder; None for a locustfile.
        paths: Files, folders or nodes of benchmarks, relative to each variant's working
            directory. If there are any, the pattern is not used.
        tests: Node ids of the benchmarks that are judged one by one: those that all
            variants have. Empty if benchmarks are judged together, or are not collected
            yet.
        new_tests: Node ids that only the last variant has.
        removed_tests: Node ids that only the first variant has.
        broken_tests: Files or tests that the last variant cannot collect, with the
            reasons.
        each_request: Whether each request of the load is compared and judged by itself,
            too.
        requests: The only requests that are judged by themselves; all if empty.
    """

    locustfile: Path | None = None
    arguments: tuple[str, ...] = ()
    benchmarks: str | None = None
    paths: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    new_tests: tuple[str, ...] = ()
    removed_tests: tuple[str, ...] = ()
    broken_tests: dict[str, str] = {}
    each_request: bool = False
    requests: tuple[str, ...] = ()
    load: Load = Load()


class Topic(Data):
    """The content of a claims.toml, or benchmarks or a command without such a file.

    Attributes:
        guide: Where the advice comes from.
        file: The claims.toml. Without one, a path in the folder of the topic.
        variants: The variants in the order in which they were written; the first is
            the baseline of a comparison without claims.
        deciding: The metrics that decide a comparison without claims; empty for the
            usual metrics.
        time_budget: Seconds after which the topic stops, even if it is undecided; None
            for the run's time budget. See `Plan.time_budget`.
    """

    name: str
    title: str
    guide: str = ""
    file: Path
    target: Target
    companions: tuple[Companion, ...] = ()
    scenario: Scenario
    variants: tuple[Variant, ...]
    claims: tuple[Claim, ...] = ()
    budgets: tuple[Budget, ...] = ()
    deciding: tuple[str, ...] = ()
    time_budget: float | None = None

    @property
    def folder(self) -> Path:
        """The folder that contains the claims.toml."""
        return self.file.parent

    def variant(self, name: str) -> Variant:
        """Return the variant of that name.

        Raises:
            KeyError: There is no such variant.
        """
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise KeyError(name)

    def cwd_of(self, variant: Variant) -> Path:
        """Return the folder that a variant's commands run in."""
        return variant.cwd or self.target.cwd

    def roots_of(self, variant: Variant) -> tuple[Path, ...]:
        """Return the folders that contain a variant's own files.

        These are its working directory and, if that is a copy, the original folder. An
        editable install refers to the original folder.
        """
        roots = (self.cwd_of(variant), variant.original)
        return tuple(root for root in roots if root)

    def code_of(self, variant: Variant) -> tuple[Path, ...]:
        """Return `roots_of`, and the folder of the installed package, if any."""
        packages = (variant.packages,) if variant.packages else ()
        return (*self.roots_of(variant), *packages)

    @property
    def judged_by_test(self) -> bool:
        """Whether each benchmark is compared and judged by itself.

        This is false if the topic has claims or budgets, which are about all benchmarks
        together, or if a variant names its test.
        """
        return bool(
            self.scenario.benchmarks
            and not (self.claims or self.budgets)
            and not any(variant.tests for variant in self.variants)
        )

    def metrics(self) -> set[str]:
        """Return the metrics that need a verdict."""
        metrics = {claim.metric for claim in self.claims}
        metrics |= {budget.metric for budget in self.budgets}
        return metrics or set(self.deciding or DECIDING_METRICS)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return the (baseline, candidate) pairs that are compared.

        These are the pairs of the claims. Without claims, the first variant is the
        baseline of all others.
        """
        claimed = dict.fromkeys((c.baseline, c.candidate) for c in self.claims)
        if claimed:
            return tuple(claimed)
        first, *others = (variant.name for variant in self.variants)
        return tuple((first, other) for other in others)

    def compared(self) -> tuple[tuple[str, str], ...]:
        """Return the pairs that need undisturbed blocks.

        These are the compared pairs, and each variant with a budget paired with itself.
        If there are none, the first variant is paired with itself.
        """
        alone = dict.fromkeys((b.variant, b.variant) for b in self.budgets)
        first = self.variants[0].name
        return (*self.pairs(), *alone) or ((first, first),)

    def controls(self) -> tuple[str, ...]:
        """Return the baselines with an A/A arm: that of the first pair, if any."""
        return tuple(baseline for baseline, _ in self.pairs()[:1])


class Preset(Data):
    """A file of `profiles/`: a profiler and its settings.

    Attributes:
        profiler: The name of a registered profiler.
        seconds: How many seconds one variant is observed.
        settings: Settings of the profiler, which checks them.
    """

    name: str
    title: str
    profiler: str
    seconds: float
    settings: dict[str, float | int | bool | str] = {}


class Settings(Data):
    """Settings of the whole run.

    Attributes:
        margin: The largest change that is too small to matter, as a fraction.
        confidence: Confidence of the verdicts, over all looks together.
        time_budget: Seconds after which a topic stops, even if it is undecided.
        looks: Numbers of launches after which the verdicts are judged, ascending. With
            fewer than 15 launches, two outliers suffice to keep an interval too wide.
            Therefore, many launches decide sooner than a few that are each more
            precise.
        seed: Seed of every random choice.
        profile: Whether pairs are profiled: every pair (True), none (False), or those
            that differ or have a claim (None).
        allow_hosts: Other machines that may be loaded; `*` stands for any text.
    """

    margin: float = 0.05
    confidence: float = 0.95
    time_budget: float = 300.0
    looks: tuple[int, ...] = (15, 20, 27, 40, 60)
    seed: int = 0
    profile: bool | None = None
    allow_hosts: tuple[str, ...] = ()


class Plan(Data):
    """Everything that a run needs to know, validated as a whole.

    Attributes:
        command: The command line, for the report.
        subject: The two commits that are compared; None if no commits are compared.
        gating: The thresholds and waivers of the gate.
    """

    topics: tuple[Topic, ...]
    presets: tuple[Preset, ...] = ()
    settings: Settings = Settings()
    command: str = ""
    subject: Subject | None = None
    gating: Gating = Gating()

    def topic(self, name: str) -> Topic:
        """Return the topic of that name.

        Raises:
            KeyError: There is no such topic.
        """
        for topic in self.topics:
            if topic.name == name:
                return topic
        raise KeyError(name)

    def time_budget(self, topic: Topic) -> float:
        """Return the seconds after which a topic stops, even if it is undecided."""
        return topic.time_budget or self.settings.time_budget

    def profiles_of(self, topic: Topic, pair: tuple[str, str]) -> tuple[Preset, ...]:
        """Return the presets that are taken if this pair is profiled."""
        names: list[str] = []
        claims = [
            claim for claim in topic.claims if (claim.baseline, claim.candidate) == pair
        ]
        for asked in [claim.profiles for claim in claims] or [None]:
            if asked != ():
                names += [*DEFAULT_PROFILES, *(asked or ())]
        return tuple(preset for preset in self.presets if preset.name in names)
