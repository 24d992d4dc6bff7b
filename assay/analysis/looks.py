"""When a run is looked at, and at which level: fixed before anything is measured."""

import math
from dataclasses import dataclass

from assay.analysis import deciding, statistics
from assay.plan import Claim, Plan

LARGE_EFFECT = math.log(2)  # log ratio
EARLY_LOOK = 8  # launches
MIN_LAUNCHES_SAVED = 2  # launches that an early look must save


@dataclass(frozen=True)
class Looks:
    """When a run is looked at, and at which level.

    Attributes:
        launches: Numbers of launches at which verdicts are looked at, ascending.
        alpha: Two-sided error rate of the run.
        margin: The change that is too small to matter, as a share.
        claims: How many claims share that error rate.
        comparisons: How many comparisons without a claim share it.
        budgets: How many budgets share it.
    """

    launches: tuple[int, ...]
    alpha: float
    margin: float
    claims: int = 0
    comparisons: int = 0
    budgets: int = 0

    @property
    def last(self) -> int:
        """The number of launches after which there is no other look."""
        return self.launches[-1]

    def level(self, sharing: int = 1) -> float:
        """Return the two-sided level of one look for each of `sharing` hypotheses."""
        return statistics.pocock_level(self.launches, self.alpha / max(sharing, 1))


def of(plan: Plan) -> Looks:
    """Return the looks of a plan.

    Where all claims expect large effects, an early look is added: as soon as their
    shared level can be reached, and only if that saves several launches. With very
    many claims the first look of the settings cannot reach that level, whatever the
    data; it is postponed until it can.
    """
    settings = plan.settings
    alpha = 1 - settings.confidence
    claims = [claim for topic in plan.topics for claim in topic.claims]
    comparisons = deciding.family_size(plan)
    launches = settings.looks
    if len(launches) > 1:
        shared = alpha / max(len(claims) or comparisons, 1)
        launches = _launches(launches, claims, shared)
    return Looks(
        launches,
        alpha,
        settings.margin,
        len(claims),
        comparisons,
        sum(len(topic.budgets) for topic in plan.topics),
    )


def _launches(
    looks: tuple[int, ...], claims: list[Claim], alpha: float
) -> tuple[int, ...]:
    if claims and all(map(_expects_large_effect, claims)):
        early = _postpone_first((EARLY_LOOK, *looks), alpha)
        if early[0] + MIN_LAUNCHES_SAVED <= looks[0]:
            return early
    return _postpone_first(looks, alpha)


def _expects_large_effect(claim: Claim) -> bool:
    bounds = (claim.expect.low, claim.expect.high)
    return any(math.isfinite(b) and abs(b) >= LARGE_EFFECT for b in bounds)


def _postpone_first(looks: tuple[int, ...], alpha: float) -> tuple[int, ...]:
    """Postpone the first look, up to the second, until it can decide something."""
    while looks[0] + 1 < looks[1] and (
        statistics.smallest_p(looks[0]) > statistics.pocock_level(looks, alpha)
    ):
        looks = (looks[0] + 1, *looks[1:])
    return looks
