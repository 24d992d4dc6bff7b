"""summary.md: the answer and its tables, for a pull request comment.

GitHub refuses a comment of more than 65,536 characters. So each part has a limit, and
the sum of these limits is below that number. Changes come first. The summary says how
many rows do not fit.
"""

import re
from collections.abc import Callable, Sequence

from assay.metrics import METRICS
from assay.report.provenance import commits_text, time_spent_text
from assay.report.summary import (
    answer,
    budget_reason,
    budget_text,
    by_change,
    claim_notes,
    comparison_of,
    drop_repeated,
    gate_of,
    group_by_pair,
    in_topics_without_claims,
    notes,
    pair_text,
    pair_verdict_of,
    title,
)
from assay.results import (
    BudgetResult,
    ClaimResult,
    Comparison,
    PairVerdict,
    Results,
)
from assay.run_directory.run import RunDirectory
from assay.wording import compared, counted, expectation, one_line, percent

CAUSES_SHOWN = 3  # at most this many causes are shown for a pair
# Assay recognises its own comment on a pull request by this text.
MARKER = "<!-- assay:compare -->"
# The largest number of characters of each part. The sum is below GitHub's limit, with
# room for links.
_TITLE, _ANSWER, _NAME, _NOTE, _WARNING, _CAUSE = 400, 2_500, 600, 500, 800, 900
_TABLES, _CAUSES, _WARNINGS = 40_000, 7_000, 6_000
_MARKS = {"holds": "✅ holds", "refuted": "❌ refuted", "undecided": "❔ undecided"}
_GATES = {"waived": "waived", "passes": "allowed"}
_HEADER = (
    "| verdict | compared | metric | candidate / baseline |",
    "|---|---|---|---|",
)
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~^$=:@>])")
# GitHub turns texts such as https://x.org and www.x.org into links by itself.
_BARE_LINK = re.compile(r":(?=//)|(?<=www)\.", re.IGNORECASE)
# GitHub looks for mentions and addresses after it has resolved entities, so an entity
# for the @ does not stop it. A zero-width space after the @ does.
_ENTITIES = {"@": "&#64;&#8203;"}


def escape(text: str) -> str:
    """Escape a text, so that Markdown, and HTML inside it, show it literally.

    The result is one line, and starts no link, mention or table cell.
    """
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;")
    text = _SPECIAL.sub(_entity, text)
    return _BARE_LINK.sub(lambda match: f"&#{ord(match[0])};", text)


def short(text: str, most: int) -> str:
    """Return an escaped text, shortened to at most `most` characters."""
    text = one_line(text)
    escaped = escape(text)
    while len(escaped) > most:
        # Escaping turns one character into up to 12. Each pass removes at least one
        # character.
        text = text[: max(0, int(len(text) * (most - 1) / len(escaped)) - 1)]
        escaped = f"{escape(text)}…"
    return escaped


class _Space:
    """The space that is left for some part of the summary.

    Attributes:
        left: Number of characters that are left.
        omitted: Number of lines that did not fit.
    """

    def __init__(self, left: int) -> None:
        self.left = left
        self.omitted = 0

    def fitting[Item](  # noqa: D102 (pydocstyle misreads generics)
        self, items: Sequence[Item], line_of: Callable[[Item], str]
    ) -> list[str]:
        """Return the lines of the first items that fit, and count the others."""
        lines: list[str] = []
        for item in items:
            line = "" if self.omitted else line_of(item)
            if self.omitted or len(line) >= self.left:
                self.omitted += len(items) - len(lines)
                break
            lines.append(line)
            self.left -= len(line) + 1
        return lines


def render(run: RunDirectory) -> str:
    """Return the summary; ratios are candidate / baseline."""
    plan, results = run.plan(), run.results()
    lines = [MARKER, ""] if plan.command.startswith("assay compare") else []
    lines += [f"## {short(title(plan, results), _TITLE)}", ""]
    answer_text, settings = answer(plan, results), plan.settings
    lines += [f"**{short(answer_text, _ANSWER)}**", ""]
    if plan.subject:
        lines += [f"<sub>{short(commits_text(plan.subject), _WARNING)}</sub>", ""]
    space = _Space(_TABLES)
    if results.claims:
        lines += _claims(results, settings.margin, answer_text, space)
    if results.budgets:
        lines += ["| verdict | budget | measured |", "|---|---|---|"]
        confidence = settings.confidence
        lines += space.fitting(
            results.budgets, lambda budget: _budget(results, budget, confidence)
        )
        lines.append("")
    lines += _without_claims(results, settings.margin, answer_text, space)
    if space.omitted:
        rows_text = counted(space.omitted, "row does", "rows do")
        lines += [f"**{rows_text} not fit here; index.html has all of them.**", ""]
    lines += _Space(_CAUSES).fitting(_causes(results), str)
    lines += ["", *_warnings(results)]
    if time_spent := time_spent_text(results.spent):
        lines += [f"<sub>{escape(time_spent)}</sub>", ""]
    lines.append(
        f"<sub>{percent(settings.confidence)} intervals, "
        f"margin {percent(settings.margin)}, "
        f"seed {results.seed}. Run {short(results.run, _NAME)}; details: index.html."
        "</sub>"
    )
    return "\n".join(lines) + "\n"


def _warnings(results: Results) -> list[str]:
    space = _Space(_WARNINGS)
    lines = space.fitting(
        results.warnings, lambda warning: f"> ⚠ {short(warning, _WARNING)}\n"
    )
    if space.omitted:
        more = counted(space.omitted, "more warning")
        lines.append(f"> ⚠ {more}; index.html has all of them.\n")
    return lines


def _causes(results: Results) -> list[str]:
    """Return the largest causes of every pair as a list."""
    lines = []
    pairs = dict.fromkeys((c.topic, c.baseline, c.candidate) for c in results.causes)
    for pair in pairs:
        causes = [
            cause
            for cause in results.causes
            if (cause.topic, cause.baseline, cause.candidate) == pair
        ]
        topic, baseline, candidate = (short(name, _NAME) for name in pair)
        lines += [f"**Why** {topic}: {baseline} → {candidate}", ""]
        shown_causes = causes[:CAUSES_SHOWN]
        lines += [f"- {short(cause.sentence, _CAUSE)}" for cause in shown_causes]
        lines.append("")
    return lines


def _claims(
    results: Results, margin: float, answer_text: str, space: _Space
) -> list[str]:
    """Return the table of the claims."""
    lines = [
        "| verdict | claim | metric | candidate / baseline | expected |",
        "|---|---|---|---|---|",
    ]

    def row(claim: ClaimResult) -> str:
        comparison = comparison_of(results, claim)
        pair = f"{short(claim.baseline, _NAME)} → {short(claim.candidate, _NAME)}"
        reasons = claim_notes(results, claim, margin) or [claim.reason]
        small = _small(drop_repeated(reasons, answer_text))
        return (
            f"| {_MARKS[claim.verdict]} "
            f"| {short(claim.says, _NAME)}<br><sub>{pair}</sub>{small} "
            f"| {_code(claim.metric)} "
            f"| {compared(comparison) if comparison else '–'} "
            f"| {short(expectation(claim.expect), _NAME)} |"
        )

    return [*lines, *space.fitting(results.claims, row), ""]


def _budget(results: Results, budget: BudgetResult, confidence: float) -> str:
    return (
        f"| {_MARKS[budget.verdict]} | {short(budget_text(budget), _NAME)} "
        f"| {short(budget_reason(results, budget, confidence), _NOTE)} |"
    )


def _without_claims(
    results: Results, margin: float, answer_text: str, space: _Space
) -> list[str]:
    """Return the table of the pairs without claims: as a whole, then by metric.

    If benchmarks are judged test by test, the table has the tests that changed. Below
    it are the undecided tests, and the number of tests that are the same.
    """
    groups = group_by_pair(results, in_topics_without_claims(results))
    if not groups:
        return []
    rows: list[PairVerdict | Comparison] = []
    suites = []
    for pair_verdict, comparisons in groups:
        if pair_verdict:
            rows.append(pair_verdict)
        tests = [item for item in comparisons if item.test]
        changed = [item for item in tests if item.verdict in ("slower", "faster")]
        rows += [item for item in comparisons if not item.test]
        rows += by_change(changed)
        suites.append(tests)

    def row(item: PairVerdict | Comparison) -> str:
        if isinstance(item, Comparison):
            return _row(results, item, margin)
        reason = _small(drop_repeated([item.reason], answer_text))
        pair = short(pair_text(item), _NAME)
        return f"| **{item.verdict}** | **{pair}**{reason} | as a whole | |"

    lines = [*_HEADER, *space.fitting(rows, row), ""]
    for tests in suites:
        lines += _below(results, tests, margin, space)
    return lines


def _below(
    results: Results, tests: Sequence[Comparison], margin: float, space: _Space
) -> list[str]:
    """Return the text below the table: tests or requests, undecided or equal."""
    undecided = [item for item in tests if item.verdict == "undecided"]
    same = sum(item.verdict == "same" for item in tests)
    noun = (
        "request" if any(METRICS[item.metric].of_request for item in tests) else "test"
    )
    count = counted(len(undecided), f"{noun} is", f"{noun}s are")
    frame = [f"<details><summary>{count} undecided</summary>", *_HEADER, "</details>"]
    lines: list[str] = []
    rows = space.fitting(by_change(undecided), lambda item: _row(results, item, margin))
    if rows:
        space.left -= len("".join(frame))
        lines += [frame[0], "", *_HEADER, *rows, "", frame[-1], ""]
    if same:
        count = counted(same, f"{noun} is", f"{noun}s are")
        lines += space.fitting([f"{count} the same within {percent(margin)}.\n"], str)
    return lines


def _row(results: Results, comparison: Comparison, margin: float) -> str:
    # If the pair has a verdict, that is the answer, so the metric's verdict is not
    # bold.
    verdict: str = comparison.verdict or ""
    if pair_verdict_of(results, comparison) is None:
        verdict = f"**{verdict}**"
    gate = gate_of(results, comparison)
    if gate and gate.verdict in _GATES:
        verdict += f", {_GATES[gate.verdict]}"
    # For a benchmark, the row above names the pair.
    name = comparison.test or pair_text(comparison)
    return (
        f"| {verdict} "
        f"| {short(name, _NAME)}{_small(notes(results, comparison, margin))} "
        f"| {_code(one_line(comparison.metric))} | {compared(comparison)} |"
    )


def _small(texts: Sequence[str]) -> str:
    return "".join(f"<br><sub>{short(text, _NOTE)}</sub>" for text in texts)


def _code(metric: str) -> str:
    if len(metric) < _NAME and re.fullmatch(r"[\w.]+", metric):
        return f"`{metric}`"
    return short(metric, _NAME)


def _entity(match: re.Match[str]) -> str:
    # Entities work where backslashes do not: in raw HTML, for mentions and links.
    # Harmless characters stay, so that the source stays readable, too.
    character = match[1]
    if character in "-.()=:!+":
        return character
    return _ENTITIES.get(character, f"&#{ord(character)};")
