"""Scenario, preset and project files, read and validated into a Plan.

Every problem of every file is found before anything starts, and each names the
file, the line, and the nearest valid name.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.inputs import claims_file
from assay.inputs.schema import PresetFile, ProjectTable
from assay.inputs.toml_file import Problems, nearest
from assay.plan import Plan, Preset, Settings

FILE = "claims.toml"
LONGEST_NAME = claims_file.LONGEST_NAME


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

    def wanted(name: str) -> None:
        presets.setdefault(name, load_preset(name, here))

    plans = [
        claims_file.read(file, known.margin, wanted, found)
        for file in dict.fromkeys(files)
    ]
    if "time_budget" in settings:  # what is typed counts more than any file
        plans = [
            topic and topic.model_copy(update={"time_budget": None}) for topic in plans
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
        InputError: There is no such variant or preset, or no process to profile.
    """
    topic = plan.topics[0]
    known = [v.name for v in topic.variants]
    if variant not in known:
        raise InputError(
            f"{topic.file}: no variant {variant!r}{nearest(variant, known)}"
        )
    if topic.scenario.benchmarks:
        raise InputError(
            f"{topic.file}: profiles need a server under load, and this topic has "
            "benchmarks"
        )
    if claims_file.url_of(topic.target, topic.variant(variant)):
        raise InputError(
            f"{topic.file}: variant {variant!r} is a server that runs already: "
            f"{claims_file.UNPROFILED}"
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
        if os.path.isfile(candidate):  # whatever was typed: it raises nothing
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
    # It is part of the names of a run's files, too.
    if not re.fullmatch(r"[\w. -]+", name) or len(name.encode()) > LONGEST_NAME:
        raise InputError(
            f"no preset {name[:LONGEST_NAME]!r}: expected the name of a file in "
            f"profiles/ without .toml, of at most {LONGEST_NAME} letters, digits, "
            "_ . or -"
        )
    for folder in folders:
        if os.path.isfile(folder / f"{name}.toml"):
            problems = Problems(folder / f"{name}.toml")
            preset = problems.validate(PresetFile)
            if preset is None or problems.found:
                raise InputError("\n".join(problems.found))
            return _checked(Preset(name=name, **preset.model_dump()), problems.file)
    known = sorted({file.stem for folder in folders for file in folder.glob("*.toml")})
    raise InputError(f"no preset {name!r} in profiles/{nearest(name, known)}")


def preset_folders(here: Path) -> list[Path]:
    """Return where presets are looked for: here first, then Assay's own."""
    return [here / "profiles", Path(__file__).parents[1] / "profiles"]


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
        if os.path.isfile(file):
            problems = Problems(file)
            tool = (problems.content or {}).get("tool", {})
            if not isinstance(tool, dict):
                problems.add(("tool",), f"expected a table, got {tool!r}")
                tool = {}
            project = (
                problems.validate(ProjectTable, ("tool", "assay"))
                if "assay" in tool
                else None
            )
            if project and sorted(set(project.looks)) != project.looks:
                problems.add(("tool", "assay", "looks"), "expected ascending numbers")
            found.extend(problems.found)
            if project is None or problems.found:
                return {}
            return project.model_dump(exclude_unset=True)
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
