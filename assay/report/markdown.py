"""summary.md: the answer and one table, fit for a pull request comment."""

import re

from assay.report.answer import (
    answer,
    budget_reason,
    budget_text,
    comparison_of,
    read_results,
    title,
    without_claims,
)
from assay.report.text import compared, expectation, one_line, percent
from assay.results import RunDirectory

_MARKS = {"holds": "✅ holds", "refuted": "❌ refuted", "undecided": "❔ undecided"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~^$=:@>])")


def escape(text: str) -> str:
    """Return text that Markdown and the HTML inside it show as it was written.

    It stays on one line, starts no link, mention or table cell.
    """
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;")
    return _SPECIAL.sub(_entity, text)


def render(run: RunDirectory) -> str:
    """Return the summary; ratios are candidate / baseline."""
    plan, results = run.plan(), read_results(run)
    lines = [f"## {escape(title(plan, results))}", ""]
    lines += [f"**{escape(answer(plan, results))}**", ""]
    if results.claims:
        lines += [
            "| verdict | claim | metric | candidate / baseline | expected |",
            "|---|---|---|---|---|",
        ]
        for claim in results.claims:
            comparison = comparison_of(results, claim)
            pair = f"{escape(claim.baseline)} → {escape(claim.candidate)}"
            reason = f"<br><sub>{escape(claim.reason)}</sub>" if claim.reason else ""
            lines.append(
                f"| {_MARKS[claim.verdict]} "
                f"| {escape(claim.says)}<br><sub>{pair}</sub>{reason} "
                f"| {_code(claim.metric)} "
                f"| {compared(comparison) if comparison else '–'} "
                f"| {escape(expectation(claim.expect))} |"
            )
        lines.append("")
    if results.budgets:
        lines += ["| verdict | budget | measured |", "|---|---|---|"]
        lines += [
            f"| {_MARKS[budget.verdict]} | {escape(budget_text(budget))} "
            f"| {escape(budget_reason(budget))} |"
            for budget in results.budgets
        ]
        lines.append("")
    others = without_claims(results)
    if others:
        lines += [
            "| verdict | compared | metric | candidate / baseline |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| **{comparison.verdict}** "
            f"| {escape(comparison.candidate)} against {escape(comparison.baseline)} "
            f"| {_code(comparison.metric)} | {compared(comparison)} |"
            for comparison in others
        ]
        lines.append("")
    lines += [f"> ⚠ {escape(warning)}\n" for warning in results.warnings]
    settings = plan.settings
    lines.append(
        f"<sub>{percent(settings.confidence)} intervals, "
        f"margin {percent(settings.margin)}, "
        f"seed {results.seed}. Run {escape(results.run)}; details: index.html.</sub>"
    )
    return "\n".join(lines) + "\n"


def _code(metric: str) -> str:
    return f"`{metric}`" if re.fullmatch(r"[\w.]+", metric) else escape(metric)


def _entity(match: re.Match[str]) -> str:
    # Entities hold where backslashes do not: in raw HTML, for mentions and links.
    # Harmless ones stay, so that the source is readable, too.
    character = match[1]
    return character if character in "-.()=:!+" else f"&#{ord(character)};"
