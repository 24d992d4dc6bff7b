"""The results of a run: comparisons, claims, budgets, profiles. Frozen data types."""

from typing import Literal

from assay.gating import Gate
from assay.plan import Data

SCHEMA = 1
Verdict = Literal["faster", "slower", "same", "undecided"]
ClaimVerdict = Literal["holds", "refuted", "undecided"]
Outcome = Literal["passes", "fails", "undecided"]
Censored = Literal["", "baseline", "candidate", "both"]


class Comparison(Data):
    """One metric of two variants.

    Attributes:
        test: The node id of a benchmark that is judged by itself; otherwise empty.
        ratio: candidate / baseline, the Hodges-Lehmann estimate over launches.
        low: Lower end of the interval of the ratio; None if there are too few launches.
        high: Upper end of the interval.
        launches: How many launches the ratio is estimated from.
        dropped_blocks: Blocks that were left out because one side was disturbed.
        verdict: The verdict; None for a metric that is shown but does not decide.
        reason: Why the verdict is *undecided*; empty if it is not.
        differs: Whether a metric that does not decide stands out from all such metrics
            (Benjamini-Hochberg). It is a hint, never a verdict.
        censored: The sides whose number is only a lower bound in some launch, because
            latency reached a timeout or the generator limited the throughput. Then
            `ratio` is a lower bound (candidate) or an upper bound (baseline), and an
            end of the interval that is unknown is None.
        seconds_to_see: Measuring time, in seconds from the first launch, after
            which a difference as small as the margin would most likely be detected.
        detectable: The smallest change that the launches would have shown, as a share;
            only for a benchmark that is judged by itself.
    """

    topic: str
    test: str = ""
    baseline: str
    candidate: str
    metric: str
    ratio: float | None
    low: float | None
    high: float | None
    launches: int
    dropped_blocks: int = 0
    verdict: Verdict | None = None
    reason: str = ""
    differs: bool = False
    censored: Censored = ""
    seconds_to_see: float | None = None
    detectable: float | None = None


class PairVerdict(Data):
    """The joint verdict of all deciding metrics of a pair without claims.

    Attributes:
        verdict: The verdict; *same* only if every deciding metric is the same, and no
            other metric of serving differs.
        reason: Which metrics the verdict depends on, or what prevents a verdict.
        differing: Metrics that do not decide, but differ (see `Comparison.differs`).
        gate: What counts for the exit code: *undecided* also if it is slower only where
            that is waived or allowed, and something else is undecided. None if it was
            not judged; see `outcome`.
    """

    topic: str
    baseline: str
    candidate: str
    verdict: Verdict
    reason: str
    differing: tuple[str, ...] = ()
    gate: Outcome | None = None

    @property
    def outcome(self) -> Outcome:
        """What counts for the exit code."""
        if self.gate:
            return self.gate
        outcomes: dict[str, Outcome] = {"slower": "fails", "undecided": "undecided"}
        return outcomes.get(self.verdict, "passes")


class LeftOut(Data):
    """A benchmark that was not compared.

    Attributes:
        kind: Whether only the candidate has it (*new*), only the baseline has it
            (*removed*), or it *failed* or was *skipped*.
    """

    topic: str
    test: str
    kind: Literal["new", "removed", "failed", "skipped"]
    reason: str


class Control(Data):
    """One metric of the A/A arm: the same variant, measured twice.

    Attributes:
        ratio: Second measurement / first, over the launches that had the arm.
        failed: Whether the ratio is further from 1 than the launches' spread explains.
    """

    topic: str
    variant: str
    metric: str
    ratio: float
    launches: int
    failed: bool


class ClaimResult(Data):
    """The verdict on one claim.

    Attributes:
        verdict: The verdict that counts, after Holm's correction over all claims of the
            run.
        alone: The verdict if this were the only claim of the run.
    """

    topic: str
    says: str
    baseline: str
    candidate: str
    metric: str
    expect: str
    verdict: ClaimVerdict
    alone: ClaimVerdict
    reason: str


class BudgetResult(Data):
    """The verdict on one budget; values in the metric's unit."""

    topic: str
    variant: str
    metric: str
    at_most: float
    value: float | None
    high: float | None
    verdict: ClaimVerdict


class Value(Data):
    """One metric of one variant: the estimate over launches, and its interval.

    Attributes:
        censored: Whether the metric is only a lower bound in some launch (see
            `Comparison`). Then `value` is a lower bound, too, and `high` is None.
        test: The node id of a benchmark that is judged by itself; otherwise empty.
    """

    topic: str
    test: str = ""
    variant: str
    metric: str
    value: float
    low: float | None
    high: float | None
    launches: int
    censored: bool = False


class TimeSpent(Data):
    """How a topic's launches spent their time: seconds, summed over all launches.

    Attributes:
        starts: Starting the servers until they were ready.
        log_ins: Logging in, until the users had finished their `on_start`.
        warm_up: Warming up, and calibrating the load.
        slices: Measuring.
        rest: Stopping the servers, and everything else.
    """

    topic: str
    starts: float
    log_ins: float
    warm_up: float
    slices: float
    rest: float


class LedgerPart(Data):
    """One part of where a request's time goes; seconds per request.

    Attributes:
        amount: candidate - baseline.
        low: Lower end of the amount's interval over rounds.
        high: Upper end.
    """

    name: str
    baseline: float
    candidate: float
    amount: float
    low: float
    high: float


class Ledger(Data):
    """Where the time of a request goes on both sides of a pair.

    Attributes:
        latency: The mean latency while it was profiled; the parts add up to it.
        parts: All parts, with what is unexplained as the last.
        cpu: CPU seconds of baseline and candidate while they were profiled, with what
            the probe costs.
        rate: Arrivals per second meanwhile.
    """

    topic: str
    baseline: str
    candidate: str
    latency: LedgerPart
    parts: tuple[LedgerPart, ...]
    cpu: tuple[float, float] = (0.0, 0.0)
    rate: float = 0.0


class Outgoing(Data):
    """A query, a cache command or a call to another service; numbers per request.

    Attributes:
        kind: `query`, `cache command` or `other service`.
        text: The statement, command or address, without the values in it.
        where: The place that sends it; empty if unknown.
        counts: How often baseline and candidate send it.
        seconds: How long that takes on both sides.
    """

    topic: str
    baseline: str
    candidate: str
    kind: str
    text: str
    where: str
    counts: tuple[float, float]
    seconds: tuple[float, float]


class CallCount(Data):
    """A function of the project that one side calls more often.

    Attributes:
        where: The function, with its first line.
        counts: Calls per request of baseline and candidate.
    """

    topic: str
    baseline: str
    candidate: str
    where: str
    counts: tuple[float, float]


class Cause(Data):
    """What a difference between two variants is attributed to.

    Attributes:
        metric: The metric that it explains: `latency.mean`, `memory.growth` or
            `startup`.
        kind: `cpu`, `calls`, `queries`, `thread pool`, `connection pool`, `lock`,
            `other services`, `blocked event loop`, `garbage collection`,
            `memory growth`, `allocator`, `start-up` or `unexplained`.
        where: The place, as ``function (path/file.py:line)``; empty if unknown.
        holder: The place that held what was waited for; empty if unknown.
        amount: candidate - baseline, per request (for `startup`, per start).
        unit: Of the amount: `s` or `B`.
        low: Lower end of its interval over rounds.
        high: Upper end.
        share: Of the difference of the metric; None where there is none.
        sentence: The cause in words.
        changed: Whether it lies in what changed between the two commits.
        hunk: The changed lines there, with ``-`` or ``+`` before each.
    """

    topic: str
    baseline: str
    candidate: str
    metric: str
    kind: str
    where: str
    holder: str = ""
    unit: str = "s"
    amount: float
    low: float
    high: float
    share: float | None
    sentence: str
    changed: bool = False
    hunk: tuple[str, ...] = ()


class Results(Data):
    """The content of results.json, which is a public contract.

    Attributes:
        partial: Whether less than the whole plan was measured.
        looks: Numbers of launches after which the verdicts were judged.
    """

    schema_: int = SCHEMA
    run: str
    partial: bool
    seed: int
    looks: tuple[int, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    pairs: tuple[PairVerdict, ...] = ()
    gates: tuple[Gate, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    controls: tuple[Control, ...] = ()
    claims: tuple[ClaimResult, ...] = ()
    budgets: tuple[BudgetResult, ...] = ()
    values: tuple[Value, ...] = ()
    spent: tuple[TimeSpent, ...] = ()
    causes: tuple[Cause, ...] = ()
    ledgers: tuple[Ledger, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()
    calls: tuple[CallCount, ...] = ()
    warnings: tuple[str, ...] = ()

    def measured(self, topic: str, pair: tuple[str, str]) -> bool:
        """Say whether a pair has a comparison of at least one launch."""
        return any(
            item.launches
            and (item.topic, item.baseline, item.candidate) == (topic, *pair)
            for item in self.comparisons
        )


# With fewer samples, no share of a profile is known to within a tenth.
SAMPLES_TO_COMPARE = 100


class Stacks(Data):
    """A profile whose values belong to call stacks.

    Attributes:
        unit: Unit of the values, per request: ``s`` (CPU seconds) or ``B``.
        requests: Requests served while the profile was taken.
        samples: Number of samples, which determines the sampling noise.
        total: Sum of all values, per request.
        stacks: Pairs of a stack, root first, and its value per request. A
            frame reads ``function (path/file.py)``, without line numbers.
        notes: What the reader must know about this profile, in sentences.
    """

    kind: Literal["stacks"] = "stacks"
    topic: str
    variant: str
    preset: str
    unit: str
    requests: int
    samples: int
    total: float
    stacks: tuple[tuple[tuple[str, ...], float], ...]
    notes: tuple[str, ...] = ()


class Timeline(Data):
    """A profile whose values belong to points in time.

    Attributes:
        pair: The pair in whose rounds it was taken; None if it was taken alone.
        unit: Unit of the values, for example ``B``.
        requests: Requests served between the first and the last point.
        seconds: Times since the profile began, ascending.
        values: One value for each time.
    """

    kind: Literal["timeline"] = "timeline"
    topic: str
    pair: tuple[str, str] | None = None
    variant: str
    preset: str
    unit: str
    requests: int
    seconds: tuple[float, ...]
    values: tuple[float, ...]
    notes: tuple[str, ...] = ()


Profile = Stacks | Timeline
