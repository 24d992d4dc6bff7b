"""Reads one claims.toml, checks it, and builds a topic from it."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.inputs import benchmark_nodes, expectations
from assay.inputs.schema import (
    BudgetTable,
    ClaimsFile,
    ClaimTable,
    TargetTable,
    VariantTable,
)
from assay.inputs.toml_file import Keys, Problems, nearest, written_keys
from assay.load import shapes
from assay.load.shapes import Shape
from assay.metrics import METRICS
from assay.plan import Budget, Claim, Companion, Load, Scenario, Target, Topic, Variant

# Seconds of an open-loop slice whose rate changes: by default, and at most.
DEFAULT_SHAPE_SECONDS = 2.0
MAX_SHAPE_SECONDS = 10.0
MAX_NAME_BYTES = 64  # bytes of a name that becomes part of a file name
# The keys of [target] and [scenario] that have an effect on benchmarks.
BENCHMARK_KEYS = frozenset({"cwd", "env", "python", "benchmarks", "time_budget"})
PROFILES_NEED_COMMAND = (
    "profiles need a process that Assay starts; give the variant a command"
)


def read(
    file: Path,
    margin: float,
    require_preset: Callable[[str], object],
    messages: list[str],
    sides: bool = False,
) -> Topic | None:
    """Read one claims.toml.

    Args:
        file: The file.
        margin: The largest change that is too small to matter, as a fraction.
        require_preset: Called with the name of each preset that a claim asks for;
            raises InputError if the preset does not exist or has problems.
        messages: The list to which the problems of the file are added.
        sides: Whether two commits or two servers are compared. Then the file needs no
            variants.

    Returns:
        The topic; None if the file has problems.
    """
    problems = Problems(file)
    claims = problems.validate(ClaimsFile)
    topic = None
    if claims is not None:
        _check_names(claims, problems, sides)
        _check_scenario(claims, file.parent, problems)
        expects = [
            _expectation(claim, index, margin, problems)
            for index, claim in enumerate(claims.claims)
        ]
        limits = [
            _limit(budget, index, problems)
            for index, budget in enumerate(claims.budgets)
        ]
        for index, claim in enumerate(claims.claims):
            for name in claim.profiles or ():
                try:
                    require_preset(name)
                except InputError as error:
                    problems.add(("claims", index, "profiles"), str(error))
        shape = _shape(claims, file, problems)
        if not problems.messages:
            topic = _build(claims, file, expects, limits, shape)
            problems.messages.extend(_check_benchmarks(topic))
    messages.extend(problems.messages)
    return topic


def _build(
    written: ClaimsFile,
    file: Path,
    expects: Sequence[Any],
    limits: Sequence[Any],
    shape: Shape | None,
) -> Topic:
    target = written.target or TargetTable()
    scenario = written.scenario
    folder = file.parent
    return Topic(
        name=re.sub(r"[^\w.-]+", "-", folder.name) or "topic",
        title=written.title,
        guide=written.guide,
        file=file,
        time_budget=scenario.time_budget,
        target=Target(
            **{
                **target.model_dump(),
                "cwd": (folder / target.cwd).resolve(),
                # Not resolved: the link in a virtual environment decides which
                # packages Python imports.
                "python": folder / target.python if target.python else None,
                "round_trip": {
                    name: shapes.seconds(text)
                    for name, text in target.round_trip.items()
                },
            }
        ),
        companions=tuple(
            Companion(name=name, **companion.model_dump())
            for name, companion in written.companions.items()
        ),
        scenario=Scenario(
            locustfile=folder / scenario.locustfile if scenario.locustfile else None,
            arguments=tuple(scenario.arguments),
            benchmarks=scenario.benchmarks,
            load=Load(
                **scenario.load.model_dump(),
                times=shape.times if shape else (),
                multiples=shape.rates if shape else (),
            ),
        ),
        variants=tuple(
            Variant(name=name, **variant.model_dump())
            for name, variant in written.variants.items()
        ),
        claims=tuple(
            Claim(**{**claim.model_dump(), "expect": expect})
            for claim, expect in zip(written.claims, expects, strict=True)
        ),
        budgets=tuple(
            Budget(**{**b.model_dump(), "at_most": limit, "text": b.at_most})
            for b, limit in zip(written.budgets, limits, strict=True)
        ),
    )


def _shape(claims: ClaimsFile, file: Path, problems: Problems) -> Shape | None:
    """Return the shape of the arrival rate within a slice, or None.

    None means that the rate is constant, or that the shape is invalid. An invalid shape
    is added to the problems.
    """
    text = claims.scenario.load.shape
    if not text:
        return None
    path = ("scenario", "load", "shape")
    try:
        written = str(file.parent / text) if text.endswith(".csv") else text
        shape = shapes.parse(written, DEFAULT_SHAPE_SECONDS, label="shape =")
    except InputError as error:
        problems.add(path, str(error))
        return None
    if shape.duration > MAX_SHAPE_SECONDS:
        problems.add(
            path,
            f"{text!r} lasts {shape.duration:g} s; a slice may last at most "
            f"{MAX_SHAPE_SECONDS:g} s",
        )
        return None
    if not shape.expected:
        problems.add(
            path,
            f"{text!r} contains no arrivals; expected multiples of the arrival rate, "
            "such as 'ramp 0.5..1.5' or 'spike 1..4 for 0.5s'",
        )
        return None
    return shape


def _check_names(claims: ClaimsFile, problems: Problems, sides: bool) -> None:
    """Check the names of variants and companions, and all references to names.

    Claims and budgets must refer to variants and metrics that exist, and a comparison
    needs two variants.
    """
    variants = list(claims.variants)
    for table, names in (("variants", variants), ("companions", claims.companions)):
        for name in names:
            if (
                not re.fullmatch(r"[\w.-]+", name)
                or len(name.encode()) > MAX_NAME_BYTES
            ):
                problems.add(
                    (table, name),
                    "expected a name of letters, digits, _ . or -, of at most "
                    f"{MAX_NAME_BYTES} bytes",
                )
    if len(variants) < 2 and not claims.budgets and not sides:
        problems.add(
            ("variants",),
            "expected at least two variants to compare; to compare two commits, type: "
            "assay compare",
        )
    references: list[tuple[Keys, str]] = []
    metrics: list[tuple[Keys, str]] = []
    for index, claim in enumerate(claims.claims):
        references.append((("claims", index, "baseline"), claim.baseline))
        references.append((("claims", index, "candidate"), claim.candidate))
        metrics.append((("claims", index, "metric"), claim.metric))
        if claim.baseline == claim.candidate:
            problems.add(
                ("claims", index, "candidate"),
                "expected a variant other than the baseline",
            )
    for index, budget in enumerate(claims.budgets):
        references.append((("budgets", index, "variant"), budget.variant))
        metrics.append((("budgets", index, "metric"), budget.metric))
    for path, name in references:
        if name not in variants:
            problems.add(path, f"no variant {name!r}{nearest(name, variants)}")
    has_benchmarks = claims.scenario.benchmarks is not None
    valid = [
        name
        for name, metric in METRICS.items()
        if (name == "time") == has_benchmarks and not metric.of_request
    ]
    for path, metric in metrics:
        if metric not in valid:
            problems.add(path, f"no metric {metric!r} here{nearest(metric, valid)}")


def _check_round_trips(target: TargetTable, problems: Problems) -> None:
    """Check that `needs` lists each delayed service, and that delays are durations."""
    for name, text in target.round_trip.items():
        path = ("target", "round_trip", name)
        if name not in target.needs:
            problems.add(path, "expected a service that `needs` lists")
        try:
            shapes.seconds(text)
        except ValueError as error:
            problems.add(path, f"{error}; expected a duration such as '1ms'")


def _check_scenario(claims: ClaimsFile, folder: Path, problems: Problems) -> None:
    """Check that there is either a locustfile or benchmarks, and that files exist.

    The names of services, the servers, and the keys of benchmarks are checked, too.
    """
    scenario, target = claims.scenario, claims.target
    if (scenario.locustfile is None) == (scenario.benchmarks is None):
        problems.add(("scenario",), "expected either locustfile or benchmarks")
    if scenario.locustfile and not os.path.isfile(folder / scenario.locustfile):
        problems.add(
            ("scenario", "locustfile"), f"no file {folder / scenario.locustfile}"
        )
    if scenario.benchmarks:
        _check_pattern(folder, scenario.benchmarks, problems)
    if target and not os.path.isdir(folder / target.cwd):
        problems.add(("target", "cwd"), f"no folder {folder / target.cwd}")
    if target and target.python and not os.access(folder / target.python, os.X_OK):
        problems.add(
            ("target", "python"),
            f"no program {folder / target.python}; expected an interpreter, such as "
            ".venv/bin/python",
        )
    if target:
        from assay.services import SERVICES

        for name in target.needs:
            if name not in SERVICES:
                problems.add(
                    ("target", "needs"),
                    f"no service {name!r}{nearest(name, list(SERVICES))}",
                )
        _check_round_trips(target, problems)
    if not scenario.benchmarks:
        _check_servers(claims, problems)
    elif not scenario.locustfile:
        _check_unused(claims, problems)


def _check_pattern(folder: Path, pattern: str, problems: Problems) -> None:
    """Check that a pattern of benchmarks is valid and matches files."""
    path = ("scenario", "benchmarks")
    try:
        matches = any(folder.glob(pattern))
    except (ValueError, NotImplementedError, OSError) as error:
        problems.add(
            path,
            f"expected a pattern of files below {folder}, such as 'bench_*.py', got "
            f"{pattern!r} ({error})",
        )
        return
    if not matches:
        problems.add(path, f"no file in {folder} matches {pattern!r}")


def _check_unused(claims: ClaimsFile, problems: Problems) -> None:
    """Check that a topic of benchmarks has no key that would be ignored."""
    tables: list[tuple[Keys, Iterable[str]]] = [
        (("target",), written_keys(claims.target) if claims.target else ()),
        (("scenario",), written_keys(claims.scenario)),
    ]
    unused = [
        (*path, key)
        for path, keys in tables
        for key in sorted(set(keys) - BENCHMARK_KEYS)
    ]
    unused += [("companions", name) for name in claims.companions]
    unused += [
        ("variants", name, key)
        for name, variant in claims.variants.items()
        for key in ("command", "url")
        if getattr(variant, key) is not None
    ]
    unused += [
        ("claims", index, "profiles")
        for index, claim in enumerate(claims.claims)
        if claim.profiles
    ]
    for path in unused:
        problems.add(path, "only for a scenario with a locustfile")


def _check_servers(claims: ClaimsFile, problems: Problems) -> None:
    """Check that every variant has a server, and every profiled variant a process."""
    target = claims.target or TargetTable()
    variants = claims.variants.values() or [VariantTable()]
    if target.copied and all(url_of(target, variant) for variant in variants):
        problems.add(("target", "copy"), "only for a server that Assay starts")
    for name, variant in claims.variants.items():
        if variant.tests:
            problems.add(
                ("variants", name, "tests"), "only for a scenario with benchmarks"
            )
        if not (variant.command or url_of(target, variant) or target.command):
            problems.add(
                ("variants", name),
                "nothing to start: expected a command or url here or in [target]",
            )
    for index, claim in enumerate(claims.claims):
        for name in dict.fromkeys((claim.baseline, claim.candidate)):
            variant_table = claims.variants.get(name)
            if claim.profiles and variant_table and url_of(target, variant_table):
                problems.add(
                    ("claims", index, "profiles"),
                    f"variant {name!r} is a server that runs already: "
                    f"{PROFILES_NEED_COMMAND}",
                )


def url_of(target: TargetTable | Target, variant: VariantTable | Variant) -> str | None:
    """Return the URL of a variant's server that already runs, or None.

    None means that Assay starts the server. A variant's own command takes precedence
    over the target's URL.
    """
    return variant.url or (None if variant.command else target.url)


def _check_benchmarks(topic: Topic) -> list[str]:
    if not topic.scenario.benchmarks:
        return []
    try:
        return benchmark_nodes.check(topic)
    except OSError as error:  # for example, a name is too long for a file
        return [f"{topic.file}: variants: {error}"]


def _expectation(
    claim: ClaimTable, index: int, margin: float, problems: Problems
) -> Any:
    try:
        return expectations.parse(claim.expect, claim.metric, margin)
    except ValueError as error:
        problems.add(("claims", index, "expect"), str(error))
        return None


def _limit(budget: BudgetTable, index: int, problems: Problems) -> Any:
    try:
        return expectations.metric_limit(budget.at_most, budget.metric)
    except ValueError as error:
        problems.add(("budgets", index, "at_most"), str(error))
        return None
