"""Makes a plan from what the user asks of two sides."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.gating import SUITE
from assay.inputs import gates, loader
from assay.metrics import METRICS
from assay.plan import Budget, Plan, Scenario, Target, Topic, Variant
from assay.subject import ruler
from assay.subject.sides import BASE, HEAD, Side, Sides

NOTHING_TO_MEASURE = (
    "nothing to measure was found: expected a claims.toml here, in perf/ or in "
    "scenarios/NAME/, or pytest-benchmark tests in tests/ or benchmarks/.\n"
    "  For a service, type: assay init\n"
    "  For benchmarks, name them: assay compare --benchmarks PATH"
)


@dataclass(frozen=True)
class Question:
    """What the user wants to be measured.

    Attributes:
        topics: Names, folders or files of topics.
        benchmarks: Files, folders or nodes of benchmarks.
        variant: The variant of the topics that both sides run; the first if empty.
        only: The only metrics that decide; the usual ones if empty.
    """

    topics: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    variant: str = ""
    only: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether the user named nothing to measure."""
        return not (self.topics or self.benchmarks)


def check(question: Question) -> None:
    """Check what can be checked before anything is built.

    Raises:
        InputError: A metric does not exist.
    """
    from assay.inputs.toml_file import nearest

    valid = [name for name, metric in METRICS.items() if not metric.of_request]
    for metric in question.only:
        if metric not in valid:
            raise InputError(f"--only: no metric {metric!r}{nearest(metric, valid)}")


def plan_of(
    sides: Sides,
    question: Question,
    settings: Mapping[str, Any],
    command: str,
    note: Callable[[str], None],
) -> Plan:
    """Return the plan that compares both sides.

    Args:
        sides: Both sides.
        question: What the user asked.
        settings: Settings from the command line.
        command: The command line, for the report.
        note: Called with a message before a build begins.

    Raises:
        InputError: There is nothing to measure, or a file has problems.
        MeasureError: pytest-benchmark cannot be installed, or benchmarks cannot be
            copied.
    """
    files: list[Path] = []
    if question.topics or question.is_open:
        files = ruler.topics(sides.ruler, sides.here, question.topics)
    paths: list[str] = []
    if question.benchmarks:
        named, project = question.benchmarks, sides.measured_by
        paths = ruler.benchmarks(sides.ruler, project, sides.here, named)
    elif question.is_open and not files:
        paths = ruler.find_benchmarks(sides.measured_by)
    if not files and not paths:
        raise InputError(NOTHING_TO_MEASURE)
    plan = loader.load_for_sides(files, settings, command, sides.ruler / sides.here)
    plan = _checked(plan, question, sides.ruler, sides.here)
    suites = [topic for topic in plan.topics if topic.scenario.benchmarks]
    if paths or suites:
        sides = sides.with_benchmarks(note)
    topics = [
        _of_service(sides, topic, question)
        for topic in plan.topics
        if topic not in suites
    ]
    topics += [
        _of_suite(sides, _benchmarks_of(topic, sides), topic) for topic in suites
    ]
    if paths:
        topics.append(_of_suite(sides, paths))
    for topic in topics:
        for side in (sides.base, sides.head):
            if topic.scenario.paths and side.folder != sides.measured_by:
                ruler.lay_over(sides.measured_by, side.folder, topic.scenario.paths)
    return plan.model_copy(update={"topics": tuple(topics), "subject": sides.subject})


def _checked(plan: Plan, question: Question, folder: Path, here: str) -> Plan:
    """Check that each threshold matches a topic; note whether all topics are measured.

    Args:
        plan: The plan as the files describe it.
        question: What the user asks.
        folder: The top folder of the files.
        here: The user's working directory in that folder.

    Returns:
        The plan, whose gating says whether the whole project is measured.

    Raises:
        InputError: A threshold matches no topic of the project.
    """
    names = [topic.name for topic in plan.topics]
    names += [file.parent.name for file in ruler.topics(folder, here, ())]
    gates.check_topics(plan.gating, names)
    return loader.with_gating(plan, whole=question.is_open)


def _of_suite(sides: Sides, paths: Sequence[str], topic: Topic | None = None) -> Topic:
    """Return a topic that compares benchmarks.

    Args:
        sides: Both sides.
        paths: Files, folders or nodes, relative to the project's folder.
        topic: The topic that has these benchmarks; None if the user named them or Assay
            found them.
    """
    env = topic.target.env if topic else {}
    return Topic(
        name=topic.name if topic else SUITE,
        title=topic.title if topic else f"Benchmarks of {sides.repository.root.name}",
        file=topic.file if topic else sides.measured_by / "claims.toml",
        target=Target(cwd=sides.head.folder),
        scenario=Scenario(benchmarks=" ".join(paths), paths=tuple(paths)),
        variants=tuple(
            side.variant(side.folder, env) for side in (sides.base, sides.head)
        ),
    )


def _benchmarks_of(topic: Topic, sides: Sides) -> list[str]:
    """Return the files of a topic's benchmarks, relative to the project's folder."""
    files = sorted(topic.folder.glob(topic.scenario.benchmarks or ""))
    return [os.path.relpath(file, sides.measured_by) for file in files]


def _of_service(sides: Sides, topic: Topic, question: Question) -> Topic:
    """Return a topic of the ruler with the two sides as its variants.

    Raises:
        InputError: The topic has no command to start, or its server runs already.
    """
    chosen = _chosen(topic, question.variant)
    url = loader.url_of(topic.target, chosen)
    if url:
        raise InputError(
            f"{topic.file}: the server at {url} runs already, so Assay "
            "cannot start it at two commits; type: assay compare --url URL --url URL, "
            "or give [target] a command"
        )
    # The file is read from one checkout; each side has its own copy of the same folder.
    relative = os.path.relpath(topic.target.cwd, sides.ruler)
    budgets = tuple(
        Budget(**{**budget.model_dump(), "variant": HEAD})
        for budget in topic.budgets
        if budget.variant in ("", chosen.name)
    )
    command = chosen.command or topic.target.command
    if not command:
        raise InputError(
            f"{topic.file}: nothing to start: expected a command in [target]"
        )
    return topic.model_copy(
        update={
            "target": topic.target.model_copy(update={"command": command}),
            "variants": tuple(
                side.variant(
                    _folder(side, relative, topic), {**topic.target.env, **chosen.env}
                )
                for side in (sides.base, sides.head)
            ),
            "claims": (),
            "budgets": budgets,
            "deciding": question.only,
            "scenario": _by_request(topic, question),
        }
    )


def _by_request(topic: Topic, question: Question) -> Scenario:
    """Return the topic's load, whose requests are judged one by one, too.

    If the user names the metrics that decide, nothing else does.
    """
    each = not question.only
    return topic.scenario.model_copy(update={"each_request": each})


def _chosen(topic: Topic, name: str) -> Variant:
    """Return the variant that both sides run.

    Raises:
        InputError: The topic has no such variant.
    """
    if not topic.variants:
        return Variant(name="")
    if not name:
        return topic.variants[0]
    try:
        return topic.variant(name)
    except KeyError:
        names = ", ".join(variant.name for variant in topic.variants)
        raise InputError(
            f"--variant: {topic.file} has no variant {name!r}; it has: {names}"
        ) from None


def _folder(side: Side, relative: str, topic: Topic) -> Path:
    """Return the working directory of the target on one side.

    Raises:
        InputError: The folder is missing, or outside the repository.
    """
    folder = (side.checkout / relative).resolve()
    if not folder.is_relative_to(side.checkout.resolve()):
        raise InputError(
            f"{topic.file}: [target] cwd lies outside the repository, so it is the "
            "same for both commits; expected a folder in it"
        )
    if not folder.is_dir():
        # A commit without the topic may lack this folder, too. So an empty one is made.
        if not topic.file.is_relative_to(side.checkout):
            folder.mkdir(parents=True)
        else:
            raise InputError(f"{topic.file}: [target] cwd: no folder {relative}")
    return folder


def of_urls(
    urls: Sequence[str],
    question: Question,
    settings: Mapping[str, Any],
    command: str,
    here: Path,
    note: Callable[[str], None],
) -> Plan:
    """Return the plan that compares two servers that run already.

    Args:
        urls: The URLs of BASE and HEAD.
        question: What the user asks.
        settings: Settings from the command line.
        command: The command line, for the report.
        here: The user's working directory, whose topics are used.
        note: Called with a message about what is not measured.

    Raises:
        InputError: There is no topic with a locustfile, or a file has problems.
    """
    files = ruler.topics(here, "", question.topics)
    if not files or question.benchmarks:
        raise InputError(
            "--url: expected a topic with a locustfile: assay compare --url A --url B "
            "--topic FOLDER"
        )
    plan = loader.load_for_sides(files, settings, command, here)
    plan = _checked(plan, question, here, "")
    topics = [
        topic.model_copy(
            update={
                "variants": tuple(
                    Variant(name=name, url=url)
                    for name, url in zip((BASE, HEAD), urls, strict=True)
                ),
                "claims": (),
                "budgets": (),
                "deciding": question.only,
                "scenario": _by_request(topic, question),
            }
        )
        for topic in plan.topics
    ]
    note(
        "the servers run already: their CPU time is unknown, and no cause is looked for"
    )
    return plan.model_copy(update={"topics": tuple(topics)})
