"""Thresholds on a load test, as they are written: ``latency.p99 <= 50ms``."""

import re

from assay.errors import InputError
from assay.inputs import expectations
from assay.inputs.toml_file import nearest
from assay.load_plan import Requirement
from assay.metrics import LOAD_TEST_UNITS, SPREADS

SLO = "--slo"
OBJECTIVE = "'p99 <= 50ms', or 'p99 <= 50ms and errors <= 0.1%'"
EXAMPLE = "'latency.p99 <= 50ms', 'errors <= 0.1%' or 'rate >= 200/s'"


def parse(text: str, whole: str = "", option: str = "--require") -> Requirement:
    """Return the requirement that somebody wrote.

    ``METRIC <= LIMIT`` or ``>=``; ``METRIC of NAME <= LIMIT`` is about the requests
    of one name, ``METRIC of GET NAME <= LIMIT`` of one method, too.

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
    if metric not in LOAD_TEST_UNITS:
        raise InputError(
            f"{said}: no metric {metric!r}{nearest(metric, [*LOAD_TEST_UNITS])}"
        )
    if name and metric in ("dropped", "rate"):
        raise InputError(f"{said}: {metric} is of all arrivals, not of one name")
    try:
        number = expectations.amount(limit, LOAD_TEST_UNITS[metric])
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
