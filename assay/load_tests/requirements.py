"""Parse the requirements of a load test, such as ``latency.p99 <= 50ms``."""

import re

from assay.errors import InputError
from assay.inputs import expectations
from assay.inputs.toml_file import nearest
from assay.load_plan import Requirement
from assay.metrics import LOAD_TEST_UNITS, SPREAD_FIELDS

SLO = "--slo"
OBJECTIVE_EXAMPLES = "'p99 <= 50ms', or 'p99 <= 50ms and errors <= 0.1%'"
REQUIREMENT_EXAMPLES = "'latency.p99 <= 50ms', 'errors <= 0.1%' or 'rate >= 200/s'"


def parse(text: str, objective: str = "", option: str = "--require") -> Requirement:
    """Parse one requirement.

    A requirement is written ``METRIC <= LIMIT`` or ``METRIC >= LIMIT``. ``METRIC of
    NAME`` applies to the requests of one name. ``METRIC of GET NAME`` applies to the
    requests of one name and method.

    Args:
        text: The requirement.
        objective: The complete objective that contains the requirement, for error
            messages; empty if there is none.
        option: The option that the requirement was given with, for error messages.

    Raises:
        InputError: The text is not a requirement.
    """
    match = re.fullmatch(
        r"\s*([\w.]+)(?:\s+of\s+(.+?))?\s*(<=|>=)\s*(\S.*?)\s*", text, re.DOTALL
    )
    prefix = f"{option} {objective or text!r}"
    if not match:
        examples = OBJECTIVE_EXAMPLES if option == SLO else REQUIREMENT_EXAMPLES
        raise InputError(f"{prefix}: expected {examples}")
    metric, name, sign, limit = match.groups()
    if metric not in LOAD_TEST_UNITS:
        raise InputError(
            f"{prefix}: no metric {metric!r}{nearest(metric, [*LOAD_TEST_UNITS])}"
        )
    if name and metric in ("dropped", "rate"):
        raise InputError(
            f"{prefix}: {metric} counts all arrivals, not those of one name"
        )
    try:
        number = expectations.amount_in_unit(limit, LOAD_TEST_UNITS[metric])
    except ValueError as error:
        raise InputError(f"{prefix}: {error}") from error
    return Requirement(
        text=text, metric=metric, at_most=sign == "<=", limit=number, name=name or ""
    )


def parse_objective(text: str) -> tuple[Requirement, ...]:
    """Parse a service-level objective, such as ``p99 <= 50ms and errors <= 1%``.

    A percentile or mean without a prefix means latency: ``p99`` is ``latency.p99``.

    Returns:
        The requirements in the objective.

    Raises:
        InputError: The text is not an objective.
    """
    parts = re.split(r"\s+and\s+|\s*,\s*", text.strip())
    unprefixed = re.compile(rf"^({'|'.join(SPREAD_FIELDS)})(?=\s|<|>|$)")
    return tuple(
        parse(unprefixed.sub(r"latency.\1", part), text, SLO) for part in parts
    )
