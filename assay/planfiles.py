"""Scenario, preset and project files, read and validated into a Plan.

Every problem of every file is found before anything starts, and each names the
file, the line, and the nearest valid name.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay import expectations
from assay.errors import InputError
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

FILE = "claims.toml"
Path_ = tuple[str | int, ...]


class _File(BaseModel):
    """A table as people write it."""

    model_config = ConfigDict(extra="forbid")


class _Target(_File):
    command: str | None = None
    url: str | None = None
    env: dict[str, str] = {}
    cwd: str = "."
    ready: str = "/"
    ready_timeout: float = Field(30.0, gt=0)
    needs: list[str] = []
    prepare: str | None = None


class _Load(_File):
    users: int = Field(4, ge=1, le=10_000)
    utilisation: float = Field(0.5, gt=0, lt=1)
    arrival_rate: float | None = Field(None, gt=0)
    connections: int = Field(32, ge=1, le=10_000)


class _Scenario(_File):
    locustfile: str | None = None
    benchmarks: str | None = None
    load: _Load = _Load()


class _Variant(_File):
    env: dict[str, str] = {}
    command: str | None = None
    url: str | None = None
    tests: str | None = None


class _Claim(_File):
    says: str
    baseline: str
    candidate: str
    metric: str
    expect: str
    profiles: list[str] = []


class _Budget(_File):
    variant: str
    metric: str
    at_most: str


class _Claims(_File):
    title: str
    guide: str = ""
    target: _Target | None = None
    scenario: _Scenario
    variants: dict[str, _Variant] = Field(min_length=1)
    claims: list[_Claim] = []
    budgets: list[_Budget] = []


class _Preset(_File):
    title: str
    profiler: str
    seconds: float = Field(gt=0, le=600)
    settings: dict[str, float | int | bool | str] = {}


class _Project(_File):
    margin: float = Field(0.05, gt=0, lt=1)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    time_budget: float = Field(300.0, gt=0)
    looks: list[int] = list(Settings().looks)
    profile: bool = True


class Problems:
    """What is wrong with one TOML file, each problem with its line."""

    def __init__(self, file: Path) -> None:
        """Read the file; a file that cannot be read is a problem too."""
        self.file = file
        self.found: list[str] = []
        self.content: dict[str, Any] | None = None
        self._lines: dict[Path_, int] = {}
        try:
            text = file.read_text(encoding="utf-8")
            self._lines = key_lines(text)
            self.content = tomllib.loads(text)
        except (OSError, UnicodeDecodeError) as error:
            self.found.append(f"{file}: cannot be read: {error}")
        except tomllib.TOMLDecodeError as error:
            self.found.append(f"{file}: not valid TOML: {error}")

    def add(self, path: Path_, text: str) -> None:
        """Note a problem at a key."""
        line = next(
            (
                self._lines[path[:length]]
                for length in range(len(path), 0, -1)
                if path[:length] in self._lines
            ),
            1,
        )
        self.found.append(f"{self.file}:{line}: {_dotted(path)}: {text}")

    def validate[Model: _File](  # noqa: D102 (flake8-docstrings cannot see it)
        self, model: type[Model], at: Path_ = ()
    ) -> Model | None:
        """Return a table as a model, or note everything that is wrong with it."""
        if self.content is None:
            return None
        table: Any = self.content
        for key in at:
            table = table.get(key, {})
        try:
            return model.model_validate(table)
        except ValidationError as error:
            for problem in error.errors():
                path = at + tuple(problem["loc"])
                self.add(path, _said(problem, model, problem["loc"]))
        return None


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
            f"{topic.file}: no variant {variant!r}{_nearest(variant, known)}"
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
    hint = _nearest(topic, known) or (
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
            preset = problems.validate(_Preset)
            if preset is None:
                raise InputError("\n".join(problems.found))
            return _checked(Preset(name=name, **preset.model_dump()), problems.file)
    known = sorted({file.stem for folder in folders for file in folder.glob("*.toml")})
    raise InputError(f"no preset {name!r} in profiles/{_nearest(name, known)}")


def preset_folders(here: Path) -> list[Path]:
    """Return where presets are looked for: here first, then beside the package."""
    return [here / "profiles", Path(__file__).parent.parent / "profiles"]


def key_lines(text: str) -> dict[Path_, int]:
    """Return the line of every table and key of a TOML text.

    `tomllib` keeps no positions. This follows table headers and the first key of
    a line, which is as near as an error message needs to be.
    """
    lines: dict[Path_, int] = {}
    table: Path_ = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*(\[\[?)\s*([^\]\[]+?)\s*\]\]?\s*(#.*)?$", line)
        key = re.match(r"""\s*([\w.\-]+|"[^"]*"|'[^']*')\s*=""", line)
        if header:
            table = _keys(header[2])
            if header[1] == "[[":
                counts[header[2]] = counts.get(header[2], -1) + 1
                table = (*table, counts[header[2]])
            lines.setdefault(table, number)
        elif key:
            lines.setdefault(table + _keys(key[1]), number)
    return lines


def _keys(dotted: str) -> Path_:
    parts = re.findall(r"""[^.\s"']+|"[^"]*"|'[^']*'""", dotted)
    return tuple(part.strip("\"'") for part in parts)


def _topic(
    file: Path,
    here: Path,
    margin: float,
    presets: dict[str, Preset],
    found: list[str],
) -> Topic | None:
    """Read one claims.toml; note its problems in `found`."""
    problems = Problems(file)
    claims = problems.validate(_Claims)
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
    written: _Claims,
    file: Path,
    expects: Sequence[Any],
    limits: Sequence[Any],
) -> Topic:
    target = written.target or _Target()
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


def _check_names(claims: _Claims, problems: Problems) -> None:
    """Check that variants and metrics that are named exist."""
    known = list(claims.variants)
    for name in known:
        if not re.fullmatch(r"[\w.-]+", name):
            problems.add(
                ("variants", name), "expected a name of letters, digits, _ . or -"
            )
    if len(known) < 2 and not claims.budgets:
        problems.add(("variants",), "expected at least two variants to compare")
    named: list[tuple[Path_, str]] = []
    metrics: list[tuple[Path_, str]] = []
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
            problems.add(path, f"no variant {name!r}{_nearest(name, known)}")
    micro = claims.scenario.benchmarks is not None
    valid = [m for m in METRICS if (m == "time") == micro]
    for path, metric in metrics:
        if metric not in valid:
            problems.add(path, f"no metric {metric!r} here{_nearest(metric, valid)}")


def _check_scenario(claims: _Claims, folder: Path, problems: Problems) -> None:
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
                    f"no service {name!r}{_nearest(name, list(SERVICES))}",
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


def _expectation(claim: _Claim, at: int, margin: float, problems: Problems) -> Any:
    try:
        return expectations.parse(claim.expect, claim.metric, margin)
    except ValueError as error:
        problems.add(("claims", at, "expect"), str(error))
        return None


def _limit(budget: _Budget, at: int, problems: Problems) -> Any:
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
            f"{_nearest(preset.profiler, list(PROFILERS))}"
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
                problems.validate(_Project, ("tool", "assay"))
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


def _said(problem: Any, model: type[_File], loc: Path_) -> str:
    """Put one of pydantic's findings into our words."""
    if problem["type"] == "extra_forbidden":
        known = _known_keys(model, loc[:-1])
        return f"unknown key{_nearest(str(loc[-1]), known)}"
    if problem["type"] == "missing":
        return "this key is missing"
    return f"{problem['msg'][:1].lower()}{problem['msg'][1:]}, got {problem['input']!r}"


def _known_keys(model: type[BaseModel], loc: Path_) -> list[str]:
    """Return the keys of the table at `loc` below a model."""
    for key in loc:
        field = model.model_fields.get(str(key))
        if field is None:
            continue  # a position in a list, or a name in a dictionary
        candidates = re.findall(
            r"_(?:Target|Load|Scenario|Variant|Claim|Budget)\b", str(field.annotation)
        )
        if candidates:
            model = globals()[candidates[0]]
    return list(model.model_fields)


def _dotted(path: Path_) -> str:
    text = ""
    for key in path:
        text += f"[{key + 1}]" if isinstance(key, int) else f".{key}"
    return text.lstrip(".")


def _nearest(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; expected one of {', '.join(known)}" if known else ""
