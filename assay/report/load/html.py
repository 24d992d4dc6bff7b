"""index.html of a load test: one file, with the answer at its top."""

from assay.report.load import charts, words
from assay.report.load.terminal import accounting
from assay.report.page import page
from assay.report.provenance import flatten
from assay.run_directory.load_run import LoadRun
from assay.wording import judgement, one_line, percent


def render(run: LoadRun) -> str:
    """Return the page as one HTML document that needs no other file."""
    plan, results, ticks = run.plan(), run.results(), run.ticks()
    drawn = (
        charts.percentiles(results.curves, results.bound),
        charts.over_time(ticks),
        charts.rate(ticks),
    )
    return page(
        "load.html",
        title=words.title(results, "Load test", plan),
        subject=words.subject(plan) if results.title else "",
        tags=words.tags(results),
        answer=words.answer(plan, results),
        requirements=[
            (item.verdict, one_line(item.text), judgement(item))
            for item in results.requirements
        ],
        columns=words.COLUMNS,
        bound=results.bound,
        rows=[
            (
                words.row_title(row),
                f"{row.requests:,}",
                percent(row.failed / row.requests),
                bool(row.failed),
                words.cells(row.latency, results.bound),
            )
            for row in results.rows
        ],
        worker_columns=words.WORKER_COLUMNS,
        workers=words.workers(results),
        charts=[chart for chart in drawn if chart],
        errors=[(f"{count:,}", error) for error, count in words.errors(results)],
        warnings=results.warnings,
        load=words.load_text(plan),
        accounting=accounting(results),
        partial=results.partial,
        environment=list(flatten(run.environment())),
        command=plan.command,
        run=run.name,
        seed=results.seed,
    )
