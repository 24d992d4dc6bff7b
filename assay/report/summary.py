"""The results of a run in words, shared by all formats."""

import math
from collections import Counter
from collections.abc import Sequence

from assay.gating import Gate
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
    percent,
    quantity,
    unit_of,
)

_ORDER = {"slower": 0, "faster": 1, "undecided": 2, "same": 3}


def title(plan: Plan, results: Results) -> str:
    """Return the question that the run answers."""
    if len(results.claims) == 1 and not results.budgets:
        return f"“{one_line(results.claims[0].says)}” – does it hold?"
    names = [one_line(topic.title) for topic in plan.topics]
    counts = " and ".join(
        counted(number, noun)
        for number, noun in (
            (len(results.claims), "claim"),
            (len(results.budgets), "budget"),
        )
        if number
    )
    if counts:
        start = f"{names[0]}: do" if len(names) == 1 else "Do"
        return f"{start} these {counts} hold?"
    pairs = [(topic, pair) for topic in plan.topics for pair in topic.pairs()]
    if plan.subject:
        base, head = (
            _named(side.name) for side in (plan.subject.base, plan.subject.head)
        )
        return f"Is {head} slower than {base}?"
    if len(pairs) == 1:
        baseline, candidate = pairs[0][1]
        return f"Is {one_line(candidate)} slower than {one_line(baseline)}?"
    return ", ".join(names) or "An empty run"


def _named(commit: str) -> str:
    """Return a commit's name for a sentence: ``main``, ``the working tree``."""
    name = one_line(commit)
    return f"the {name}" if " " in name else name


def answer(plan: Plan, results: Results) -> str:
    """Return the answer in one sentence.

    If the run had a single question, the answer includes the reason. Another sentence
    follows if the gate has something to add, and one more if the run was cut short.
    """
    parts = []
    if results.claims:
        verdicts = [claim.verdict for claim in results.claims]
        parts.append(_tally(verdicts, "claim"))
    if results.budgets:
        parts.append(_tally([budget.verdict for budget in results.budgets], "budget"))
    single_question = (
        len(results.claims) + len(results.budgets) + len(results.pairs) == 1
    )
    for pair_verdict in results.pairs:
        verdict = (
            pair_verdict_text(pair_verdict) if single_question else pair_verdict.verdict
        )
        parts.append(f"{pair_text(pair_verdict)}: {verdict}")
    if not parts:
        parts = _verdict_phrases(results)
    if single_question and results.claims and results.claims[0].verdict == "undecided":
        parts[0] += f": {one_line(results.claims[0].reason)}"
    sentence = "; ".join(parts).rstrip(".") or "Nothing was decided"
    sentence = sentence[0].upper() + sentence[1:] + "."
    if gated := gate_answer(results):
        sentence += f" {gated}"
    if results.partial:
        sentence += (
            " The run did not finish: the results cover what was measured until then."
        )
    return sentence


def pair_text(pair: Comparison | PairVerdict) -> str:
    """Return a pair as text: ``redis against uncached``."""
    return f"{one_line(pair.candidate)} against {one_line(pair.baseline)}"


def pair_verdict_text(pair_verdict: PairVerdict) -> str:
    """Return a pair's verdict and reason, without saying the verdict twice."""
    reason = one_line(pair_verdict.reason)
    if not reason or reason.startswith(f"{pair_verdict.verdict} "):
        return reason or pair_verdict.verdict
    return f"{pair_verdict.verdict}: {reason}"


def pair_verdict_of(results: Results, comparison: Comparison) -> PairVerdict | None:
    """Return the verdict on a comparison's whole pair; None if there is none."""
    return next(
        (
            pair_verdict
            for pair_verdict in results.pairs
            if _pair(pair_verdict) == _pair(comparison)
        ),
        None,
    )


def group_by_pair(
    results: Results, comparisons: Sequence[Comparison]
) -> list[tuple[PairVerdict | None, list[Comparison]]]:
    """Return comparisons grouped by the verdict on their pair; None comes last."""
    groups: list[tuple[PairVerdict | None, list[Comparison]]] = []
    for pair_verdict in (*results.pairs, None):
        members = [
            comparison
            for comparison in comparisons
            if pair_verdict_of(results, comparison) == pair_verdict
        ]
        if pair_verdict or members:
            groups.append((pair_verdict, members))
    return groups


def claim_notes(results: Results, claim: ClaimResult, margin: float) -> list[str]:
    """Return why a claim is undecided, and how long a decision would take."""
    if claim.verdict != "undecided":
        return []
    comparison = comparison_of(results, claim)
    seconds = comparison.seconds_to_see if comparison else None
    return _notes(claim.reason, claim.metric, margin, seconds)


def notes(results: Results, comparison: Comparison, margin: float) -> list[str]:
    """Return the gate's decision, why a comparison is undecided, and the time needed.

    A reason that is part of the verdict on the whole pair is left out.
    """
    pair_verdict, reason = pair_verdict_of(results, comparison), comparison.reason
    if pair_verdict and reason in pair_verdict.reason:
        reason = ""
    seconds = comparison.seconds_to_see if comparison.verdict == "undecided" else None
    gate = gate_text(gate_of(results, comparison))
    return [
        *([gate] if gate else []),
        *_notes(reason, comparison.metric, margin, seconds),
    ]


def gate_of(results: Results, comparison: Comparison) -> Gate | None:
    """Return the gate's decision on a comparison; None if there is none."""
    if comparison.verdict != "slower":
        return None
    key = gate_key(comparison)
    return next((gate for gate in results.gates if gate_key(gate) == key), None)


def gates_by_key(results: Results) -> dict[tuple[str, ...], Gate]:
    """Return all decisions of the gate, by `gate_key`."""
    return {gate_key(gate): gate for gate in results.gates}


def gate_key(item: Comparison | Gate) -> tuple[str, ...]:
    """Return the fields that a comparison and the gate's decision on it share."""
    return item.topic, item.test, item.baseline, item.candidate, item.metric


def gate_text(gate: Gate | None) -> str:
    """Return the gate's decision with its reason; empty if it has no reason."""
    if gate is None or not gate.reason:
        return ""
    # The reason already says that the comparison is waived, and until when.
    if gate.verdict == "waived":
        return one_line(gate.reason)
    return f"{gate.verdict} the gate: {one_line(gate.reason)}"


def gate_answer(results: Results) -> str:
    """Return a sentence on the gate; empty if none of its decisions has a reason."""
    by_verdict = Counter(str(gate.verdict) for gate in results.gates)
    if not any(gate.reason for gate in results.gates):
        return ""
    allowed = "within what [tool.assay.gates] allows"
    phrases = [
        f"{by_verdict[verdict]} {one if by_verdict[verdict] == 1 else many}"
        for verdict, one, many in (
            ("fails", "fails", "fail"),
            ("waived", "is waived", "are waived"),
            ("passes", f"is {allowed}", f"are {allowed}"),
        )
        if by_verdict[verdict]
    ]
    outcomes = {pair.outcome for pair in results.pairs}
    if "fails" in outcomes:
        word = "fails"
    else:
        word = "is undecided" if "undecided" in outcomes else "passes"
    total = counted(len(results.gates), "slower comparison")
    return f"The gate {word}: of {total}, {', '.join(phrases)}."


def drop_repeated(sentences: Sequence[str], answer_text: str) -> list[str]:
    """Return the sentences that the answer does not contain."""
    return [
        note for note in map(one_line, sentences) if note and note not in answer_text
    ]


def shown(comparisons: Sequence[Comparison], most: int) -> list[Comparison]:
    """Return the comparisons that a short text shows.

    Metrics come first, in their order. Benchmarks that are judged test by test follow:
    at most `most` that are not *same*, ordered by `by_change`.
    """
    tests = [item for item in comparisons if item.test and item.verdict != "same"]
    others = [item for item in comparisons if not item.test]
    return [*others, *by_change(tests)[:most]]


def by_change(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return benchmarks by verdict, slower ones first, then by size of the change."""
    return sorted(
        comparisons,
        key=lambda item: (
            _ORDER.get(str(item.verdict), len(_ORDER)),
            -abs(math.log(item.ratio)) if item.ratio else 0.0,
            item.test,
        ),
    )


def label_of(comparison: Comparison) -> str:
    """Return the name of a comparison's benchmark, or else of its metric."""
    return one_line(comparison.test or comparison.metric)


def without_own_claim(results: Results) -> list[Comparison]:
    """Return comparisons with a verdict, but no claim on the same pair and metric."""
    claimed = {
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
        not in claimed
    ]


def in_topics_without_claims(results: Results) -> list[Comparison]:
    """Return the comparisons with a verdict in topics that have no claims."""
    topics_with_claims = {claim.topic for claim in results.claims}
    return [
        comparison
        for comparison in without_own_claim(results)
        if comparison.topic not in topics_with_claims
    ]


def comparison_of(results: Results, claim: ClaimResult) -> Comparison | None:
    """Return the comparison behind a claim; None if there is none."""
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


def budget_reason(results: Results, budget: BudgetResult, confidence: float) -> str:
    """Return the measured value of a budget in words.

    Args:
        results: The results of the run.
        budget: The budget.
        confidence: The confidence of the run's verdicts, as a fraction.
    """
    if budget.value is None:
        return "it was not measured"
    unit = unit_of(budget.metric)
    key = (budget.topic, budget.variant, budget.metric)
    if any(value.censored and _key(value) == key for value in results.values):
        return f"measured ≥ {quantity(budget.value, unit)}: it reached the timeout"
    if budget.high is None:
        return f"measured {quantity(budget.value, unit)}"
    return (
        f"measured {quantity(budget.value, unit)}, "
        f"at most {quantity(budget.high, unit)} ({percent(confidence)} confidence)"
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
    sentences = [one_line(reason)] if reason else []
    if seconds is not None:
        sentences.append(forecast(metric, margin, seconds))
    return sentences


def _tally(verdicts: Sequence[str], noun: str) -> str:
    """Count the verdicts in words: ``2 of 3 claims hold, 1 is refuted``."""
    counts = Counter(verdicts)
    plural = {"holds": "hold", "refuted": "are refuted", "undecided": "are undecided"}
    singular = {"holds": "holds", "refuted": "is refuted", "undecided": "is undecided"}
    if len(verdicts) == 1:
        return f"the {noun} {singular[verdicts[0]]}"
    if len(counts) == 1:
        quantifier = "both" if len(verdicts) == 2 else f"all {len(verdicts)}"
        return f"{quantifier} {noun}s {plural[verdicts[0]]}"
    (first_number, first_verb), *others = (
        (number, (singular if number == 1 else plural)[verdict])
        for verdict in plural
        if (number := counts[verdict])
    )
    rest = [f"{number} {verb}" for number, verb in others]
    joined = ", ".join(rest[:-1]) + (" and " if len(rest) > 1 else "") + rest[-1]
    return f"{first_number} of {counted(len(verdicts), noun)} {first_verb}, {joined}"


def _verdict_phrases(results: Results) -> list[str]:
    """Return one phrase for each pair: its verdicts on metrics that no claim covers."""
    pairs = dict.fromkeys((c.baseline, c.candidate) for c in without_own_claim(results))
    phrases = []
    for baseline, candidate in pairs:
        comparisons = [
            comparison
            for comparison in without_own_claim(results)
            if (comparison.baseline, comparison.candidate) == (baseline, candidate)
        ]
        verdicts = ", ".join(
            f"{comparison.verdict} by {comparison.metric} ({compared(comparison)})"
            for comparison in comparisons
        )
        phrases.append(f"{pair_text(comparisons[0])}: {verdicts}")
    return phrases
