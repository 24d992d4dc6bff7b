"""Reads and checks claims.toml files, presets and pyproject.toml, and builds a Plan.

All problems of these files are reported together before anything starts, each with its
file, its line and the nearest valid name.
"""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from assay.errors import InputError
from assay.gating import Threshold
from assay.inputs import claims_file, gates
from assay.inputs.schema import PresetFile, ProjectTable, ScriptSettings
from assay.inputs.toml_file import Problems, in_words, nearest
from assay.plan import (
    DEFAULT_PROFILES,
    Plan,
    Preset,
    Scenario,
    Settings,
    Target,
    Topic,
    Variant,
)
from assay.system import redaction

CLAIMS_FILE = "claims.toml"
# The folders of a project that hold topics, or are topics themselves.
TOPIC_FOLDERS = ("perf", "scenarios", "load_tests")
_ANY_FOLDER = "perf/, scenarios/ or load_tests/"
COMMAND_VARIANT = "command"  # the variant of a command that is profiled
MAX_NAME_BYTES = claims_file.MAX_NAME_BYTES
url_of = claims_file.url_of


def load(
    topics: Sequence[str],
    settings: Mapping[str, Any],
    command: str,
    here: Path,
) -> Plan:
    """Read everything that a run needs.

    Args:
        topics: Names of topics, folders, or paths of claims.toml files; empty for all
            topics of the working directory.
        settings: Settings from the command line, which override `[tool.assay]`.
        command: The command line, for the report.
        here: The working directory.

    Raises:
        InputError: A topic does not exist, a threshold is about no topic, or files have
            problems. In the last case, the message has every problem of every file.
    """
    files = [find_topic(topic, here) for topic in topics] or _all_topics(here)
    plan = _load(files, settings, command, here)
    names = [topic.name for topic in plan.topics]
    names += [file.parent.name for file in project_topics(here)]
    gates.check_topics(plan.gating, names)
    return with_gating(plan, whole=not topics)


def check_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a script gives, with the right types.

    Raises:
        InputError: A setting does not exist, has the wrong type or is out of range; the
            message has every problem.
    """
    try:
        checked = ScriptSettings.model_validate(dict(settings))
    except ValidationError as error:
        raise InputError(
            "\n".join(
                f"measure: {problem['loc'][0]}: "
                f"{in_words(problem, ScriptSettings, problem['loc'])}"
                for problem in error.errors()
            )
        ) from error
    return checked.model_dump(exclude_unset=True)


def load_for_sides(
    files: Sequence[Path], settings: Mapping[str, Any], command: str, here: Path
) -> Plan:
    """Read everything that a comparison of two sides needs; a topic needs no variants.

    Args:
        files: Paths of claims.toml files; there may be none.
        settings: Settings from the command line, which override `[tool.assay]`.
        command: The command line, for the report.
        here: The folder in which the search for `[tool.assay]`, waivers and presets
            begins.

    Raises:
        InputError: Files have problems; the message has every problem of every file.
    """
    return _load(files, settings, command, here, sides=True)


def with_gating(plan: Plan, **update: Any) -> Plan:
    """Return a plan with some fields of its gating replaced."""
    return plan.model_copy(update={"gating": plan.gating.model_copy(update=update)})


def _load(
    files: Sequence[Path],
    settings: Mapping[str, Any],
    command: str,
    here: Path,
    sides: bool = False,
) -> Plan:
    messages: list[str] = []
    project, thresholds = _project(here, messages)
    gating = gates.gating_of(thresholds, here, messages)
    presets: dict[str, Preset] = {}
    merged = Settings(**{**project, **settings})

    def require_preset(name: str) -> None:
        presets.setdefault(name, load_preset(name, here))

    if merged.profile is not False:
        for name in DEFAULT_PROFILES:
            try:
                require_preset(name)
            except InputError as error:
                messages.append(str(error))

    loaded = [
        claims_file.read(file, merged.margin, require_preset, messages, sides)
        for file in dict.fromkeys(files)
    ]
    valid = [topic for topic in loaded if topic]
    if "time_budget" in settings:  # the command line overrides every file
        valid = [topic.model_copy(update={"time_budget": None}) for topic in valid]
    names = [topic.name for topic in valid]
    for name in sorted({name for name in names if names.count(name) > 1}):
        messages.append(f"two topics are named {name!r}; rename one of the folders")
    if messages:
        raise InputError("\n".join(messages))
    return Plan(
        topics=tuple(valid),
        presets=tuple(presets.values()),
        settings=merged,
        command=command,
        gating=gating,
    )


def command_plan(
    words: Sequence[str], locustfile: Path, ready: str, command: str, here: Path
) -> Plan:
    """Return a plan whose only variant is a command.

    Args:
        words: The command that starts the server: its words, or all of it as one word.
        locustfile: The load for the server.
        ready: The path at which the server answers 2xx when it is ready.
        command: The command line of Assay, for the report.
        here: The working directory, in which the server is started.

    Raises:
        InputError: There is no command, or `ready` is no path.
    """
    # A single word is a whole command line.
    line = words[0] if len(words) == 1 else shlex.join(words)
    if not line.strip():
        raise InputError(
            "expected a command after --, such as: python -m uvicorn app:app"
        )
    if not re.fullmatch(r"/[!-~]*", ready):
        raise InputError(f"--ready: expected a path such as /health, not {ready!r}")
    file = locustfile.resolve()
    topic = Topic(
        name=re.sub(r"[^\w.-]+", "-", file.stem) or "topic",
        title=redaction.command(line),
        file=file,
        target=Target(command=line, cwd=here, ready=ready),
        scenario=Scenario(locustfile=file),
        variants=(Variant(name=COMMAND_VARIANT),),
    )
    return Plan(topics=(topic,), command=command)


def profile_plan(plan: Plan, name: str, presets: Sequence[str], here: Path) -> Plan:
    """Return a plan that only profiles one variant of the plan's first topic.

    Args:
        plan: The plan.
        name: Name of the variant.
        presets: Names of presets.
        here: The working directory.

    Raises:
        InputError: The variant or a preset does not exist, the topic has benchmarks,
            Assay does not start the server, or a preset needs the probe.
    """
    topic = plan.topics[0]
    names = [variant.name for variant in topic.variants]
    if name not in names:
        raise InputError(f"{topic.file}: no variant {name!r}{nearest(name, names)}")
    if topic.scenario.benchmarks:
        raise InputError(
            f"{topic.file}: profiles need a server under load, and this topic has "
            "benchmarks"
        )
    if claims_file.url_of(topic.target, topic.variant(name)):
        raise InputError(
            f"{topic.file}: variant {name!r} is a server that runs already: "
            f"{claims_file.PROFILES_NEED_COMMAND}"
        )
    loaded = tuple(load_preset(preset.strip(), here) for preset in presets)
    for preset in loaded:
        if preset.profiler == "probe":
            raise InputError(
                f"--profiles: {preset.name!r} compares two sides, so it works only in "
                "a run: put it into `profiles` of a claim, and type: assay run TOPIC"
            )
    without_claims = topic.model_copy(update={"claims": (), "budgets": ()})
    return plan.model_copy(update={"topics": (without_claims,), "presets": loaded})


def find_topic(topic: str, here: Path) -> Path:
    """Return the claims.toml of a topic, given by name, folder or path.

    Raises:
        InputError: There is no such topic.
    """
    for candidate in (
        here / topic,
        here / topic / CLAIMS_FILE,
        *(here / folder / topic / CLAIMS_FILE for folder in TOPIC_FOLDERS),
    ):
        if os.path.isfile(candidate):  # this raises nothing, whatever the user typed
            return candidate.resolve()
    names = [file.parent.name for file in project_topics(here)]
    raise InputError(
        f"no topic {topic!r}: expected a folder with a {CLAIMS_FILE}, or the name of "
        f"a folder in {_ANY_FOLDER}{nearest(topic, names)}"
    )


def project_topics(folder: Path) -> list[Path]:
    """Return the claims.toml of a folder, and those in its `TOPIC_FOLDERS`."""
    files = [folder / CLAIMS_FILE]
    for name in TOPIC_FOLDERS:
        files.append(folder / name / CLAIMS_FILE)
        files += sorted((folder / name).glob(f"*/{CLAIMS_FILE}"))
    return [file for file in files if os.path.isfile(file)]


def load_preset(name: str, here: Path) -> Preset:
    """Return the preset of that name: the project's preset, or else Assay's.

    Raises:
        InputError: The name is invalid, there is no such preset, or its file has
            problems.
    """
    folders = preset_folders(here)
    # The name becomes part of the names of a run's files.
    if not re.fullmatch(r"[\w. -]+", name) or len(name.encode()) > MAX_NAME_BYTES:
        raise InputError(
            f"no preset {name[:MAX_NAME_BYTES]!r}: expected the name of a file in "
            f"profiles/ without .toml, of at most {MAX_NAME_BYTES} letters, digits, "
            "_ . or -"
        )
    for folder in folders:
        if os.path.isfile(folder / f"{name}.toml"):
            problems = Problems(folder / f"{name}.toml")
            preset = problems.validate(PresetFile)
            if preset is None or problems.messages:
                raise InputError("\n".join(problems.messages))
            return _checked(Preset(name=name, **preset.model_dump()), problems.file)
    names = sorted({file.stem for folder in folders for file in folder.glob("*.toml")})
    raise InputError(f"no preset {name!r} in profiles/{nearest(name, names)}")


def preset_folders(here: Path) -> list[Path]:
    """Return the folders that are searched for presets: the project's, then Assay's."""
    return [here / "profiles", Path(__file__).parents[1] / "profiles"]


def _checked(preset: Preset, file: Path) -> Preset:
    """Return a preset whose profiler exists and accepts its settings.

    Raises:
        InputError: There is no such profiler, or it refuses a setting.
    """
    from assay.profilers import PROFILERS

    if preset.profiler not in PROFILERS:
        raise InputError(
            f"{file}: profiler: no profiler {preset.profiler!r}"
            f"{nearest(preset.profiler, list(PROFILERS))}"
        )
    PROFILERS[preset.profiler].check(preset)
    return preset


def _project(here: Path, messages: list[str]) -> tuple[dict[str, Any], list[Threshold]]:
    """Return the settings and thresholds of `[tool.assay]`.

    The table is read from the nearest pyproject.toml, in the working directory or above
    it. Settings and thresholds are empty if there is no such table, or if it has
    problems.

    Args:
        here: The working directory.
        messages: The list to which the problems are added.
    """
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
            written = project.gates if project else []
            thresholds = gates.read_thresholds(written, problems)
            messages.extend(problems.messages)
            if project is None or problems.messages:
                return {}, []
            return project.model_dump(exclude_unset=True, exclude={"gates"}), thresholds
    return {}, []


def _all_topics(here: Path) -> list[Path]:
    """Return the claims.toml of the working directory, or else its `project_topics`.

    Raises:
        InputError: There is no claims.toml.
    """
    if (here / CLAIMS_FILE).is_file():
        return [(here / CLAIMS_FILE).resolve()]
    files = [file.resolve() for file in project_topics(here)]
    if not files:
        raise InputError(
            f"no topics in {here}: expected {CLAIMS_FILE} here, in {_ANY_FOLDER}, or "
            "in a folder of these; name a folder, for example: assay run path/to/topic"
        )
    return files
