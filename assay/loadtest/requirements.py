"""Thresholds on a load test: ``latency.p99 <= 50ms``, ``errors <= 0.1%``."""

import math
import re
from collections.abc import Sequence

from assay import expectations
from assay.errors import InputError
from assay.loadtest.plan import Judgement, LoadResults, Requirement, Row, Spread
from assay.plan import requests_needed
from assay.report.text import counted, one_line, quantity
from assay.tomlfiles import nearest

# Metric to its unit.
SPREADS = ("mean", "p50", "p90", "p95", "p99", "p999")
METRICS: dict[str, str] = {
    **{f"latency.{name}": "s" for name in SPREADS},
    **{f"service.{name}": "s" for name in SPREADS},
    "errors": "",
    "dropped": "",
    "rate": "/s",
}
# Lag at the 99th percentile from which on the generator disturbs: in seconds, and as
# a share of the median latency, of which less distorts nothing.
LATE, NEGLIGIBLE = 0.5e-3, 0.05
SLO = "--slo"
OBJECTIVE = "'p99 <= 50ms', or 'p99 <= 50ms and errors <= 0.1%'"
EXAMPLE = "'latency.p99 <= 50ms', 'errors <= 0.1%' or 'rate >= 200/s'"


def parse(text: str, whole: str = "", option: str = "--require") -> Requirement:
    """Return the requirement that somebody wrote.

    ``METRIC <= LIMIT`` or ``>=``; ``METRIC of NAME <= LIMIT`` is about the requests
    of one name.

    Args:
        text: What was written.
        whole: What it is a part of.
        option: What it was written for.

    Raises:
        InputError: It is none.
    """
    match = re.fullmatch(
        r"\s*([\w.]+)(?:\s+of\s+(.+?))?\s*(<=|>=)\s*(\S.*?)\s*", text, re.DOTALL
    )
    said = f"{option} {whole or text!r}"
    if not match:
        example = OBJECTIVE if option == SLO else EXAMPLE
        raise InputError(f"{said}: expected {example}")
    metric, name, sign, limit = match.groups()
    if metric not in METRICS:
        raise InputError(f"{said}: no metric {metric!r}{nearest(metric, [*METRICS])}")
    if name and metric in ("dropped", "rate"):
        raise InputError(f"{said}: {metric} is of all arrivals, not of one name")
    try:
        number = expectations.amount(limit, METRICS[metric])
    except ValueError as error:
        raise InputError(f"{said}: {error}") from error
    return Requirement(
        text=text, metric=metric, at_most=sign == "<=", limit=number, name=name or ""
    )


def objective(text: str) -> tuple[Requirement, ...]:
    """Return the parts of a service-level objective: ``p99 <= 50ms and errors <= 1%``.

    A percentile or a mean without more is one of latency.

    Raises:
        InputError: It is none.
    """
    parts = re.split(r"\s+and\s+|\s*,\s*", text.strip())
    short = re.compile(rf"({'|'.join(SPREADS)})(?=\s|<|>|$)")
    return tuple(
        parse(
            short.sub(r"latency.\1", part, count=1) if short.match(part) else part,
            text,
            SLO,
        )
        for part in parts
    )


def judge(
    requirements: Sequence[Requirement], results: LoadResults
) -> tuple[Judgement, ...]:
    """Hold the numbers of a test to what was required of them."""
    return tuple(_judge(requirement, results) for requirement in requirements)


def judged(item: Judgement) -> str:
    """Return what was measured of a requirement, and why it is not decided."""
    unit = METRICS[item.metric]
    if item.value is None:
        measured = "not measured"
    elif math.isinf(item.value):
        measured = "never answered"
    else:
        measured = f"{'≥ ' if item.bound else ''}{quantity(item.value, unit)}"
    return f"{measured}; {one_line(item.reason)}" if item.reason else measured


def is_late(lag: float, median: float | None) -> bool:
    """Say whether a generator was late enough to matter.

    Args:
        lag: Seconds, of the latest one in a hundred.
        median: Seconds that requests took; None or NaN if none was answered.
    """
    known = median is not None and math.isfinite(median)
    return lag > max(LATE, NEGLIGIBLE * median if known and median else 0.0)


def _judge(requirement: Requirement, results: LoadResults) -> Judgement:
    value, reason = _value(requirement, results)
    unanswered = _unanswered(requirement, results)
    verdict: str = "undecided"
    if value is not None and not reason:
        at_most = requirement.at_most
        fine = value <= requirement.limit if at_most else value >= requirement.limit
        verdict = "holds" if fine else "refuted"
        if unanswered and fine is at_most:  # the true value lies further up
            verdict = "undecided"
            reason = (
                f"{counted(unanswered, 'request')} without an answer: it may be more"
            )
        if verdict == "refuted" and requirement.metric.startswith("latency."):
            reason = _late(results, value - requirement.limit)
            verdict = "undecided" if reason else verdict
    return Judgement.model_validate(
        {
            "text": requirement.text,
            "metric": requirement.metric,
            "name": requirement.name,
            "limit": requirement.limit,
            "value": value,
            "verdict": verdict,
            "bound": bool(unanswered),
            "reason": reason,
        }
    )


def _late(results: LoadResults, excess: float) -> str:
    """Return why a latency that is too long may be the generator's own doing.

    Args:
        results: How late the generator was.
        excess: Seconds above the limit.
    """
    if results.lag_p99 <= LATE or results.lag_p99 < excess:
        return ""
    return (
        f"the generator itself was late by {1000 * results.lag_p99:.1f} ms (p99 of "
        "its worst second): give it a core of its own, more workers, or a lower rate"
    )


def _value(requirement: Requirement, results: LoadResults) -> tuple[float | None, str]:
    """Return the number that is meant, or why there is none."""
    metric = requirement.metric
    if metric == "rate":
        return results.rate, ""
    if metric == "dropped":
        lost = results.dropped + results.unserved
        return lost / results.planned if results.planned else None, ""
    row = _row(results, requirement.name)
    if row is None or not row.requests:
        known = [row.name for row in results.rows if row.name and row.requests]
        hint = nearest(requirement.name, known) if requirement.name else ""
        return None, f"no request {requirement.name!r}{hint}" if known else "no request"
    if metric == "errors":
        return row.failed / row.requests, ""
    kind, _, which = metric.partition(".")
    spread: Spread = row.latency if kind == "latency" else row.service
    needed = requests_needed(f"latency.{which}")
    if spread.count < needed:
        return None, f"{metric} needs {needed} requests and there were {spread.count}"
    value: float | None = getattr(spread, which)
    return value, "" if value is not None else "no request was answered"


def _unanswered(requirement: Requirement, results: LoadResults) -> int:
    """Return how many requests make a mean a lower bound."""
    kind, _, which = requirement.metric.partition(".")
    row = _row(results, requirement.name)
    if which != "mean" or row is None:
        return 0
    return (row.latency if kind == "latency" else row.service).unanswered


def _row(results: LoadResults, name: str) -> Row | None:
    of_name = [row for row in results.rows if row.name == name]
    return of_name[0] if of_name else None
