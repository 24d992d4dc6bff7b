"""summary.md of a load test: the answer and its tables, for a pull request."""

from collections.abc import Sequence

from assay.load_former import Former
from assay.report.load import former, words
from assay.report.load.terminal import accounting
from assay.report.markdown import escape
from assay.run_directory.load_run import LoadRun
from assay.wording import judgement, one_line, percent

_MARKS = {"holds": "✅ holds", "refuted": "❌ refuted", "undecided": "❔ undecided"}
MAX_ERRORS = 20


def render(run: LoadRun) -> str:
    """Return the document."""
    plan, results = run.plan(), run.results()
    parts = [
        f"## {escape(words.title(results, 'Load test', plan))}",
        *tags(results),
        escape(words.answer(plan, results)),
    ]
    if results.requirements:
        parts.append(
            table(
                ["verdict", "required", "measured"],
                [
                    [
                        _MARKS[item.verdict],
                        escape(one_line(item.text)),
                        escape(judgement(item)),
                    ]
                    for item in results.requirements
                ],
            )
        )
    parts.append(
        table(
            ["latency", "requests", "failed", *words.COLUMNS],
            [
                [
                    escape(words.row_title(row)),
                    f"{row.requests:,}",
                    percent(row.failed / row.requests),
                    *words.cells(row.latency, results.bound),
                ]
                for row in results.rows
            ],
        )
    )
    if results.former:
        parts += _former(results.former)
    if results.workers:
        rows = [
            [escape(name), *map(escape, cells)]
            for name, cells in words.workers(results)
        ]
        parts.append(table(["worker", *words.WORKER_COLUMNS], rows))
    if errors := words.errors(results)[:MAX_ERRORS]:
        parts.append(
            "\n".join(f"- {count:,} × {escape(error)}" for error, count in errors)
        )
    host = f"{words.subject(plan)}: " if results.title else ""
    load = escape(host + words.load_text(plan))
    parts.append(f"{load}. {escape(accounting(results))}.")
    parts += [f"> {escape(one_line(warning))}" for warning in results.warnings]
    return "\n\n".join(parts) + "\n"


def _former(beside: Former) -> list[str]:
    """Return a former test beside this one, as paragraphs."""
    rows = [
        [escape(title), *(escape(_beside(*cell)) for cell in cells)]
        for title, cells in former.rows(beside)
    ]
    return [
        f"### {escape(former.heading(beside))}",
        former.WHY,
        *map(escape, former.notes(beside)),
        table(["before → now", *former.COLUMNS], rows),
    ]


def _beside(before: str, now: str, difference: str) -> str:
    return f"{before} → {now}" + (f" ({difference})" if difference else "")


def tags(results: words.Titled) -> list[str]:
    """Return a paragraph of the tags, if there are any."""
    texts = [f"**{escape(name)}** {escape(text)}" for name, text in words.tags(results)]
    return [" · ".join(texts)] if texts else []


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the cells must already be escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
