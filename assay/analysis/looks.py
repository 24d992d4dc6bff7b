"""Choose after how many launches the data are judged, and at which level.

Both are fixed before anything is measured.
"""

import math
from dataclasses import dataclass

from assay.analysis import deciding, statistics
from assay.plan import Claim, Plan

LARGE_EFFECT = math.log(2)  # log ratio
EARLY_LOOK = 8  # launches
MIN_LAUNCHES_SAVED = 2  # an early look must save this many launches


@dataclass(frozen=True)
class Looks:
    """After how many launches the data are judged, and at which significance level.

    Attributes:
        launches: Numbers of launches after which the data are judged, ascending.
        alpha: Two-sided error rate of the run.
        margin: The largest change that is too small to matter, as a fraction.
        claims: How many claims share the error rate.
        comparisons: How many comparisons without a claim share the error rate.
        budgets: How many budgets share the error rate.
    """

    launches: tuple[int, ...]
    alpha: float
    margin: float
    claims: int = 0
    comparisons: int = 0
    budgets: int = 0

    @property
    def last(self) -> int:
        """The number of launches at the last look."""
        return self.launches[-1]

    def level(self, hypotheses: int = 1) -> float:
        """Return the two-sided significance level of one look.

        Args:
            hypotheses: How many hypotheses share alpha.
        """
        return statistics.pocock_level(self.launches, self.alpha / max(hypotheses, 1))


def looks_of(plan: Plan) -> Looks:
    """Return the looks of a plan.

    Two adjustments are made to the looks of the settings. If all claims expect large
    effects, an early look is added. It comes after `EARLY_LOOK` launches, or later if
    no p-value of so few launches can reach the level shared by all claims. It is added
    only if it saves at least `MIN_LAUNCHES_SAVED` launches. Without an early look, the
    first look is postponed until a p-value can reach the shared level, but stays before
    the second. The postponement matters with very many claims (or comparisons without
    claims).
    """
    settings = plan.settings
    alpha = 1 - settings.confidence
    claims = [claim for topic in plan.topics for claim in topic.claims]
    comparisons = deciding.family_size(plan)
    launches = settings.looks
    if len(launches) > 1:
        shared = alpha / max(len(claims) or comparisons, 1)
        launches = _adjusted_looks(launches, claims, shared)
    return Looks(
        launches,
        alpha,
        settings.margin,
        len(claims),
        comparisons,
        sum(len(topic.budgets) for topic in plan.topics),
    )


def _adjusted_looks(
    looks: tuple[int, ...], claims: list[Claim], alpha: float
) -> tuple[int, ...]:
    """Return the looks with an early look added, or with the first look postponed."""
    if claims and all(map(_expects_large_effect, claims)):
        early = _postpone_first((EARLY_LOOK, *looks), alpha)
        if early[0] + MIN_LAUNCHES_SAVED <= looks[0]:
            return early
    return _postpone_first(looks, alpha)


def _expects_large_effect(claim: Claim) -> bool:
    bounds = (claim.expect.low, claim.expect.high)
    return any(math.isfinite(b) and abs(b) >= LARGE_EFFECT for b in bounds)


def _postpone_first(looks: tuple[int, ...], alpha: float) -> tuple[int, ...]:
    """Postpone the first look until it can decide, but keep it before the second."""
    while looks[0] + 1 < looks[1] and (
        statistics.smallest_p(looks[0]) > statistics.pocock_level(looks, alpha)
    ):
        looks = (looks[0] + 1, *looks[1:])
    return looks
