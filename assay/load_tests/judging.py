"""Judge whether the numbers of a load test meet the requirements."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assay.analysis import load_failures
from assay.inputs.toml_file import nearest
from assay.load_plan import Requirement
from assay.load_results import KIND_ORDER, Judgement, LoadResults, Row, Spread
from assay.metrics import requests_needed
from assay.system import redaction
from assay.wording import counted, percent

Verdict = Literal["holds", "refuted", "undecided"]
NO_REQUEST = "no request was made"
GENERATOR = "the generator itself was the limit"


@dataclass(frozen=True)
class _Measured:
    """The measured value of a requirement, and other facts that decide its verdict.

    Attributes:
        value: The value; None if there is none.
        undecided_because: Why the requirement cannot be judged; empty if it can.
        higher_because: Why the true value may be higher; empty if it cannot be.
        upper_bound: The highest true value that is possible; None if unknown.
        refuted_because: Why an upper limit is exceeded whatever the value is; empty if
            there is no such reason.
    """

    value: float | None = None
    undecided_because: str = ""
    higher_because: str = ""
    upper_bound: float | None = None
    refuted_because: str = ""


def judge(
    requirements: Sequence[Requirement], results: LoadResults
) -> tuple[Judgement, ...]:
    """Return the verdict on each requirement."""
    return tuple(_judge(requirement, results) for requirement in requirements)


def _judge(requirement: Requirement, results: LoadResults) -> Judgement:
    measured = _measured(requirement, results)
    verdict, reason = _verdict(requirement, measured)
    if results.incomplete:
        verdict, reason = "undecided", results.incomplete
    return Judgement(
        text=requirement.text,
        metric=requirement.metric,
        name=requirement.name,
        limit=requirement.limit,
        value=measured.value,
        verdict=verdict,
        bound=bool(measured.higher_because),
        reason=reason,
    )


def _verdict(requirement: Requirement, measured: _Measured) -> tuple[Verdict, str]:
    """Return the verdict, and its reason if the value alone does not explain it."""
    at_most = requirement.at_most
    if measured.refuted_because and at_most:
        return "refuted", measured.refuted_because
    if measured.value is None or measured.undecided_because:
        return "undecided", measured.undecided_because
    limit = requirement.limit
    met = measured.value <= limit if at_most else measured.value >= limit
    # If an upper limit is met or a lower limit is missed, a higher true value could
    # reverse the verdict.
    if measured.higher_because and met is at_most:
        highest = math.inf if measured.upper_bound is None else measured.upper_bound
        if not (at_most and highest <= limit):
            return "undecided", measured.higher_because
    return ("holds" if met else "refuted"), ""


def _measured(requirement: Requirement, results: LoadResults) -> _Measured:
    metric = requirement.metric
    if metric == "rate":
        # Tasks without a request do not load the server.
        return _Measured(results.rate, "" if results.total else NO_REQUEST)
    if metric == "dropped":
        not_served = results.dropped + results.unserved
        return _Measured(not_served / results.planned if results.planned else None)
    if metric == "errors" and not requirement.name:
        return _errors(requirement, results)
    row, missing_because = _row(requirement, results)
    if row is None:
        return _Measured(undecided_because=missing_because)
    if metric == "errors":
        return _Measured(row.failed / row.requests)
    return _time(metric, row, results)


def _errors(requirement: Requirement, results: LoadResults) -> _Measured:
    """Return the share of all requests that failed, on_start and on_stop included."""
    value = load_failures.share(results)
    raised, tasks = load_failures.raised(results)
    refuted_because = ""
    # If a task raised although its requests succeeded, no failed request shows it.
    if raised and raised / tasks > requirement.limit:
        if value is None or value <= requirement.limit:
            subject = f"{raised:,} of {counted(tasks, 'task')}"
            refuted_because = load_failures.raised_text(
                raised, f"{subject} ({percent(raised / tasks)})"
            )
    return _Measured(
        value,
        undecided_because=NO_REQUEST if value is None else "",
        refuted_because=refuted_because,
    )


def _time(metric: str, row: Row, results: LoadResults) -> _Measured:
    """Return a percentile or the mean of a row's latency or service time."""
    kind, _, statistic = metric.partition(".")
    spread: Spread = row.latency if kind == "latency" else row.service
    needed = requests_needed(f"latency.{statistic}")
    if spread.count < needed:
        return _Measured(
            undecided_because=f"{metric} needs {needed} requests and there were "
            f"{spread.count}"
        )
    value: float | None = getattr(spread, statistic)
    if value is None:
        return _Measured(undecided_because="no request was answered")
    if results.bound and kind == "latency":
        return _Measured(
            value, higher_because=GENERATOR, upper_bound=row.at_most.get(statistic)
        )
    higher_because = ""
    if statistic == "mean" and spread.unanswered:
        requests = counted(spread.unanswered, "request")
        higher_because = f"{requests} without an answer: the mean may be higher"
    return _Measured(value, higher_because=higher_because)


def _row(requirement: Requirement, results: LoadResults) -> tuple[Row | None, str]:
    """Return the row that a requirement applies to, or why there is none."""
    if not requirement.name:
        return results.total, NO_REQUEST
    name = redaction.text(requirement.name)  # the names of rows are redacted too
    named_rows = [row for row in results.rows if row.name or row.method]
    if not named_rows:
        return None, NO_REQUEST
    # A request of the load takes precedence over a log-in request of the same name.
    for kind in KIND_ORDER:
        rows = [row for row in named_rows if row.kind == kind]
        exact = [row for row in rows if name in (_label(row), row.title)]
        matches = exact or [row for row in rows if row.name == name]
        if len(matches) == 1:
            return matches[0], ""
        if matches:
            hint = f"{requirement.metric} of {_label(matches[0])}"
            return None, f"several methods share that name: write '{hint}'"
    names = [text for row in named_rows for text in (row.name, _label(row), row.title)]
    return None, f"no request {name!r}{nearest(name, names)}"


def _label(row: Row) -> str:
    return f"{row.method} {row.name}".strip()
