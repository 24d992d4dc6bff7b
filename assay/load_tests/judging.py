"""The numbers of a load test, held to what was required of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assay.analysis import load_failures
from assay.inputs.toml_file import nearest
from assay.load_plan import Requirement
from assay.load_results import ORDER, Judgement, LoadResults, Row, Spread
from assay.metrics import requests_needed
from assay.system import redaction
from assay.wording import counted, percent

Verdict = Literal["holds", "refuted", "undecided"]
NO_REQUEST = "no request was made"
GENERATOR = "the generator itself was the limit"


@dataclass(frozen=True)
class _Measured:
    """What was measured of a requirement.

    Attributes:
        value: The number that is meant; None if there is none.
        doubt: Why it cannot be judged.
        more: Why the true value may be more than that, if it may.
        at_most: What the true value is at most, where it may be more than `value`.
        broken: What else breaks an upper limit, whatever the value.
    """

    value: float | None = None
    doubt: str = ""
    more: str = ""
    at_most: float | None = None
    broken: str = ""


def judge(
    requirements: Sequence[Requirement], results: LoadResults
) -> tuple[Judgement, ...]:
    """Hold the numbers of a test to what was required of them."""
    return tuple(_judge(requirement, results) for requirement in requirements)


def _judge(requirement: Requirement, results: LoadResults) -> Judgement:
    found = _measured(requirement, results)
    verdict, reason = _verdict(requirement, found)
    if results.incomplete:
        verdict, reason = "undecided", results.incomplete
    return Judgement(
        text=requirement.text,
        metric=requirement.metric,
        name=requirement.name,
        limit=requirement.limit,
        value=found.value,
        verdict=verdict,
        bound=bool(found.more),
        reason=reason,
    )


def _verdict(requirement: Requirement, found: _Measured) -> tuple[Verdict, str]:
    """Return the verdict, and its reason if the value does not say it all."""
    at_most = requirement.at_most
    if found.broken and at_most:
        return "refuted", found.broken
    if found.value is None or found.doubt:
        return "undecided", found.doubt
    limit = requirement.limit
    fine = found.value <= limit if at_most else found.value >= limit
    if found.more and fine is at_most:  # the true value lies further up
        highest = math.inf if found.at_most is None else found.at_most
        if not (at_most and highest <= limit):
            return "undecided", found.more
    return ("holds" if fine else "refuted"), ""


def _measured(requirement: Requirement, results: LoadResults) -> _Measured:
    metric = requirement.metric
    if metric == "rate":
        # Tasks that ask nobody for anything are no load.
        doubt = "" if results.together else NO_REQUEST
        return _Measured(results.rate, doubt)
    if metric == "dropped":
        lost = results.dropped + results.unserved
        return _Measured(lost / results.planned if results.planned else None)
    if metric == "errors" and not requirement.name:
        return _errors(requirement, results)
    row, doubt = _row(requirement, results)
    if row is None:
        return _Measured(doubt=doubt)
    if metric == "errors":
        return _Measured(row.failed / row.requests)
    return _time(metric, row, results)


def _errors(requirement: Requirement, results: LoadResults) -> _Measured:
    """Return the share of requests that failed, those around the load included."""
    value = load_failures.share(results)
    raised, tasks = load_failures.raised(results)
    broken = ""
    # A task that raised although its requests were fine failed in none of them.
    if raised and raised / tasks > requirement.limit:
        if value is None or value <= requirement.limit:
            broken = (
                f"{raised:,} of {counted(tasks, 'task')} ({percent(raised / tasks)}) "
                "raised an error of their own"
            )
    return _Measured(value, NO_REQUEST if value is None else "", broken=broken)


def _time(metric: str, row: Row, results: LoadResults) -> _Measured:
    """Return a percentile or a mean of how long the requests of a row took."""
    kind, _, which = metric.partition(".")
    spread: Spread = row.latency if kind == "latency" else row.service
    needed = requests_needed(f"latency.{which}")
    if spread.count < needed:
        return _Measured(
            doubt=f"{metric} needs {needed} requests and there were {spread.count}"
        )
    value: float | None = getattr(spread, which)
    if value is None:
        return _Measured(doubt="no request was answered")
    if results.bound and kind == "latency":
        return _Measured(value, more=GENERATOR, at_most=row.at_most.get(which))
    more = ""
    if which == "mean" and spread.unanswered:
        more = (
            f"{counted(spread.unanswered, 'request')} without an answer: it may be more"
        )
    return _Measured(value, more=more)


def _row(requirement: Requirement, results: LoadResults) -> tuple[Row | None, str]:
    """Return the row that a requirement is about, or why there is none."""
    if not requirement.name:
        return results.together, NO_REQUEST
    wanted = redaction.url(requirement.name)  # as the names of rows are
    named = [row for row in results.rows if row.name or row.method]
    if not named:
        return None, NO_REQUEST
    # The load comes first: a log-in has no say where the load has that name, too.
    for kind in ORDER:
        own = [row for row in named if row.kind == kind]
        exact = [row for row in own if wanted in (_label(row), row.title)]
        found = exact or [row for row in own if row.name == wanted]
        if len(found) == 1:
            return found[0], ""
        if found:
            hint = f"{requirement.metric} of {_label(found[0])}"
            return None, f"several methods share that name: say '{hint}'"
    known = [text for row in named for text in (row.name, _label(row), row.title)]
    return None, f"no request {wanted!r}{nearest(wanted, known)}"


def _label(row: Row) -> str:
    return f"{row.method} {row.name}".strip()
