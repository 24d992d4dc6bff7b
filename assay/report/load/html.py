"""index.html of a load test: one file, with the answer at its top."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence

from assay.load_results import LoadResults, Row
from assay.report.load import charts, former, panels, table, words
from assay.report.load.terminal import accounting
from assay.report.page import page
from assay.report.provenance import flatten
from assay.run_directory.load_run import LoadRun
from assay.wording import counted, judgement, one_line, percent

MAX_ERRORS = 100  # errors that the page shows
MAX_DOWNLOAD = 1_000_000  # characters of a file that the page itself contains
GENERATOR = ("assay", "locust", "gevent")  # packages that make the load


def render(run: LoadRun) -> str:
    """Return the page as one HTML document that needs no other file."""
    plan, results, ticks = run.plan(), run.results(), run.ticks()
    drawn = (
        charts.percentiles(results.curves, results.bound),
        charts.over_time(ticks),
        charts.rate(ticks),
        charts.in_flight(results.timeline),
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
        rows=[_row(row, results.bound) for row in results.rows],
        worker_columns=words.WORKER_COLUMNS,
        workers=words.workers(results),
        former=_former(results),
        panels=panels.panels(results.timeline),
        span=panels.span(results.timeline),
        downloads=list(_downloads(results)),
        charts=[chart for chart in drawn if chart],
        tracebacks=[
            (words.short(error), trace) for error, trace in results.tracebacks.items()
        ],
        errors=[
            (f"{count:,}", words.short(error))
            for error, count in words.errors(results)[:MAX_ERRORS]
        ],
        more_errors=_more_errors(results),
        warnings=results.warnings,
        load=words.load_text(plan),
        accounting=accounting(results),
        partial=results.partial,
        environment=_machine(run.environment()),
        command=plan.command,
        run=run.name,
        seed=results.seed,
    )


def _row(row: Row, bound: bool) -> tuple[object, ...]:
    """Return the texts of a row for the template, and the numbers that sort it."""
    cells = words.cells(row.latency, bound)
    return (
        words.row_title(row),
        f"{row.requests:,}",
        percent(row.failed / row.requests),
        bool(row.failed),
        list(zip(cells, _sort_keys(row, cells), strict=True)),
        words.answers(row),
        row.requests,
        row.failed / row.requests,
        row.kind == "request" and not row.label,
    )


def _former(results: LoadResults) -> dict[str, object] | None:
    """Return what the template shows of a former test; None if there is none."""
    if results.former is None:
        return None
    return {
        "heading": former.heading(results.former),
        "why": former.WHY,
        "columns": former.COLUMNS,
        "rows": former.rows(results.former),
        "notes": former.notes(results.former),
    }


def _machine(environment: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the generator's machine, with the versions that matter to the load.

    Other packages are not part of a load test: the target may run on another machine.
    All versions are in environment.json.
    """
    versions = environment.get("versions")
    if not isinstance(versions, Mapping):
        return flatten(environment)
    chosen = {name: text for name, text in versions.items() if name in GENERATOR}
    return flatten({**environment, "versions": chosen})


def _more_errors(results: LoadResults) -> str:
    """Return how many errors the page leaves out, as a sentence; empty if none."""
    more = len(words.errors(results)) - MAX_ERRORS
    verb = "is" if more == 1 else "are"
    return f"{counted(more, 'further one')} {verb} in results.json." if more > 0 else ""


def _sort_keys(row: Row, cells: Sequence[str]) -> list[str]:
    """Return the numbers that the cells of `words.COLUMNS` are sorted by.

    A cell that shows no time counts as the smallest, even if the row has the time.
    """
    times = (getattr(row.latency, name) for name in words.FIELDS)
    return [
        "-1" if time is None or cell == "–" else repr(min(time, 1e300))
        for time, cell in zip(times, cells, strict=True)
    ]


def _downloads(results: LoadResults) -> Iterator[tuple[str, str, str]]:
    """Yield name, file and address of the files that the page itself contains.

    A file of more than `MAX_DOWNLOAD` characters is left out.
    """
    # As in results.json, but without its white space.
    fields = json.loads(results.model_dump_json())
    text = json.dumps(
        {"schema": fields.pop("schema_"), **fields}, separators=(",", ":")
    )
    for name, file, kind, content in (
        ("CSV", "requests.csv", "text/csv", table.csv_text(results.rows)),
        ("JSON", "results.json", "application/json", text),
    ):
        if len(content) > MAX_DOWNLOAD:
            continue
        encoded = base64.b64encode(content.encode()).decode()
        yield name, file, f"data:{kind};base64,{encoded}"
