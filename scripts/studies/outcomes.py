"""Outcomes of many comparisons: what each rule said, counted and chosen from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assay.analysis.statistics import binomial_interval
from assay.results import Verdict
from assay.wording import percent

NOISES = ("quiet", "burst")
IDENTICAL = "A/A"
EFFECTS = (IDENTICAL, "+2 % CPU", "+5 % CPU", "+10 % CPU", "+5 ms on 3 %")
ASSAY, MARGIN_RULE = "Assay", "Assay, margin 3 %"
ANY, MARGIN_METRIC = "any", "cpu_per_request"
VERDICTS: tuple[Verdict, ...] = ("faster", "slower", "same", "undecided")

# The targets: shares, and seconds of measuring.
MOST_FALSE, HIGHEST_FALSE = 0.05, 0.10
TARGET_EFFECT, LEAST_POWER = "+5 % CPU", 0.95
MOST_SECONDS = {"quiet": 60.0, "burst": 150.0}
LEAST_COVERED = 0.93
LEAST_SAME, SAME_SECONDS = 0.90, 60.0


@dataclass(frozen=True)
class Outcome:
    """What one rule said of one metric in one comparison.

    Attributes:
        noise: One of `NOISES`.
        effect: One of `EFFECTS`: what the candidate does on top of the baseline.
        rule: `ASSAY`, `MARGIN_RULE` or the name of a rival.
        metric: A metric, or `ANY` for the whole comparison.
        launches: How many it rests on.
        seconds: Of measuring until the verdict, wall clock; None if not known.
        ratio: Candidate / baseline, with the ends of its interval.
        true_ratio: The injected ratio of this metric, where it is known.
        covered: Whether the interval holds the true ratio.
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
    def of(cls, own: Sequence[Outcome], test: Callable[[Outcome], bool]) -> "Share":
        """Count the outcomes that pass a test."""
        return cls(sum(1 for outcome in own if test(outcome)), len(own))

    @property
    def value(self) -> float:
        """Return the share; of nothing it is 0."""
        return self.count / max(self.total, 1)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the Clopper-Pearson interval; of nothing it is 0 to 1."""
        return binomial_interval(self.count, self.total)

    def cells(self) -> list[str]:
        """Return it as three cells of a table."""
        low, high = self.interval
        ends = f"[{percent(low)}, {percent(high)}]"
        return [f"{self.count}/{self.total}", percent(self.value), ends]


def is_false(outcome: Outcome) -> bool:
    """Say whether it calls the sides different: false where they are identical."""
    return outcome.verdict in ("faster", "slower")


def is_slower(outcome: Outcome) -> bool:
    """Say whether it calls the candidate slower."""
    return outcome.verdict == "slower"


def is_covered(outcome: Outcome) -> bool:
    """Say whether the interval is known to hold the true ratio."""
    return outcome.covered is True


def is_soon_same(outcome: Outcome) -> bool:
    """Say whether it was called the same in time; an unknown time is not in time."""
    seconds = outcome.seconds
    return outcome.verdict == "same" and seconds is not None and seconds <= SAME_SECONDS


def chosen(outcomes: Sequence[Outcome], **fields: str) -> list[Outcome]:
    """Return the outcomes with these fields."""
    return [o for o in outcomes if all(getattr(o, k) == v for k, v in fields.items())]


def identical(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the verdicts of whole comparisons of identical code."""
    return chosen(outcomes, effect=IDENTICAL, metric=ANY)


def covering(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return Assay's outcomes of injected effects whose true ratio is known."""
    own = chosen(outcomes, rule=ASSAY)
    return [o for o in own if o.covered is not None and o.effect != IDENTICAL]


def with_margin(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return what Assay says of identical code under the tighter margin."""
    return chosen(outcomes, rule=MARGIN_RULE, effect=IDENTICAL, metric=MARGIN_METRIC)


def grouped(
    outcomes: Sequence[Outcome], *fields: str
) -> list[tuple[tuple[str, ...], list[Outcome]]]:
    """Group outcomes by fields: what is known first and in its order, then the rest."""
    groups: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(tuple(getattr(outcome, f) for f in fields), []).append(
            outcome
        )
    order = [ASSAY, MARGIN_RULE, *NOISES, *EFFECTS, *(k for key in groups for k in key)]
    return sorted(groups.items(), key=lambda one: [order.index(k) for k in one[0]])
