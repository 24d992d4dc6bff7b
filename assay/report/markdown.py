"""summary.md: the answer and one table, fit for a pull request comment."""

import re
from collections.abc import Sequence

from assay.report.provenance import spent
from assay.report.summary import (
    answer,
    budget_reason,
    budget_text,
    by_whole,
    claim_notes,
    comparison_of,
    notes,
    pair_text,
    pair_verdict_of,
    title,
    unsaid,
    without_claims,
)
from assay.results import Comparison, Results
from assay.run_directory.run import RunDirectory
from assay.wording import compared, expectation, one_line, percent

_MARKS = {"holds": "✅ holds", "refuted": "❌ refuted", "undecided": "❔ undecided"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~^$=:@>])")
# What begins a link by itself on GitHub: https://x.org and www.x.org.
_BARE_LINK = re.compile(r":(?=//)|(?<=www)\.", re.IGNORECASE)
# GitHub looks for mentions and addresses in the finished text, where an entity is the
# character itself. Only what stands between the @ and the name stops it.
_ENTITIES = {"@": "&#64;&#8203;"}


def escape(text: str) -> str:
    """Return text that Markdown and the HTML inside it show as it was written.

    It stays on one line, starts no link, mention or table cell.
    """
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;")
    text = _SPECIAL.sub(_entity, text)
    return _BARE_LINK.sub(lambda match: f"&#{ord(match[0])};", text)


def render(run: RunDirectory) -> str:
    """Return the summary; ratios are candidate / baseline."""
    plan, results = run.plan(), run.results()
    lines = [f"## {escape(title(plan, results))}", ""]
    said, settings = answer(plan, results), plan.settings
    lines += [f"**{escape(said)}**", ""]
    if results.claims:
        lines += _claims(results, settings.margin, said)
    if results.budgets:
        lines += ["| verdict | budget | measured |", "|---|---|---|"]
        lines += [
            f"| {_MARKS[budget.verdict]} | {escape(budget_text(budget))} "
            f"| {escape(budget_reason(results, budget))} |"
            for budget in results.budgets
        ]
        lines.append("")
    lines += _without_claims(results, settings.margin, said)
    lines += [f"> ⚠ {escape(warning)}\n" for warning in results.warnings]
    if went := spent(results.spent):
        lines += [f"<sub>{escape(went)}</sub>", ""]
    lines.append(
        f"<sub>{percent(settings.confidence)} intervals, "
        f"margin {percent(settings.margin)}, "
        f"seed {results.seed}. Run {escape(results.run)}; details: index.html.</sub>"
    )
    return "\n".join(lines) + "\n"


def _claims(results: Results, margin: float, said: str) -> list[str]:
    """Return the table of the claims."""
    lines = [
        "| verdict | claim | metric | candidate / baseline | expected |",
        "|---|---|---|---|---|",
    ]
    for claim in results.claims:
        comparison = comparison_of(results, claim)
        pair = f"{escape(claim.baseline)} → {escape(claim.candidate)}"
        reasons = claim_notes(results, claim, margin) or [claim.reason]
        small = _small(unsaid(reasons, said))
        lines.append(
            f"| {_MARKS[claim.verdict]} "
            f"| {escape(claim.says)}<br><sub>{pair}</sub>{small} "
            f"| {_code(claim.metric)} "
            f"| {compared(comparison) if comparison else '–'} "
            f"| {escape(expectation(claim.expect))} |"
        )
    return [*lines, ""]


def _without_claims(results: Results, margin: float, said: str) -> list[str]:
    """Return the table of the pairs without claims: as a whole, then by metric."""
    groups = by_whole(results, without_claims(results))
    if not groups:
        return []
    lines = [
        "| verdict | compared | metric | candidate / baseline |",
        "|---|---|---|---|",
    ]
    for whole, items in groups:
        if whole:
            reason = _small(unsaid([whole.reason], said))
            lines.append(
                f"| **{whole.verdict}** | **{escape(pair_text(whole))}**{reason} "
                "| as a whole | |"
            )
        lines += [_row(results, item, margin) for item in items]
    return [*lines, ""]


def _row(results: Results, item: Comparison, margin: float) -> str:
    # Beneath its pair as a whole a metric's word is not bold: it is not the answer.
    verdict = item.verdict if pair_verdict_of(results, item) else f"**{item.verdict}**"
    return (
        f"| {verdict} "
        f"| {escape(pair_text(item))}{_small(notes(results, item, margin))} "
        f"| {_code(item.metric)} | {compared(item)} |"
    )


def _small(texts: Sequence[str]) -> str:
    return "".join(f"<br><sub>{escape(text)}</sub>" for text in texts)


def _code(metric: str) -> str:
    return f"`{metric}`" if re.fullmatch(r"[\w.]+", metric) else escape(metric)


def _entity(match: re.Match[str]) -> str:
    # Entities hold where backslashes do not: in raw HTML, for mentions and links.
    # Harmless ones stay, so that the source is readable, too.
    character = match[1]
    if character in "-.()=:!+":
        return character
    return _ENTITIES.get(character, f"&#{ord(character)};")
