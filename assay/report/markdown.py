"""summary.md: the answer and its tables, for a pull request comment."""

import re
from collections.abc import Sequence

from assay.report.provenance import time_spent_text
from assay.report.summary import (
    answer,
    budget_reason,
    budget_text,
    claim_notes,
    comparison_of,
    drop_repeated,
    group_by_pair,
    in_topics_without_claims,
    notes,
    pair_text,
    pair_verdict_of,
    title,
)
from assay.results import Comparison, Results
from assay.run_directory.run import RunDirectory
from assay.wording import compared, expectation, one_line, percent

CAUSES_SHOWN = 3  # of a pair
_MARKS = {"holds": "✅ holds", "refuted": "❌ refuted", "undecided": "❔ undecided"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~^$=:@>])")
# What GitHub turns into a link by itself: https://x.org and www.x.org.
_BARE_LINK = re.compile(r":(?=//)|(?<=www)\.", re.IGNORECASE)
# GitHub looks for mentions and addresses after it has resolved entities, so an entity
# for the @ does not stop it. A zero-width space after the @ does.
_ENTITIES = {"@": "&#64;&#8203;"}


def escape(text: str) -> str:
    """Return text that Markdown, and HTML inside it, show literally.

    It stays on one line and starts no link, mention or table cell.
    """
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;")
    text = _SPECIAL.sub(_entity, text)
    return _BARE_LINK.sub(lambda match: f"&#{ord(match[0])};", text)


def render(run: RunDirectory) -> str:
    """Return the summary; ratios are candidate / baseline."""
    plan, results = run.plan(), run.results()
    lines = [f"## {escape(title(plan, results))}", ""]
    answer_text, settings = answer(plan, results), plan.settings
    lines += [f"**{escape(answer_text)}**", ""]
    if results.claims:
        lines += _claims(results, settings.margin, answer_text)
    if results.budgets:
        lines += ["| verdict | budget | measured |", "|---|---|---|"]
        lines += [
            f"| {_MARKS[budget.verdict]} | {escape(budget_text(budget))} "
            f"| {escape(budget_reason(results, budget, settings.confidence))} |"
            for budget in results.budgets
        ]
        lines.append("")
    lines += _without_claims(results, settings.margin, answer_text)
    lines += _causes(results)
    lines += [f"> ⚠ {escape(warning)}\n" for warning in results.warnings]
    if time_spent := time_spent_text(results.spent):
        lines += [f"<sub>{escape(time_spent)}</sub>", ""]
    lines.append(
        f"<sub>{percent(settings.confidence)} intervals, "
        f"margin {percent(settings.margin)}, "
        f"seed {results.seed}. Run {escape(results.run)}; details: index.html.</sub>"
    )
    return "\n".join(lines) + "\n"


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
        topic, baseline, candidate = map(escape, pair)
        lines += [f"**Why** {topic}: {baseline} → {candidate}", ""]
        lines += [f"- {escape(cause.sentence)}" for cause in causes[:CAUSES_SHOWN]]
        lines.append("")
    return lines


def _claims(results: Results, margin: float, answer_text: str) -> list[str]:
    """Return the table of the claims."""
    lines = [
        "| verdict | claim | metric | candidate / baseline | expected |",
        "|---|---|---|---|---|",
    ]
    for claim in results.claims:
        comparison = comparison_of(results, claim)
        pair = f"{escape(claim.baseline)} → {escape(claim.candidate)}"
        reasons = claim_notes(results, claim, margin) or [claim.reason]
        small = _small(drop_repeated(reasons, answer_text))
        lines.append(
            f"| {_MARKS[claim.verdict]} "
            f"| {escape(claim.says)}<br><sub>{pair}</sub>{small} "
            f"| {_code(claim.metric)} "
            f"| {compared(comparison) if comparison else '–'} "
            f"| {escape(expectation(claim.expect))} |"
        )
    return [*lines, ""]


def _without_claims(results: Results, margin: float, answer_text: str) -> list[str]:
    """Return the table of the pairs without claims: as a whole, then by metric."""
    groups = group_by_pair(results, in_topics_without_claims(results))
    if not groups:
        return []
    lines = [
        "| verdict | compared | metric | candidate / baseline |",
        "|---|---|---|---|",
    ]
    for pair_verdict, comparisons in groups:
        if pair_verdict:
            reason = _small(drop_repeated([pair_verdict.reason], answer_text))
            pair = escape(pair_text(pair_verdict))
            lines.append(
                f"| **{pair_verdict.verdict}** | **{pair}**{reason} | as a whole | |"
            )
        lines += [_row(results, comparison, margin) for comparison in comparisons]
    return [*lines, ""]


def _row(results: Results, comparison: Comparison, margin: float) -> str:
    # Below the verdict on the pair a metric's verdict is not bold: it is no answer.
    verdict: str = comparison.verdict or ""
    if pair_verdict_of(results, comparison) is None:
        verdict = f"**{verdict}**"
    return (
        f"| {verdict} "
        f"| {escape(pair_text(comparison))}"
        f"{_small(notes(results, comparison, margin))} "
        f"| {_code(comparison.metric)} | {compared(comparison)} |"
    )


def _small(texts: Sequence[str]) -> str:
    return "".join(f"<br><sub>{escape(text)}</sub>" for text in texts)


def _code(metric: str) -> str:
    return f"`{metric}`" if re.fullmatch(r"[\w.]+", metric) else escape(metric)


def _entity(match: re.Match[str]) -> str:
    # Entities work where backslashes do not: in raw HTML, for mentions and links.
    # Harmless characters stay, so that the source is readable, too.
    character = match[1]
    if character in "-.()=:!+":
        return character
    return _ENTITIES.get(character, f"&#{ord(character)};")
