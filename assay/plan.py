"""The plan: what will be measured, on what, under which load.

These are plain frozen data types. `assay.inputs.loader` builds them from the files
that people write; a run directory keeps them as `plan.json`.
"""

import math
from pathlib import Path

from assay.commits import Subject
from assay.data import Data as Data  # noqa: PLC0414
from assay.gating import Gating
from assay.metrics import DECIDING_METRICS

# The A/A arm measures the baseline a second time, under its name with this suffix,
# which no name in a file can have.
AA_SUFFIX = "~again"


class Expectation(Data):
    """What a claim expects of the ratio candidate / baseline.

    Attributes:
        text: The expectation as written, for example ``<= 0.30`` or ``faster``.
        low: Natural log of the least ratio for which the claim is true, or -inf.
        high: Natural log of the greatest such ratio, or +inf.
    """

    text: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def directed(self) -> bool:
        """Whether it expects a change in one direction, without saying how large.

        ``<= 1`` does not: it expects no growth, so it also holds where nothing
        changes.
        """
        return " ".join(self.text.split()) in ("faster", "slower")


# The presets that are taken of every pair that differs or has a claim.
DEFAULT_PROFILES = ("cpu", "memory", "waits", "queries", "gc")


class Claim(Data):
    """A statement about two variants under one scenario.

    Attributes:
        profiles: Presets that are taken besides the default ones; none at all if it is
            empty.
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
        at_most: The limit in the metric's own unit (seconds, share, bytes).
        text: The limit as written, for example ``50ms``.
    """

    variant: str
    metric: str
    at_most: float
    text: str


class Variant(Data):
    """A named change to the target.

    Attributes:
        env: Added to the target's environment.
        command: Replaces the target's command.
        url: A server that already runs; nothing is started.
        tests: For micro-benchmarks, the pytest node of this side, for example
            ``bench_json.py::test_orjson``.
        cwd: Replaces the target's working directory.
        python: The interpreter that runs benchmarks of this variant.
        packages: The folder that has the project's own package, installed.
        original: The folder that `cwd` is a copy of, while launches run in copies.
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
        guard: The path that says whether the variant has been doing what its name
            says; empty if there is none. See `target.check_guard`.
        needs: Services by name, passed on as DATABASE_URL and REDIS_URL.
        round_trip: Network round trip added to each service, by name, in seconds.
        prepare: A command run once before the first launch, for example a
            migration or a seeding script, in the same environment.
        python: The interpreter that runs benchmarks.
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
            variant's capacity; used if `arrival_rate` is not given.
        arrival_rate: Arrivals per second of the open loop.
        connections: Users, and so connections, that the open loop can occupy.
        think_time: Whether users of the closed loop wait as the locustfile says.
        shape: How the arrival rate changes within an open-loop slice, as written;
            empty for a constant rate.
        times: Times in the slice, in seconds, at which the shape sets a rate.
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
        benchmarks: A pattern of files in the topic's folder.
        paths: Files, folders or nodes of benchmarks instead, from each variant's
            working directory.
        tests: Node ids of the benchmarks that are judged each by itself: those that
            all variants have.
        new_tests: Those that only the last variant has.
        removed_tests: Those that only the first variant has.
        broken_tests: Files or tests that the last variant cannot collect, and why.
    """

    locustfile: Path | None = None
    arguments: tuple[str, ...] = ()
    benchmarks: str | None = None
    paths: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    new_tests: tuple[str, ...] = ()
    removed_tests: tuple[str, ...] = ()
    broken_tests: dict[str, str] = {}
    load: Load = Load()


class Topic(Data):
    """One folder with a claims.toml: its parsed content.

    Attributes:
        file: The claims.toml itself.
        variants: The variants in the order in which they were written; the first is
            the baseline of a comparison without claims.
        deciding: Metrics that alone decide a comparison without claims; empty for
            the usual ones.
        time_budget: Seconds that the topic may take before it stops undecided; None
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
        """The folder that the claims.toml lies in."""
        return self.file.parent

    def variant(self, name: str) -> Variant:
        """Return the variant of that name.

        Raises:
            KeyError: There is none.
        """
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise KeyError(name)

    def cwd_of(self, variant: Variant) -> Path:
        """Return the folder that a variant's commands run in."""
        return variant.cwd or self.target.cwd

    def roots_of(self, variant: Variant) -> tuple[Path, ...]:
        """Return the folders that a variant's own files lie in.

        These are its working directory, and what that is a copy of: an editable install
        leads there.
        """
        roots = (self.cwd_of(variant), variant.original)
        return tuple(root for root in roots if root)

    def code_of(self, variant: Variant) -> tuple[Path, ...]:
        """Return the folders that hold a variant's own code, as it is installed too."""
        packages = (variant.packages,) if variant.packages else ()
        return (*self.roots_of(variant), *packages)

    @property
    def judged_by_test(self) -> bool:
        """Whether each of its benchmarks is a comparison of its own.

        Claims and budgets are about all benchmarks together, and a variant that names a
        test is that test.
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
        """Return the (baseline, candidate) pairs that are compared."""
        claimed = dict.fromkeys((c.baseline, c.candidate) for c in self.claims)
        if claimed:
            return tuple(claimed)
        first, *others = (variant.name for variant in self.variants)
        return tuple((first, other) for other in others)

    def compared(self) -> tuple[tuple[str, str], ...]:
        """Return the pairs, and each variant with a budget paired with itself.

        Each of these needs undisturbed blocks.
        """
        alone = dict.fromkeys((b.variant, b.variant) for b in self.budgets)
        first = self.variants[0].name
        return (*self.pairs(), *alone) or ((first, first),)

    def controls(self) -> tuple[str, ...]:
        """Return the baselines that get an A/A arm: the baseline of the first pair."""
        return tuple(baseline for baseline, _ in self.pairs()[:1])


class Preset(Data):
    """A file of `profiles/`: a profiler and its settings.

    Attributes:
        profiler: The name under which a profiler is registered.
        seconds: How long one variant is observed.
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
        margin: The change that is too small to matter, as a share.
        confidence: Confidence of the verdicts, over all looks together.
        time_budget: Seconds that one topic may take before it stops undecided.
        looks: Numbers of launches after which the verdicts are judged. The ranks of
            fewer than 15 launches are so coarse that two outliers keep an interval
            open: more launches, each less precise, decide sooner.
        seed: Seed of every random choice.
        profile: Whether pairs are profiled: every pair (True), none (False), or those
            that differ or have a claim (None).
    """

    margin: float = 0.05
    confidence: float = 0.95
    time_budget: float = 300.0
    looks: tuple[int, ...] = (15, 20, 27, 40, 60)
    seed: int = 0
    profile: bool | None = None


class Plan(Data):
    """Everything that a run needs to know, validated as a whole.

    Attributes:
        subject: The two commits that are compared, if the variants are commits.
        gating: What may be slower without failing the gate.
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
            KeyError: There is none.
        """
        for topic in self.topics:
            if topic.name == name:
                return topic
        raise KeyError(name)

    def time_budget(self, topic: Topic) -> float:
        """Return the seconds that a topic may take before it stops undecided."""
        return topic.time_budget or self.settings.time_budget

    def profiles_of(self, topic: Topic, pair: tuple[str, str]) -> tuple[Preset, ...]:
        """Return the presets that are taken of a pair, if it is profiled."""
        names: list[str] = []
        claims = [
            claim for claim in topic.claims if (claim.baseline, claim.candidate) == pair
        ]
        for asked in [claim.profiles for claim in claims] or [None]:
            if asked != ():
                names += [*DEFAULT_PROFILES, *(asked or ())]
        return tuple(preset for preset in self.presets if preset.name in names)
