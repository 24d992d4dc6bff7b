"""The guide, measured: each of its sentences, and what a run says of it.

Verdicts come from the run's `results.json`, sentences from `guide.toml`. A sentence
holds if all the claims that test it hold, and is refuted if all are; where some hold
and some do not it depends, and the claims beside it say on what. What is said of the
reason is written for one verdict, and left out if the run has another.
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
    """Something that the guide says.

    Attributes:
        claims: Which claims test it, as they are named in the file.
        budgets: Which budgets do.
        reason: Why it cannot be measured, where none does.
        because: What explains a verdict, by the verdict that it explains.
    """

    says: str
    where: str
    claims: tuple[str, ...] = ()
    budgets: tuple[str, ...] = ()
    reason: str = ""
    because: Mapping[str, str] = field(default_factory=dict)


def sentences(path: Path = FILE) -> list[Sentence]:
    """Read what the guide says.

    Raises:
        ValueError: A sentence has nothing that tests it and no reason, or both; or
            it explains what is no verdict.
    """
    found = []
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
        found.append(sentence)
    return found


def _named[Item: (ClaimResult, BudgetResult)](
    sentence: Sentence, names: Sequence[str], items: Sequence[Item]
) -> list[Item]:
    """Return the claims or budgets of a run that test a sentence.

    Raises:
        ValueError: It names one that the run does not have.
    """
    found: list[Item] = []
    for name in names:
        own = [item for item in items if f"{_name(item)}/".startswith(f"{name}/")]
        if not own:
            raise ValueError(f"{sentence.says!r}: the run has no {name!r}")
        found += [item for item in own if item not in found]
    return found


def _name(item: ClaimResult | BudgetResult) -> str:
    if isinstance(item, BudgetResult):
        return f"{item.topic}/{item.variant}/{item.metric}"
    return f"{item.topic}/{item.baseline}/{item.candidate}/{item.metric}"


def verdict(items: Sequence[ClaimResult | BudgetResult]) -> str:
    """Return what verdicts mean for the sentence that they test."""
    words = {item.verdict for item in items}
    if words == {"holds"}:
        return "holds"
    if words == {"refuted"}:
        return "refuted"
    return "depends" if {"holds", "refuted"} <= words else "undecided"


def conditions(run: RunDirectory) -> dict[str, str]:
    """Return on what a run was measured."""
    known = run.environment()
    cores = known.get("cores")
    count = sum(map(len, cores.values())) if isinstance(cores, dict) else "?"
    memory = known.get("memory")
    return {
        "measured": str(known.get("started", "?"))[:10],
        "machine": f"{known.get('cpu', '?')}, {count} cores"
        + (f", {quantity(memory, 'B')}" if isinstance(memory, int) else ""),
        "Python": str(known.get("python", "?")),
    }


def page(results: Results, conditions: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        results: Of a run of all topics.
        conditions: On what it was measured.

    Raises:
        ValueError: A sentence names a claim that the run does not have.
    """
    entries = [_entry(s, results) for s in sentences() if not s.reason]
    counts = Counter(entry.verdict for entry in entries)
    lines = [
        "# The guide, measured",
        "",
        "Each sentence of the guide about performance, and what a run of the scenarios "
        "says of it: it *holds*, is *refuted*, or *depends*, where it holds in one "
        "case and not in another. "
        f"{len(entries)} sentences: "
        + ", ".join(f"{word} {counts[word]}" for word in MARKS if counts[word])
        + ".",
        "",
        "Numbers are candidate / baseline, with 95 % intervals of their own; verdicts "
        "allow for the number of claims. [summary.md](summary.md) has all claims, "
        "`index.html` is the report with its profiles. "
        "Sentences in italics are explanations by hand, not measured ones.",
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
    """A sentence, and what the run says of it.

    Attributes:
        measured: A line for each claim and budget that tests it.
    """

    sentence: Sentence
    verdict: str
    measured: tuple[str, ...]

    @property
    def part(self) -> str:
        """The part of the guide that it is from."""
        return self.sentence.where.partition(" > ")[0]

    def row(self) -> str:
        """Return its row of a table."""
        below = self.sentence.where.partition(" > ")[2]
        says = f"“{escape(self.sentence.says)}”"
        if below:
            says += f"<br><sub>{escape(below)}</sub>"
        found = list(self.measured)
        if because := self.sentence.because.get(self.verdict):
            found.append(f"*{escape(because)}*")
        word = f"{MARKS[self.verdict]} **{self.verdict}**"
        return f"| {says} | {word} | {'<br>'.join(found)} |"


def _entry(sentence: Sentence, results: Results) -> Entry:
    claims = _named(sentence, sentence.claims, results.claims)
    budgets = _named(sentence, sentence.budgets, results.budgets)
    measured = [*(_measured(claim, results) for claim in claims)]
    measured += [_kept(budget, results.values) for budget in budgets]
    return Entry(sentence, verdict([*claims, *budgets]), tuple(measured))


def _measured(claim: ClaimResult, results: Results) -> str:
    """Return what a claim came to: the number first, then of what, then the word."""
    side = claim.topic, claim.baseline, claim.candidate, claim.metric
    ratio = "not measured"
    for found in results.comparisons:
        if (found.topic, found.baseline, found.candidate, found.metric) != side:
            continue
        if found.ratio is not None:
            ratio = f"**{significant(found.ratio)}×**"
        if found.low is not None and found.high is not None:
            ratio += f" [{significant(found.low)}, {significant(found.high)}]"
    expected = escape(claim.expect.replace("<=", "≤").replace(">=", "≥"))
    said = f"{expected}: {claim.verdict}"
    if claim.verdict == "undecided" and claim.alone != "undecided":
        said += f" ({claim.alone} on its own, but not among all claims of the run)"
    return (
        f"{ratio} {_code(claim.metric)} of {_code(claim.topic)}, "
        f"{_code(claim.baseline)} → {_code(claim.candidate)}; {said}"
    )


def _code(name: str) -> str:
    """Return a name as code if it is one."""
    return f"`{name}`" if re.fullmatch(r"[\w.-]+", name) else escape(one_line(name))


def _kept(budget: BudgetResult, values: Sequence[Value]) -> str:
    """Return how a budget was kept, with what the other variants came to."""
    others = ", ".join(
        f"{_code(value.variant)} {percent(value.value)}"
        for value in values
        if (value.topic, value.metric) == (budget.topic, budget.metric)
    )
    return (
        f"{_code(budget.metric)} of {_code(budget.topic)}: {others}; "
        f"{_code(budget.variant)} ≤ {percent(budget.at_most)}: {budget.verdict}"
    )


def _floor(results: Results) -> list[str]:
    """Return how long a request takes that asks for next to nothing."""
    values: list[Any] = [
        value
        for value in results.values
        if (value.topic, value.variant, value.metric) == FLOOR
    ]
    if not values or values[0].value is None:
        return []
    return [
        "- floor: a request that asks for next to nothing takes "
        f"{quantity(values[0].value, 's')} (median); no ratio of latencies can be "
        "smaller than what is left of it"
    ]
