"""The outcomes of many comparisons: how to select, group and count them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.analysis.statistics import binomial_interval
from assay.results import Verdict
from assay.wording import percent

NOISES = ("quiet", "burst")
IDENTICAL = "A/A"
EFFECTS = (IDENTICAL, "+2 % CPU", "+5 % CPU", "+10 % CPU", "+5 ms on 3 %")
ASSAY = "Assay"
MARGIN_RULE = "Assay, margin 3 %"
MARGIN_METRIC = "cpu_per_request"
ANY = "any"  # stands for the comparison as a whole, in place of a metric
VERDICTS: tuple[Verdict, ...] = ("faster", "slower", "same", "undecided")

# The goals: shares of comparisons, and seconds of measuring.
MAX_FALSE = 0.05
MAX_FALSE_UPPER_END = 0.10  # upper end of the 95 % interval of the false-alarm share
POWER_EFFECT = "+5 % CPU"
MIN_POWER = 0.95
MAX_SECONDS = {"quiet": 60.0, "burst": 150.0}
MIN_COVERAGE = 0.93
MIN_SAME = 0.90
MAX_SAME_SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    """The verdict of one rule on one metric in one comparison.

    Attributes:
        noise: One of `NOISES`.
        effect: One of `EFFECTS`: what the candidate does in addition to the baseline.
        rule: `ASSAY`, `MARGIN_RULE` or the name of a rival.
        metric: A metric, or `ANY` for the overall verdict of the comparison.
        launches: How many launches the verdict rests on.
        seconds: Wall-clock time of measuring until the verdict; None if unknown.
        ratio: Candidate / baseline; `low` and `high` are the ends of its interval.
        true_ratio: The ratio that the comparison should find; None if unknown.
        covered: Whether the interval contains the true ratio; None if unknown.
    """

    noise: str
    effect: str
    rule: str
    metric: str
    verdict: Verdict
    launches: int
    seconds: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    true_ratio: float | None = None
    covered: bool | None = None


@dataclass(frozen=True)
class Share:
    """A count out of a total, with its exact 95 % interval."""

    count: int
    total: int

    @classmethod
    def of(
        cls, outcomes: Sequence[Outcome], test: Callable[[Outcome], bool]
    ) -> "Share":
        """Count the outcomes that pass a test."""
        return cls(sum(1 for outcome in outcomes if test(outcome)), len(outcomes))

    @property
    def value(self) -> float:
        """Return the share; 0 if the total is 0."""
        return self.count / max(self.total, 1)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the Clopper-Pearson interval; 0 to 1 if the total is 0."""
        return binomial_interval(self.count, self.total)

    def cells(self) -> list[str]:
        """Return three cells of a table: the count, the share and its interval."""
        low, high = self.interval
        ends = f"[{percent(low)}, {percent(high)}]"
        return [f"{self.count}/{self.total}", percent(self.value), ends]


def is_different(outcome: Outcome) -> bool:
    """Say whether the verdict is a difference.

    For identical code that is a false alarm.
    """
    return outcome.verdict in ("faster", "slower")


def is_slower(outcome: Outcome) -> bool:
    """Say whether the verdict calls the candidate slower."""
    return outcome.verdict == "slower"


def is_covered(outcome: Outcome) -> bool:
    """Say whether the interval is known to contain the true ratio."""
    return outcome.covered is True


def is_same_in_time(outcome: Outcome) -> bool:
    """Say whether the verdict was *same* in time; an unknown time is too late."""
    seconds = outcome.seconds
    in_time = seconds is not None and seconds <= MAX_SAME_SECONDS
    return outcome.verdict == "same" and in_time


def select(outcomes: Sequence[Outcome], **fields: str) -> list[Outcome]:
    """Return the outcomes whose fields have these values."""
    return [o for o in outcomes if all(getattr(o, k) == v for k, v in fields.items())]


def of_identical_code(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the overall verdicts of comparisons of identical code."""
    return select(outcomes, effect=IDENTICAL, metric=ANY)


def with_true_ratio(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return Assay's outcomes on slower code whose true ratio is known."""
    by_assay = select(outcomes, rule=ASSAY)
    return [o for o in by_assay if o.covered is not None and o.effect != IDENTICAL]


def under_tight_margin(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return Assay's verdicts on identical code under the margin of 3 %."""
    return select(outcomes, rule=MARGIN_RULE, effect=IDENTICAL, metric=MARGIN_METRIC)


def grouped(
    outcomes: Sequence[Outcome], *fields: str
) -> list[tuple[tuple[str, ...], list[Outcome]]]:
    """Group outcomes by the values of fields.

    Groups are in the order of the constants above; unknown values come last.
    """
    groups: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(tuple(getattr(outcome, f) for f in fields), []).append(
            outcome
        )
    order = [ASSAY, MARGIN_RULE, *NOISES, *EFFECTS, *(k for key in groups for k in key)]
    return sorted(groups.items(), key=lambda group: [order.index(k) for k in group[0]])
