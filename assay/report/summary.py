"""What a run answers, in words: shared by every format."""

from collections import Counter
from collections.abc import Sequence

from assay.plan import Plan
from assay.results import (
    BudgetResult,
    ClaimResult,
    Comparison,
    PairVerdict,
    Results,
    Value,
)
from assay.wording import (
    clean,
    compared,
    counted,
    forecast,
    interval,
    one_line,
    quantity,
    unit_of,
)


def title(plan: Plan, results: Results) -> str:
    """Return the question that the run was asked."""
    if len(results.claims) == 1 and not results.budgets:
        return f"“{one_line(results.claims[0].says)}” – does it hold?"
    names = [one_line(topic.title) for topic in plan.topics]
    asked = " and ".join(
        counted(number, noun)
        for number, noun in (
            (len(results.claims), "claim"),
            (len(results.budgets), "budget"),
        )
        if number
    )
    if asked:
        start = f"{names[0]}: do" if len(names) == 1 else "Do"
        return f"{start} these {asked} hold?"
    pairs = [(topic, pair) for topic in plan.topics for pair in topic.pairs()]
    if len(pairs) == 1:
        baseline, candidate = pairs[0][1]
        return f"Is {one_line(candidate)} slower than {one_line(baseline)}?"
    return ", ".join(names) or "An empty run"


def answer(plan: Plan, results: Results) -> str:
    """Return the answer in one sentence, or two where the run was cut short.

    What decided is part of it where only one thing was asked.
    """
    parts = []
    if results.claims:
        verdicts = [claim.verdict for claim in results.claims]
        parts.append(_tally(verdicts, "claim"))
    if results.budgets:
        parts.append(_tally([budget.verdict for budget in results.budgets], "budget"))
    alone = len(results.claims) + len(results.budgets) + len(results.pairs) == 1
    for whole in results.pairs:
        word = pair_verdict_text(whole) if alone else whole.verdict
        parts.append(f"{pair_text(whole)}: {word}")
    if not parts:
        parts = _decided(results)
    if alone and results.claims and results.claims[0].verdict == "undecided":
        parts[0] += f": {one_line(results.claims[0].reason)}"
    sentence = "; ".join(parts).rstrip(".") or "Nothing was decided"
    sentence = sentence[0].upper() + sentence[1:] + "."
    if results.partial:
        sentence += " The run did not finish: this is what was measured until then."
    return sentence


def pair_text(pair: Comparison | PairVerdict) -> str:
    """Return a pair as people name it: ``redis against uncached``."""
    return f"{one_line(pair.candidate)} against {one_line(pair.baseline)}"


def pair_verdict_text(whole: PairVerdict) -> str:
    """Return the word of a whole with its reason, in which it is not said again."""
    reason = one_line(whole.reason)
    if not reason or reason.startswith(f"{whole.verdict} "):
        return reason or whole.verdict
    return f"{whole.verdict}: {reason}"


def pair_verdict_of(results: Results, comparison: Comparison) -> PairVerdict | None:
    """Return the verdict as a whole of a comparison's pair, if it has one."""
    return next((w for w in results.pairs if _pair(w) == _pair(comparison)), None)


def by_whole(
    results: Results, comparisons: Sequence[Comparison]
) -> list[tuple[PairVerdict | None, list[Comparison]]]:
    """Return comparisons by the whole they belong to, those without one last."""
    groups: list[tuple[PairVerdict | None, list[Comparison]]] = []
    for whole in (*results.pairs, None):
        own = [item for item in comparisons if pair_verdict_of(results, item) == whole]
        if whole or own:
            groups.append((whole, own))
    return groups


def claim_notes(results: Results, claim: ClaimResult, margin: float) -> list[str]:
    """Return why a claim is undecided and what deciding would take, or nothing."""
    if claim.verdict != "undecided":
        return []
    comparison = comparison_of(results, claim)
    seconds = comparison.seconds_to_see if comparison else None
    return _notes(claim.reason, claim.metric, margin, seconds)


def notes(results: Results, comparison: Comparison, margin: float) -> list[str]:
    """Return why a comparison is undecided and what deciding would take, or nothing.

    A reason that its pair as a whole gives already is not said again.
    """
    whole, reason = pair_verdict_of(results, comparison), comparison.reason
    if whole and reason in whole.reason:
        reason = ""
    seconds = comparison.seconds_to_see if comparison.verdict == "undecided" else None
    return _notes(reason, comparison.metric, margin, seconds)


def unsaid(texts: Sequence[str], said: str) -> list[str]:
    """Return those texts that stand nowhere in what was said already."""
    return [text for text in map(one_line, texts) if text and text not in said]


def unclaimed(results: Results) -> list[Comparison]:
    """Return the comparisons that decide although no claim asked for them."""
    asked = {
        (claim.topic, claim.baseline, claim.candidate, claim.metric)
        for claim in results.claims
    }
    return [
        comparison
        for comparison in results.comparisons
        if comparison.verdict is not None
        and (
            comparison.topic,
            comparison.baseline,
            comparison.candidate,
            comparison.metric,
        )
        not in asked
    ]


def without_claims(results: Results) -> list[Comparison]:
    """Return the deciding comparisons of the topics that make no claims."""
    claiming = {claim.topic for claim in results.claims}
    return [item for item in unclaimed(results) if item.topic not in claiming]


def comparison_of(results: Results, claim: ClaimResult) -> Comparison | None:
    """Return the comparison that a claim was judged by, if there is one."""
    for comparison in results.comparisons:
        if (
            comparison.topic == claim.topic
            and comparison.baseline == claim.baseline
            and comparison.candidate == claim.candidate
            and comparison.metric == claim.metric
        ):
            return comparison
    return None


def budget_text(budget: BudgetResult) -> str:
    """Return a budget as a statement: ``latency.p99 of redis at most 50.0 ms``."""
    unit = unit_of(budget.metric)
    return (
        f"{clean(budget.metric)} of {one_line(budget.variant)} "
        f"at most {quantity(budget.at_most, unit)}"
    )


def budget_reason(results: Results, budget: BudgetResult) -> str:
    """Return what was measured for a budget."""
    if budget.value is None:
        return "it was not measured"
    unit = unit_of(budget.metric)
    wanted = (budget.topic, budget.variant, budget.metric)
    if any(v.censored and _key(v) == wanted for v in results.values):
        return f"measured ≥ {quantity(budget.value, unit)}: it reached the timeout"
    if budget.high is None:
        return f"measured {quantity(budget.value, unit)}"
    return (
        f"measured {quantity(budget.value, unit)}, "
        f"at most {quantity(budget.high, unit)} with confidence"
    )


def side_text(value: Value | None) -> str:
    """Return one side's number with its interval, or a dash."""
    if value is None:
        return "–"
    return interval(
        value.value, value.low, value.high, unit_of(value.metric), value.censored
    )


def _key(value: Value) -> tuple[str, str, str]:
    return value.topic, value.variant, value.metric


def _pair(item: Comparison | PairVerdict) -> tuple[str, str, str]:
    return item.topic, item.baseline, item.candidate


def _notes(reason: str, metric: str, margin: float, seconds: float | None) -> list[str]:
    said = [one_line(reason)] if reason else []
    return said + ([forecast(metric, margin, seconds)] if seconds is not None else [])


def _tally(verdicts: Sequence[str], noun: str) -> str:
    counts = Counter(verdicts)
    words = {"holds": "hold", "refuted": "are refuted", "undecided": "are undecided"}
    one = {"holds": "holds", "refuted": "is refuted", "undecided": "is undecided"}
    if len(verdicts) == 1:
        return f"the {noun} {one[verdicts[0]]}"
    if len(counts) == 1:
        every = "both" if len(verdicts) == 2 else f"all {len(verdicts)}"
        return f"{every} {noun}s {words[verdicts[0]]}"
    present = [verdict for verdict in words if counts[verdict]]
    first, *others = (
        (counts[verdict], (one if counts[verdict] == 1 else words)[verdict])
        for verdict in present
    )
    rest = [f"{number} {does}" for number, does in others]
    joined = ", ".join(rest[:-1]) + (" and " if len(rest) > 1 else "") + rest[-1]
    return f"{first[0]} of {counted(len(verdicts), noun)} {first[1]}, {joined}"


def _decided(results: Results) -> list[str]:
    """Return one phrase for each pair of a comparison without claims."""
    pairs = dict.fromkeys((c.baseline, c.candidate) for c in unclaimed(results))
    phrases = []
    for baseline, candidate in pairs:
        of_pair = [
            comparison
            for comparison in unclaimed(results)
            if (comparison.baseline, comparison.candidate) == (baseline, candidate)
        ]
        words = ", ".join(
            f"{comparison.verdict} by {comparison.metric} ({compared(comparison)})"
            for comparison in of_pair
        )
        phrases.append(f"{pair_text(of_pair[0])}: {words}")
    return phrases
