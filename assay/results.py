"""The data types of results: comparisons, claims, budgets, causes and profiles."""

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
        test: The node id of a benchmark, or the request of a service, that is judged
            by itself; otherwise empty.
        ratio: candidate / baseline, the Hodges-Lehmann estimate over launches; None if
            no launch has a ratio.
        low: Lower end of the interval of the ratio; 0 if it is unknown, None if there
            are too few launches.
        high: Upper end of the interval; None if it is unknown, or if there are too few
            launches.
        launches: How many launches the ratio is estimated from.
        dropped_blocks: Blocks that were left out because one side was disturbed.
        verdict: The verdict; None for a metric that is shown but does not decide.
        reason: Why the verdict is *undecided*; empty if it is not.
        differs: Whether the ratio of a metric that does not decide, or of an undecided
            benchmark or request, stands out (Benjamini-Hochberg). It is a hint, never a
            verdict.
        censored: The sides that are only known as lower bounds, because latency
            reached a timeout or the generator limited the throughput. Then `ratio` is a
            lower bound (candidate) or an upper bound (baseline). Empty if no launch has
            a bound, or if the estimate does not depend on the few launches that have
            one.
        seconds_to_see: Measuring time, in seconds from the start of the first launch,
            after which a difference as small as the margin would most likely be
            detected; None if unknown.
        detectable: Half the width of the interval, as a share: about the smallest
            change that the launches would have shown. Only for a benchmark or request
            that is judged by itself; otherwise None.
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
    """The joint verdict on a pair without claims, from all metrics or benchmarks.

    Attributes:
        verdict: The verdict; *same* only if every deciding metric is the same, and no
            other metric of serving differs. If benchmarks are judged one by one, it is
            *slower* if any is; otherwise *undecided* if any is; otherwise *faster* if
            any is. A service is also *slower* if one of its requests is.
        reason: Which metrics the verdict depends on, or what prevents a verdict.
        differing: Metrics that do not decide, but differ (see `Comparison.differs`).
        gate: The gate's decision, which counts for the exit code. If all slower
            comparisons are waived or allowed, an undecided comparison makes the
            decision *undecided*. None if no gate has decided; see `outcome`.
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
        """What counts for the exit code: the gate's decision, or else the verdict."""
        if self.gate:
            return self.gate
        outcomes: dict[str, Outcome] = {"slower": "fails", "undecided": "undecided"}
        return outcomes.get(self.verdict, "passes")


class LeftOut(Data):
    """A benchmark that was not compared.

    Attributes:
        test: The node id; a file, if pytest could not collect the whole file.
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
        launches: How many launches had the arm.
        failed: Whether the ratio is beyond the margin, and further from 1 than the
            spread between launches explains.
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
    """The verdict on one budget; values in the metric's unit.

    Attributes:
        value: The estimate; None if nothing was measured.
        high: One-sided upper bound of the value; None if it is unknown.
    """

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
        test: The node id of a benchmark, or the request of a service, that is judged
            by itself; otherwise empty.
        low: Lower end of the 95 % interval; None if there are too few launches.
        high: Upper end of this interval; None if it is unknown.
        censored: Whether the metric is only a lower bound in some launch, because
            latency reached a timeout or the generator limited the throughput. Then
            `high` is None.
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
    """How a topic's launches spent their time, in seconds, summed over all launches.

    Attributes:
        starts: Starting the servers, until they were ready.
        log_ins: Logging in, until the users had finished their `on_start`.
        warm_up: Warming up, and calibrating the load.
        slices: Measuring slices.
        rest: Stopping the servers, and everything else.
    """

    topic: str
    starts: float
    log_ins: float
    warm_up: float
    slices: float
    rest: float


class LedgerPart(Data):
    """One part of the time of a request; numbers in seconds per request.

    Attributes:
        amount: candidate - baseline.
        low: Lower end of the interval of the amount, over rounds.
        high: Upper end of this interval.
    """

    name: str
    baseline: float
    candidate: float
    amount: float
    low: float
    high: float


class Ledger(Data):
    """How both sides of a pair spend the time of a request while they are profiled.

    Attributes:
        latency: The mean latency; the parts add up to it.
        parts: The parts, without those that are 0 on both sides. The last part is what
            is unexplained.
        cpu: CPU seconds per request of baseline and candidate, including the cost of
            the probe.
        rate: Arrivals per second.
        request: The only request that was sent; empty if the whole load was.
    """

    topic: str
    baseline: str
    candidate: str
    latency: LedgerPart
    parts: tuple[LedgerPart, ...]
    cpu: tuple[float, float] = (0.0, 0.0)
    rate: float = 0.0
    request: str = ""


class Outgoing(Data):
    """A query, a cache command or a call to another service; numbers per request.

    Attributes:
        kind: `query`, `cache command` or `other service`.
        text: The statement, command or address, without the values in it.
        where: The place that sends it; empty if unknown.
        counts: How often baseline and candidate send it.
        seconds: How many seconds it takes on baseline and candidate.
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
        where: The function and its line, as ``function (path/file.py:line)``.
        counts: Calls per request of baseline and candidate.
    """

    topic: str
    baseline: str
    candidate: str
    where: str
    counts: tuple[float, float]


class Cause(Data):
    """One cause of a difference between two variants.

    Attributes:
        metric: The metric that it explains: `latency.mean`, `memory.growth` or
            `startup`.
        kind: `cpu`, `calls`, `queries`, `thread pool`, `connection pool`, `lock`,
            `other services`, `blocked event loop`, `garbage collection`,
            `memory growth`, `allocator`, `start-up` or `unexplained`.
        where: The place, as ``function (path/file.py:line)``; empty if unknown.
        holder: The place that held the resource that requests waited for; empty if
            unknown.
        unit: The unit of the amount: `s` or `B`.
        amount: candidate - baseline, per request (for `startup`, per start).
        low: Lower end of the interval of the amount, over rounds.
        high: Upper end of this interval.
        share: The amount as a share of the metric's difference; None if unknown.
        sentence: The cause in words.
        changed: Whether the code at `where` or at `holder` was changed between the two
            commits.
        hunk: The changed lines of this code, with ``-`` or ``+`` before each.
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
        run: Name of the run.
        partial: Whether the plan was not measured completely.
        looks: Numbers of launches after which the verdicts are judged.
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


# With fewer samples, a share of a profile can be wrong by more than 0.1.
SAMPLES_TO_COMPARE = 100


class Stacks(Data):
    """A profile whose values belong to call stacks.

    Attributes:
        unit: Unit of the values, per request: ``s`` (CPU seconds) or ``B``.
        requests: Number of requests served while the profile was taken.
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
        requests: Number of requests served between the first and the last point.
        seconds: The points in time, in seconds since the profile began, ascending.
        values: One value for each point in time.
        notes: What the reader must know about this profile, in sentences.
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
