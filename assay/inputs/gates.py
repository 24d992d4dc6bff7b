"""Reads thresholds from `[[tool.assay.gates]]`, and waivers from perf/waivers.toml."""

import os
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from pathlib import Path

from assay.errors import InputError
from assay.gating import SUITE, Gating, Threshold, Waiver, matches
from assay.inputs.schema import GateTable, WaiversFile
from assay.inputs.toml_file import Problems, nearest
from assay.metrics import METRICS
from assay.wording import one_line

WAIVERS_FILE = Path("perf") / "waivers.toml"
# A folder with one of these is a project or a repository.
_MARKS = ("pyproject.toml", str(WAIVERS_FILE), ".git")


def read_thresholds(gates: Sequence[GateTable], problems: Problems) -> list[Threshold]:
    """Return the thresholds of a pyproject.toml, and report their mistakes.

    An entry whose `at_most` cannot be understood is left out.

    Args:
        gates: The entries of `[[tool.assay.gates]]`.
        problems: The problems of the file, to which the mistakes are added.
    """
    thresholds: list[Threshold] = []
    lines: dict[tuple[str, str, str], int] = {}
    for index, gate in enumerate(gates):
        at = ("tool", "assay", "gates", index)
        line = problems.line_of(at)
        if not any(matches(gate.metric, name) for name in METRICS):
            hint = nearest(gate.metric, list(METRICS))
            problems.add((*at, "metric"), f"no metric matches {gate.metric!r}{hint}")
        share = _share(gate.at_most)
        if share is None:
            problems.add(
                (*at, "at_most"),
                f"cannot understand {gate.at_most!r}; expected a percentage such as "
                "'10%'",
            )
            continue
        one = Threshold(
            topic=gate.topic,
            test=gate.test,
            metric=gate.metric,
            at_most=share,
            where=f"{problems.file.name}:{line}",
        )
        if one.patterns in lines:
            problems.add(at, f"the same patterns as in line {lines[one.patterns]}")
        lines.setdefault(one.patterns, line)
        thresholds.append(one)
    return thresholds


def waivers_file(here: Path) -> Path:
    """Return the path of the project's file of waivers; the file need not exist.

    The project's folder is the first one, from the working directory upwards, that has
    a pyproject.toml, a file of waivers or a `.git`. If there is none, the working
    directory counts as the project's folder.
    """
    for folder in (here, *here.parents):
        if any(os.path.exists(folder / mark) for mark in _MARKS):
            return folder / WAIVERS_FILE
    return here / WAIVERS_FILE


def read_waivers(here: Path, messages: list[str]) -> list[Waiver]:
    """Return the waivers of a project; an empty list if it has no file of waivers.

    Args:
        here: The working directory.
        messages: The list to which the mistakes in the file are added.
    """
    file = waivers_file(here)
    if not os.path.isfile(file):
        return []
    problems = Problems(file)
    table = problems.validate(WaiversFile)
    waivers: list[Waiver] = []
    lines: dict[tuple[str, str, str], int] = {}
    for index, one in enumerate(table.waivers if table else ()):
        at = ("waivers", index)
        if not (one.test or one.topic):
            problems.add(at, "expected a test or a topic")
        if one.metric and one.metric not in METRICS:
            hint = nearest(one.metric, list(METRICS))
            problems.add((*at, "metric"), f"no metric {one.metric!r}{hint}")
        key = one.topic, one.test, one.metric
        line = problems.line_of(at)
        if key in lines:
            problems.add(at, f"the same is waived in line {lines[key]}")
        lines.setdefault(key, line)
        waivers.append(
            Waiver(
                **{**one.model_dump(), "reason": one_line(one.reason)},
                where=f"{WAIVERS_FILE}:{line}",
            )
        )
    messages.extend(problems.messages)
    return waivers


def gating_of(
    thresholds: Iterable[Threshold], here: Path, messages: list[str]
) -> Gating:
    """Return the thresholds and waivers of a project, with today's date.

    Args:
        thresholds: The thresholds.
        here: The working directory; see `waivers_file`.
        messages: The list to which the mistakes in the file of waivers are added.
    """
    waivers = read_waivers(here, messages)
    return Gating(
        thresholds=tuple(thresholds), waivers=tuple(waivers), day=date.today()
    )


def check_topics(gating: Gating, names: Collection[str]) -> None:
    """Check that the topic pattern of every threshold matches a topic.

    Args:
        gating: The thresholds and waivers of the project.
        names: The names of all topics of the project, measured or not.

    Raises:
        InputError: A pattern matches no topic.
    """
    topics = list(dict.fromkeys([*names, SUITE]))
    wrong = [
        f"{one.where}: tool.assay.gates: no topic matches {one.topic!r}"
        f"{nearest(one.topic, topics)}"
        for one in gating.thresholds
        if not any(matches(one.topic, name) for name in topics)
    ]
    if wrong:
        raise InputError("\n".join(wrong))


def _share(text: str) -> float | None:
    match = re.fullmatch(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*%\s*", text, re.ASCII)
    return float(match[1]) / 100 if match else None
