"""One claims.toml: read, checked, understood."""

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
from assay.inputs.toml_file import Keys, Problems, nearest
from assay.load import shapes
from assay.load.shapes import Shape
from assay.metrics import METRICS
from assay.plan import Budget, Claim, Companion, Load, Scenario, Target, Topic, Variant

# Seconds of an open-loop slice whose rate changes: if nothing is said, and at most.
SHAPED_SLICE, LONGEST_SHAPE = 2.0, 10.0
LONGEST_NAME = 64  # bytes of what becomes part of a file's name
# What benchmarks take of [target] and [scenario]: see `experiment.benchmarks`.
BENCHMARK_KEYS = frozenset({"cwd", "env", "benchmarks"})
UNPROFILED = "profiles need a process that Assay starts, by a command"


def read(
    file: Path, margin: float, wanted: Callable[[str], object], found: list[str]
) -> Topic | None:
    """Read one claims.toml.

    Args:
        file: The file.
        margin: The change too small to matter, where a claim names none.
        wanted: Told of each preset that is asked for; raises InputError if there is
            none of that name.
        found: Takes its problems, each with its line.

    Returns:
        The topic; None if there are problems.
    """
    problems = Problems(file)
    claims = problems.validate(ClaimsFile)
    topic = None
    if claims is not None:
        _check_names(claims, problems)
        _check_scenario(claims, file.parent, problems)
        expects = [
            _expectation(claim, at, margin, problems)
            for at, claim in _each(claims.claims)
        ]
        limits = [_limit(budget, at, problems) for at, budget in _each(claims.budgets)]
        for at, claim in _each(claims.claims):
            for name in claim.profiles:
                try:
                    wanted(name)
                except InputError as error:
                    problems.add(("claims", at, "profiles"), str(error))
        shape = _shape(claims, file, problems)
        if not problems.found:
            topic = _build(claims, file, expects, limits, shape)
            problems.found.extend(_check_benchmarks(topic))
    found.extend(problems.found)
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
    """Return how arrivals of a slice change, if they do."""
    text = claims.scenario.load.shape
    if not text:
        return None
    at = ("scenario", "load", "shape")
    try:
        written = str(file.parent / text) if text.endswith(".csv") else text
        shape = shapes.parse(written, SHAPED_SLICE, what="shape =")
    except InputError as error:
        problems.add(at, str(error))
        return None
    if not shape.expected or shape.duration > LONGEST_SHAPE:
        problems.add(
            at,
            f"{text!r} takes {shape.duration:g} s; expected a shape of one slice, in "
            f"multiples of the arrival rate, of at most {LONGEST_SHAPE:g} s: "
            "'ramp 0.5..1.5', or 'spike 1..4 for 0.5s'",
        )
        return None
    return shape


def _check_names(claims: ClaimsFile, problems: Problems) -> None:
    """Check that variants and metrics that are named exist."""
    known = list(claims.variants)
    for table, names in (("variants", known), ("companions", claims.companions)):
        for name in names:
            if not re.fullmatch(r"[\w.-]+", name) or len(name.encode()) > LONGEST_NAME:
                problems.add(
                    (table, name),
                    "expected a name of letters, digits, _ . or -, of at most "
                    f"{LONGEST_NAME}",
                )
    if len(known) < 2 and not claims.budgets:
        problems.add(("variants",), "expected at least two variants to compare")
    named: list[tuple[Keys, str]] = []
    metrics: list[tuple[Keys, str]] = []
    for at, claim in _each(claims.claims):
        named.append((("claims", at, "baseline"), claim.baseline))
        named.append((("claims", at, "candidate"), claim.candidate))
        metrics.append((("claims", at, "metric"), claim.metric))
        if claim.baseline == claim.candidate:
            problems.add(
                ("claims", at, "candidate"),
                "expected another variant than the baseline",
            )
    for at, budget in _each(claims.budgets):
        named.append((("budgets", at, "variant"), budget.variant))
        metrics.append((("budgets", at, "metric"), budget.metric))
    for path, name in named:
        if name not in known:
            problems.add(path, f"no variant {name!r}{nearest(name, known)}")
    micro = claims.scenario.benchmarks is not None
    valid = [m for m in METRICS if (m == "time") == micro]
    for path, metric in metrics:
        if metric not in valid:
            problems.add(path, f"no metric {metric!r} here{nearest(metric, valid)}")


def _check_round_trips(target: TargetTable, problems: Problems) -> None:
    """Check that networks are put before services, and have a length."""
    for name, text in target.round_trip.items():
        at = ("target", "round_trip", name)
        if name not in target.needs:
            problems.add(at, "expected one of needs")
        try:
            shapes.seconds(text)
        except ValueError as error:
            problems.add(at, f"{error}; expected such as '1ms'")


def _check_scenario(claims: ClaimsFile, folder: Path, problems: Problems) -> None:
    """Check that there is one kind of work, that its files exist, and a target."""
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
    """Check that a pattern of benchmarks can be one, and finds some."""
    at = ("scenario", "benchmarks")
    try:
        found = any(folder.glob(pattern))
    except (ValueError, NotImplementedError, OSError) as error:
        problems.add(
            at,
            f"expected a pattern of files below {folder}, such as 'bench_*.py', got "
            f"{pattern!r} ({error})",
        )
        return
    if not found:
        problems.add(at, f"no file in {folder} matches {pattern!r}")


def _check_unused(claims: ClaimsFile, problems: Problems) -> None:
    """Check that nothing is written that benchmarks would silently leave out."""
    tables: list[tuple[Keys, Iterable[str]]] = [
        (("target",), claims.target.model_fields_set if claims.target else ()),
        (("scenario",), claims.scenario.model_fields_set),
    ]
    unused = [
        (*at, key)
        for at, written in tables
        for key in sorted(set(written) - BENCHMARK_KEYS)
    ]
    unused += [("companions", name) for name in claims.companions]
    unused += [
        ("variants", name, key)
        for name, variant in claims.variants.items()
        for key in ("command", "url")
        if getattr(variant, key) is not None
    ]
    unused += [
        ("claims", at, "profiles")
        for at, claim in _each(claims.claims)
        if claim.profiles
    ]
    for path in unused:
        problems.add(path, "only for a scenario with a locustfile")


def _check_servers(claims: ClaimsFile, problems: Problems) -> None:
    """Check that every variant has a server, and what is profiled a process."""
    target = claims.target or TargetTable()
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
    for at, claim in _each(claims.claims):
        for name in dict.fromkeys((claim.baseline, claim.candidate)):
            found = claims.variants.get(name)
            if claim.profiles and found and url_of(target, found):
                problems.add(
                    ("claims", at, "profiles"),
                    f"variant {name!r} is a server that runs already: {UNPROFILED}",
                )


def url_of(target: TargetTable | Target, variant: VariantTable | Variant) -> str | None:
    """Return the URL of a variant that runs already; None if Assay starts it."""
    return variant.url or (None if variant.command else target.url)


def _check_benchmarks(topic: Topic) -> list[str]:
    if not topic.scenario.benchmarks:
        return []
    try:
        return benchmark_nodes.check(topic)
    except OSError as error:  # such as a name that is too long for a file
        return [f"{topic.file}: variants: {error}"]


def _expectation(claim: ClaimTable, at: int, margin: float, problems: Problems) -> Any:
    try:
        return expectations.parse(claim.expect, claim.metric, margin)
    except ValueError as error:
        problems.add(("claims", at, "expect"), str(error))
        return None


def _limit(budget: BudgetTable, at: int, problems: Problems) -> Any:
    try:
        return expectations.quantity(budget.at_most, budget.metric)
    except ValueError as error:
        problems.add(("budgets", at, "at_most"), str(error))
        return None


def _each[Item](items: Iterable[Item]) -> list[tuple[int, Item]]:
    return list(enumerate(items))
