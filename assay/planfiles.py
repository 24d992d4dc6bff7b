"""Scenario, preset and project files, read and validated into a Plan.

Every problem of every file is found before anything starts, and each names the
file, the line, and the nearest valid name.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay import expectations
from assay.errors import InputError
from assay.filetables import (
    BudgetTable,
    ClaimsFile,
    ClaimTable,
    PresetFile,
    ProjectTable,
    TargetTable,
)
from assay.plan import (
    METRICS,
    Budget,
    Claim,
    Load,
    Plan,
    Preset,
    Scenario,
    Settings,
    Target,
    Topic,
    Variant,
)
from assay.tomlfiles import Keys, Problems, nearest

FILE = "claims.toml"


def load(
    topics: Sequence[str],
    settings: Mapping[str, Any],
    command: str,
    here: Path,
) -> Plan:
    """Read everything a run needs.

    Args:
        topics: Names, folders or paths of claims.toml; empty means all that are
            here.
        settings: What was given on the command line, over `[tool.assay]`.
        command: The command line, for the report.
        here: The working directory.

    Raises:
        InputError: With every problem of every file.
    """
    files = [find_topic(topic, here) for topic in topics] or _all_topics(here)
    found: list[str] = []
    project = _project(here, found)
    presets: dict[str, Preset] = {}
    known = Settings(**{**project, **settings})
    plans = [
        _topic(file, here, known.margin, presets, found)
        for file in dict.fromkeys(files)
    ]
    names = [topic.name for topic in plans if topic]
    for name in sorted({name for name in names if names.count(name) > 1}):
        found.append(f"two topics are named {name!r}; rename one of the folders")
    if found:
        raise InputError("\n".join(found))
    return Plan(
        topics=tuple(topic for topic in plans if topic),
        presets=tuple(presets.values()),
        settings=known,
        command=command,
    )


def profile_plan(plan: Plan, variant: str, presets: Sequence[str], here: Path) -> Plan:
    """Return a plan that only profiles one variant of its first topic.

    Raises:
        InputError: There is no such variant or preset.
    """
    topic = plan.topics[0]
    known = [v.name for v in topic.variants]
    if variant not in known:
        raise InputError(
            f"{topic.file}: no variant {variant!r}{nearest(variant, known)}"
        )
    loaded = tuple(load_preset(name.strip(), here) for name in presets)
    bare = topic.model_copy(update={"claims": (), "budgets": ()})
    return plan.model_copy(update={"topics": (bare,), "presets": loaded})


def find_topic(topic: str, here: Path) -> Path:
    """Return the claims.toml that a name, a folder or a path means.

    Raises:
        InputError: There is none.
    """
    for candidate in (
        here / topic,
        here / topic / FILE,
        here / "scenarios" / topic / FILE,
    ):
        if candidate.is_file():
            return candidate.resolve()
    known = [file.parent.name for file in _scenario_files(here)]
    hint = nearest(topic, known) or (
        f"; topics here: {', '.join(known)}" if known else ""
    )
    raise InputError(
        f"no topic {topic!r}: expected a folder with a {FILE}, or the name of one "
        f"under scenarios/{hint}"
    )


def load_preset(name: str, here: Path) -> Preset:
    """Return the preset of that name: the project's own, or Assay's.

    Raises:
        InputError: There is none, or it is wrong.
    """
    folders = preset_folders(here)
    for folder in folders:
        if (folder / f"{name}.toml").is_file():
            problems = Problems(folder / f"{name}.toml")
            preset = problems.validate(PresetFile)
            if preset is None:
                raise InputError("\n".join(problems.found))
            return _checked(Preset(name=name, **preset.model_dump()), problems.file)
    known = sorted({file.stem for folder in folders for file in folder.glob("*.toml")})
    raise InputError(f"no preset {name!r} in profiles/{nearest(name, known)}")


def preset_folders(here: Path) -> list[Path]:
    """Return where presets are looked for: here first, then beside the package."""
    return [here / "profiles", Path(__file__).parent.parent / "profiles"]


def _topic(
    file: Path,
    here: Path,
    margin: float,
    presets: dict[str, Preset],
    found: list[str],
) -> Topic | None:
    """Read one claims.toml; note its problems in `found`."""
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
                    presets.setdefault(name, load_preset(name, here))
                except InputError as error:
                    problems.add(("claims", at, "profiles"), str(error))
        if not problems.found:
            topic = _build(claims, file, expects, limits)
            problems.found.extend(_check_benchmarks(topic))
    found.extend(problems.found)
    return topic


def _build(
    written: ClaimsFile,
    file: Path,
    expects: Sequence[Any],
    limits: Sequence[Any],
) -> Topic:
    target = written.target or TargetTable()
    scenario = written.scenario
    folder = file.parent
    return Topic(
        name=re.sub(r"[^\w.-]+", "-", folder.name) or "topic",
        title=written.title,
        guide=written.guide,
        file=file,
        target=Target(
            **{**target.model_dump(), "cwd": (folder / target.cwd).resolve()}
        ),
        scenario=Scenario(
            locustfile=folder / scenario.locustfile if scenario.locustfile else None,
            benchmarks=scenario.benchmarks,
            load=Load(**scenario.load.model_dump()),
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


def _check_names(claims: ClaimsFile, problems: Problems) -> None:
    """Check that variants and metrics that are named exist."""
    known = list(claims.variants)
    for name in known:
        if not re.fullmatch(r"[\w.-]+", name):
            problems.add(
                ("variants", name), "expected a name of letters, digits, _ . or -"
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


def _check_scenario(claims: ClaimsFile, folder: Path, problems: Problems) -> None:
    """Check that there is one kind of work, that its files exist, and a target."""
    scenario, target = claims.scenario, claims.target
    if (scenario.locustfile is None) == (scenario.benchmarks is None):
        problems.add(("scenario",), "expected either locustfile or benchmarks")
    if scenario.locustfile and not (folder / scenario.locustfile).is_file():
        problems.add(
            ("scenario", "locustfile"), f"no file {folder / scenario.locustfile}"
        )
    if scenario.benchmarks and not list(folder.glob(scenario.benchmarks)):
        problems.add(
            ("scenario", "benchmarks"),
            f"no file in {folder} matches {scenario.benchmarks!r}",
        )
    if target and not (folder / target.cwd).is_dir():
        problems.add(("target", "cwd"), f"no folder {folder / target.cwd}")
    if target:
        from assay.services import SERVICES

        for name in target.needs:
            if name not in SERVICES:
                problems.add(
                    ("target", "needs"),
                    f"no service {name!r}{nearest(name, list(SERVICES))}",
                )
    for name, variant in claims.variants.items():
        if scenario.benchmarks:
            continue
        if variant.tests:
            problems.add(
                ("variants", name, "tests"), "only for a scenario with benchmarks"
            )
        if not (variant.command or variant.url) and not (
            target and (target.command or target.url)
        ):
            problems.add(
                ("variants", name),
                "nothing to start: expected a command or url here or in [target]",
            )


def _check_benchmarks(topic: Topic) -> list[str]:
    if not topic.scenario.benchmarks:
        return []
    from assay import micro

    return micro.check(topic)


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


def _checked(preset: Preset, file: Path) -> Preset:
    """Check the part of a preset that its profiler understands."""
    from assay.profilers import PROFILERS

    if preset.profiler not in PROFILERS:
        raise InputError(
            f"{file}: profiler: no profiler {preset.profiler!r}"
            f"{nearest(preset.profiler, list(PROFILERS))}"
        )
    PROFILERS[preset.profiler].check(preset)
    return preset


def _project(here: Path, found: list[str]) -> dict[str, Any]:
    """Return `[tool.assay]` of the nearest pyproject.toml, or nothing."""
    for folder in (here, *here.parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            problems = Problems(file)
            tool = (problems.content or {}).get("tool", {})
            project = (
                problems.validate(ProjectTable, ("tool", "assay"))
                if "assay" in tool
                else None
            )
            if project and sorted(set(project.looks)) != project.looks:
                problems.add(("tool", "assay", "looks"), "expected ascending numbers")
            found.extend(problems.found)
            return project.model_dump(exclude_unset=True) if project else {}
    return {}


def _all_topics(here: Path) -> list[Path]:
    if (here / FILE).is_file():
        return [(here / FILE).resolve()]
    files = _scenario_files(here)
    if not files:
        raise InputError(
            f"no topics in {here}: expected {FILE} here or in scenarios/NAME/; "
            "name a folder, for example: assay run path/to/topic"
        )
    return files


def _scenario_files(here: Path) -> list[Path]:
    return sorted(file.resolve() for file in (here / "scenarios").glob(f"*/{FILE}"))


def _each[Item](items: Iterable[Item]) -> list[tuple[int, Item]]:
    return list(enumerate(items))
