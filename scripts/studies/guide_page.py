"""The page about the FastAPI guide: each sentence with the verdict of a run.

Verdicts come from the run's `results.json`, sentences from `guide.toml`. A sentence
holds if all claims and budgets that test it hold, and is refuted if all of them are
refuted. Its verdict is `depends` if at least one holds and at least one is refuted; the
claims beside it show on what. Otherwise it is undecided. Each explanation belongs to
one verdict, and is left out if the run has another verdict.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from assay.report.markdown import escape
from assay.results import BudgetResult, ClaimResult, Results, Value
from assay.run_directory.run import RunDirectory
from assay.wording import one_line, percent, quantity, significant

FILE = Path(__file__).with_name("guide.toml")
FLOOR = ("middleware", "none", "latency.p50")
MARKS = {"holds": "✅", "refuted": "❌", "depends": "🔀", "undecided": "❔"}


@dataclass(frozen=True)
class Sentence:
    """A sentence of the guide.

    Attributes:
        says: The sentence in the guide's words.
        where: The part of the guide, followed by ``>`` and the heading if it has one.
        claims: The names of the claims that test it, as `guide.toml` has them.
        budgets: The names of the budgets that test it.
        reason: Why it cannot be measured; empty if it is tested.
        because: For each verdict, its explanation.
    """

    says: str
    where: str
    claims: tuple[str, ...] = ()
    budgets: tuple[str, ...] = ()
    reason: str = ""
    because: Mapping[str, str] = field(default_factory=dict)


def sentences(path: Path = FILE) -> list[Sentence]:
    """Read the sentences of the guide.

    Raises:
        ValueError: A sentence has neither tests nor a reason, or it has both; or it
            explains something that is not a verdict.
    """
    result = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["sentences"]:
        lists = {key: tuple(entry.get(key, ())) for key in ("claims", "budgets")}
        sentence = Sentence(**{**entry, **lists})
        if bool(sentence.claims or sentence.budgets) == bool(sentence.reason):
            raise ValueError(
                f"{path}: {sentence.says!r} needs claims or budgets, or a reason"
            )
        if unknown := set(sentence.because) - set(MARKS):
            raise ValueError(
                f"{path}: {sentence.says!r} explains {sorted(unknown)}; "
                f"verdicts are {', '.join(MARKS)}"
            )
        result.append(sentence)
    return result


def _matching[Item: (ClaimResult, BudgetResult)](
    sentence: Sentence, names: Sequence[str], items: Sequence[Item]
) -> list[Item]:
    """Return the claims or budgets of a run that test a sentence.

    Raises:
        ValueError: The sentence names a claim or a budget that the run lacks.
    """
    result: list[Item] = []
    for name in names:
        matches = [item for item in items if f"{_name(item)}/".startswith(f"{name}/")]
        if not matches:
            raise ValueError(f"{sentence.says!r}: the run has no {name!r}")
        result += [item for item in matches if item not in result]
    return result


def _name(item: ClaimResult | BudgetResult) -> str:
    if isinstance(item, BudgetResult):
        return f"{item.topic}/{item.variant}/{item.metric}"
    return f"{item.topic}/{item.baseline}/{item.candidate}/{item.metric}"


def verdict(items: Sequence[ClaimResult | BudgetResult]) -> str:
    """Return the verdict on a sentence, from the claims and budgets that test it."""
    words = {item.verdict for item in items}
    if words == {"holds"}:
        return "holds"
    if words == {"refuted"}:
        return "refuted"
    return "depends" if {"holds", "refuted"} <= words else "undecided"


def conditions(run: RunDirectory) -> dict[str, str]:
    """Return when and on which machine a run was measured."""
    environment = run.environment()
    cores = environment.get("cores")
    count = sum(map(len, cores.values())) if isinstance(cores, dict) else "?"
    memory = environment.get("memory")
    return {
        "measured": str(environment.get("started", "?"))[:10],
        "machine": f"{environment.get('cpu', '?')}, {count} cores"
        + (f", {quantity(memory, 'B')}" if isinstance(memory, int) else ""),
        "Python": str(environment.get("python", "?")),
    }


def page(results: Results, conditions: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        results: The results of a run of all topics.
        conditions: When and on which machine it was measured, by name.

    Raises:
        ValueError: A sentence names a claim or a budget that the run lacks.
    """
    entries = [_entry(s, results) for s in sentences() if not s.reason]
    counts = Counter(entry.verdict for entry in entries)
    lines = [
        "# The guide, measured",
        "",
        "Each sentence of the guide about performance, with its verdict from a run of "
        "the scenarios. It *holds*, is *refuted*, is *undecided*, or *depends*: it "
        "holds in one case and not in another. "
        f"{len(entries)} sentences: "
        + ", ".join(f"{word} {counts[word]}" for word in MARKS if counts[word])
        + ".",
        "",
        "Numbers are candidate / baseline, each with its own 95 % interval. Verdicts "
        "are corrected for the number of claims. [summary.md](summary.md) has all "
        "claims; `index.html` is the report with its profiles. "
        "Sentences in italics are explanations that people wrote.",
        "",
        *(f"- {escape(name)}: {escape(text)}" for name, text in conditions.items()),
        *_floor(results),
    ]
    for part, group in groupby(entries, key=lambda entry: entry.part):
        lines += ["", f"## {escape(part)}", ""]
        lines += ["| the guide says | verdict | measured |", "|---|---|---|"]
        lines += [entry.row() for entry in group]
    lines += ["", "## Not measurable", ""]
    lines += [
        f"- “{escape(sentence.says)}”: {escape(sentence.reason)}"
        for sentence in sentences()
        if sentence.reason
    ]
    return "\n".join([*lines, ""])


@dataclass(frozen=True)
class Entry:
    """A sentence with its verdict.

    Attributes:
        measured: One line for each claim and budget that tests it.
    """

    sentence: Sentence
    verdict: str
    measured: tuple[str, ...]

    @property
    def part(self) -> str:
        """The part of the guide that contains the sentence."""
        return self.sentence.where.partition(" > ")[0]

    def row(self) -> str:
        """Return its row of the table."""
        subheading = self.sentence.where.partition(" > ")[2]
        says = f"“{escape(self.sentence.says)}”"
        if subheading:
            says += f"<br><sub>{escape(subheading)}</sub>"
        lines = list(self.measured)
        if because := self.sentence.because.get(self.verdict):
            lines.append(f"*{escape(because)}*")
        word = f"{MARKS[self.verdict]} **{self.verdict}**"
        return f"| {says} | {word} | {'<br>'.join(lines)} |"


def _entry(sentence: Sentence, results: Results) -> Entry:
    claims = _matching(sentence, sentence.claims, results.claims)
    budgets = _matching(sentence, sentence.budgets, results.budgets)
    measured = [*(_claim_line(claim, results) for claim in claims)]
    measured += [_budget_line(budget, results.values) for budget in budgets]
    return Entry(sentence, verdict([*claims, *budgets]), tuple(measured))


def _claim_line(claim: ClaimResult, results: Results) -> str:
    """Return a claim's ratio, its metric and variants, and its verdict."""
    key = claim.topic, claim.baseline, claim.candidate, claim.metric
    ratio = "not measured"
    for item in results.comparisons:
        if (item.topic, item.baseline, item.candidate, item.metric) != key:
            continue
        if item.ratio is not None:
            ratio = f"**{significant(item.ratio)}×**"
        if item.low is not None and item.high is not None:
            ratio += f" [{significant(item.low)}, {significant(item.high)}]"
    expected = escape(claim.expect.replace("<=", "≤").replace(">=", "≥"))
    judged = f"{expected}: {claim.verdict}"
    if claim.verdict == "undecided" and claim.alone != "undecided":
        judged += f" ({claim.alone} on its own, but not among all claims of the run)"
    return (
        f"{ratio} {_code(claim.metric)} of {_code(claim.topic)}, "
        f"{_code(claim.baseline)} → {_code(claim.candidate)}; {judged}"
    )


def _code(name: str) -> str:
    """Return text as code if it is a name, otherwise escaped."""
    return f"`{name}`" if re.fullmatch(r"[\w.-]+", name) else escape(one_line(name))


def _budget_line(budget: BudgetResult, values: Sequence[Value]) -> str:
    """Return the values of all variants for a budget's metric, and its verdict."""
    measured = ", ".join(
        f"{_code(value.variant)} {percent(value.value)}"
        for value in values
        if (value.topic, value.metric) == (budget.topic, budget.metric)
    )
    return (
        f"{_code(budget.metric)} of {_code(budget.topic)}: {measured}; "
        f"{_code(budget.variant)} ≤ {percent(budget.at_most)}: {budget.verdict}"
    )


def _floor(results: Results) -> list[str]:
    """Return a line about the time of an almost empty request, if it was measured."""
    values: list[Any] = [
        value
        for value in results.values
        if (value.topic, value.variant, value.metric) == FLOOR
    ]
    if not values or values[0].value is None:
        return []
    return [
        "- floor: a request that does almost nothing takes "
        f"{quantity(values[0].value, 's')} (median). A latency cannot fall below it, "
        "which limits the ratios of latencies."
    ]
