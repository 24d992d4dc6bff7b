"""The verdict on a pair without claims, from all its comparisons together."""

from collections.abc import Mapping, Sequence

from assay import wording
from assay.metrics import METRICS
from assay.results import Comparison, PairVerdict, Verdict

NAMED = 3  # a reason names at most this many requests


def judge(compared: Sequence[Comparison], margin: float) -> PairVerdict:
    """Judge a pair without claims by all its comparisons together.

    The requests of a service can make the pair *slower*, but nothing else: one that is
    undecided or faster is shown, and the load as a whole decides.

    Args:
        compared: All comparisons of the pair, at least one of the load as a whole.
        margin: The largest change that is too small to matter, as a fraction.
    """
    requests = [item for item in compared if METRICS[item.metric].of_request]
    compared = [item for item in compared if not METRICS[item.metric].of_request]
    by_verdict: dict[str, list[Comparison]] = {}
    for item in compared:
        if item.verdict is not None:
            by_verdict.setdefault(item.verdict, []).append(item)
    differing = [item for item in compared if item.differs]
    # A serving metric without a verdict can prevent *same* if it differs. But it never
    # makes the pair *faster* or *slower*.
    differing_serving = [item for item in differing if METRICS[item.metric].serving]
    verdicts = set(by_verdict)
    verdict: Verdict = "undecided"
    if verdicts == {"same"} and not differing_serving:
        verdict = "same"
    elif "slower" in verdicts and "faster" not in verdicts:
        verdict = "slower"
    elif "faster" in verdicts and "slower" not in verdicts:
        verdict = "faster"
    reason = _reason(by_verdict, margin)
    if differing:
        others = wording.listed([_with_ratio(item) for item in differing])
        verb = "differs" if len(differing) == 1 else "differ"
        same = verdicts == {"same"}
        reason += f", but {others} {verb}" if same else f"; {others} {verb}, too"
    if slower := [item for item in requests if item.verdict == "slower"]:
        verdict = "slower"
        reason = f"{_slower_requests(slower)}; of the whole load, {reason}"
    first = compared[0]
    return PairVerdict(
        topic=first.topic,
        baseline=first.baseline,
        candidate=first.candidate,
        verdict=verdict,
        reason=reason,
        differing=tuple(item.metric for item in differing),
    )


def _slower_requests(items: Sequence[Comparison]) -> str:
    """Name the requests that are slower by themselves, the slowest first."""
    items = sorted(items, key=lambda item: -(item.ratio or 1.0))
    named = [f"{item.test} ({wording.in_words(item)})" for item in items[:NAMED]]
    more = [f"{len(items) - NAMED} more"] if len(items) > NAMED else []
    verb = "is" if len(items) == 1 else "are"
    return f"{wording.listed([*named, *more])} {verb} slower"


def _reason(by_verdict: Mapping[str, Sequence[Comparison]], margin: float) -> str:
    """Return what the deciding metrics show, or why they are undecided."""
    clauses = {
        verdict: f"{verdict} by {wording.listed([_with_ratio(item) for item in items])}"
        for verdict, items in by_verdict.items()
        if verdict in ("faster", "slower")
    }
    if {"faster", "slower"} <= set(clauses):
        return f"the metrics disagree: {clauses['faster']}, {clauses['slower']}"
    if "same" in by_verdict:
        names = [item.metric for item in by_verdict["same"]]
        clauses["same"] = _clause(names, f"the same within {wording.percent(margin)}")
    if undecided := by_verdict.get("undecided", []):
        reasons = dict.fromkeys(item.reason for item in undecided if item.reason)
        if len(reasons) == 1 and not clauses:
            return next(iter(reasons))
        names = [item.metric for item in undecided]
        clauses["undecided"] = f"{_clause(names, 'undecided')}: {'; '.join(reasons)}"
    return "; ".join(clauses.values())


def _with_ratio(item: Comparison) -> str:
    return f"{item.metric} ({wording.in_words(item)})"


def _clause(names: Sequence[str], state: str) -> str:
    return f"{wording.listed(names)} {'is' if len(names) == 1 else 'are'} {state}"
