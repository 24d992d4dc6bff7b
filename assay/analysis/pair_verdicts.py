"""The verdict on a pair without claims, from all its comparisons together."""

from collections.abc import Mapping, Sequence

from assay import wording
from assay.metrics import METRICS
from assay.results import Comparison, PairVerdict, Verdict


def judge(compared: Sequence[Comparison], margin: float) -> PairVerdict:
    """Judge a pair without claims by all its comparisons together.

    Args:
        compared: All comparisons of the pair, at least one.
        margin: The largest change that is too small to matter, as a fraction.
    """
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
        others = _listed([_with_ratio(item) for item in differing])
        verb = "differs" if len(differing) == 1 else "differ"
        same = verdicts == {"same"}
        reason += f", but {others} {verb}" if same else f"; {others} {verb}, too"
    first = compared[0]
    return PairVerdict(
        topic=first.topic,
        baseline=first.baseline,
        candidate=first.candidate,
        verdict=verdict,
        reason=reason,
        differing=tuple(item.metric for item in differing),
    )


def _reason(by_verdict: Mapping[str, Sequence[Comparison]], margin: float) -> str:
    """Return what the deciding metrics show, or why they are undecided."""
    clauses = {
        verdict: f"{verdict} by {_listed([_with_ratio(item) for item in items])}"
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
    return f"{_listed(names)} {'is' if len(names) == 1 else 'are'} {state}"


def _listed(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
