"""What a run answers, in words: shared by every format."""

from collections import Counter
from collections.abc import Sequence

from assay import verdicts
from assay.plan import Plan
from assay.report.text import (
    clean,
    compared,
    counted,
    interval,
    one_line,
    quantity,
    unit_of,
)
from assay.results import (
    BudgetResult,
    ClaimResult,
    Comparison,
    Results,
    RunDirectory,
    Value,
)


def read_results(run: RunDirectory) -> Results:
    """Read results.json, or judge anew what a run that died left behind.

    Raises:
        NotARunError: results.json or plan.json is damaged.
    """
    if (run.path / "results.json").exists():
        return run.results()
    return verdicts.of_run(run)


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
    """Return the answer in one sentence, or two where the run was cut short."""
    parts = []
    if results.claims:
        verdicts = [claim.verdict for claim in results.claims]
        parts.append(_tally(verdicts, "claim"))
    if results.budgets:
        parts.append(_tally([budget.verdict for budget in results.budgets], "budget"))
    if not parts:
        parts = _decided(results)
    sentence = "; ".join(parts) or "Nothing was decided"
    sentence = sentence[0].upper() + sentence[1:] + "."
    if results.partial:
        sentence += " The run did not finish: this is what was measured until then."
    return sentence


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


def budget_reason(budget: BudgetResult) -> str:
    """Return what was measured for a budget."""
    if budget.value is None:
        return "it was not measured"
    unit = unit_of(budget.metric)
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
    return interval(value.value, value.low, value.high, unit_of(value.metric))


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
        phrases.append(f"{one_line(candidate)} against {one_line(baseline)}: {words}")
    return phrases
