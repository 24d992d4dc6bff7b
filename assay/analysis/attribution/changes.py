"""Find the causes that lie in code that changed between two commits.

A line gets another number if a commit adds lines above it. So the places of BASE are
translated to lines of HEAD before the two sides are compared: an unchanged line is one
place, not two.
"""

import re
from collections.abc import Sequence

from assay.analysis.attribution.causes import FALSE_DISCOVERY_RATE
from assay.analysis.attribution.every_cause import every_cause
from assay.analysis.attribution.frontier import place_among
from assay.analysis.attribution.ledger import CPU
from assay.analysis.attribution.rounds import pair_of
from assay.commits import ChangedFile, ChangedLines, Subject
from assay.observations import Observation, Place, Round
from assay.plan import Topic
from assay.results import Cause
from assay.wording import quantity

_PLACE = re.compile(
    r"(?P<function>.*) \((?P<file>[^()]+):(?P<line>\d+)\)"
    r"|(?P<alone>[^()]+):(?P<at>\d+)",
    re.DOTALL,
)
# A smaller difference, as a share of a request's CPU time, is not a cause.
LEAST_SHARE = 0.01
NEAR = 2  # lines before and after a place that count as the place


def at_head(one: Round, subject: Subject) -> Round:
    """Return a round of BASE with its places translated to files and lines of HEAD."""
    observations = tuple(
        Observation(
            event=observed.event.model_copy(
                update={
                    "place": _moved(observed.event.place, subject),
                    "holder": _moved(observed.event.holder, subject),
                }
            ),
            amount=observed.amount,
        )
        for observed in one.observations
    )
    stacks = tuple(
        (tuple(_moved_frame(frame, subject) for frame in stack), seconds)
        for stack, seconds in one.stacks
    )
    return one.model_copy(update={"observations": observations, "stacks": stacks})


def explain(
    topic: Topic, names: tuple[str, str], rounds: Sequence[Round], subject: Subject
) -> list[Cause]:
    """Return the causes of a pair; those in changed code are marked and come first.

    If no cause lies in changed code, the CPU time of the changed functions is tested on
    its own. This test can find a smaller difference.

    Args:
        topic: The topic of the pair.
        names: Baseline and candidate.
        rounds: The rounds of profiling.
        subject: The two commits.
    """
    marked = mark(every_cause(topic, names, rounds), subject)
    if any(cause.changed for cause in marked):
        return marked
    pair = pair_of(rounds, topic.name, names)
    cpu = pair.compare(lambda one: one.cpu)

    def is_changed(function: str, file: str) -> bool:
        changed = subject.file_at_head(file)
        name = function.rpartition(".")[2]
        return changed is not None and name in {one.name for one in changed.functions}

    least = LEAST_SHARE * max(cpu.baseline, cpu.candidate)
    place = place_among(pair, is_changed, FALSE_DISCOVERY_RATE, least)
    if place is None:
        return marked
    seconds = place.seconds
    more = "more" if seconds.amount > 0 else "less"
    cause = Cause(
        topic=topic.name,
        baseline=names[0],
        candidate=names[1],
        metric="latency.mean",
        kind=CPU,
        where=place.own,
        amount=seconds.amount,
        low=seconds.low,
        high=seconds.high,
        share=None,
        sentence=(
            f"Each request spends {quantity(abs(seconds.amount), 's')} {more} CPU time "
            f"in `{place.own}`, which the commit changed."
        ),
    )
    return [*mark([cause], subject), *marked]


def mark(causes: Sequence[Cause], subject: Subject | None) -> list[Cause]:
    """Return some causes; those in changed code are marked and come first."""
    if subject is None:
        return list(causes)
    marked = []
    for cause in causes:
        changes = changes_at(cause.where, subject) or changes_at(cause.holder, subject)
        if changes:
            hunk = tuple(line for change in changes for line in change.lines)
            cause = cause.model_copy(update={"changed": True, "hunk": hunk})
        marked.append(cause)
    return sorted(marked, key=lambda cause: not cause.changed)


def changes_at(where: str, subject: Subject) -> list[ChangedLines]:
    """Return the changed lines of the function at a place such as ``f (app.py:31)``."""
    match = _PLACE.fullmatch(where)
    if match is None:
        return []
    function = match["function"] or ""
    line = int(match["line"] or match["at"])
    file = subject.file_at_head(match["file"] or match["alone"])
    if file is None:
        return []
    first, last = _extent(file, function, line)
    return [change for change in file.changes if _touches(change, first, last)]


def _extent(file: ChangedFile, function: str, line: int) -> tuple[int, int]:
    """Return a function's first and last line; if unknown, lines around the place."""
    name = function.rpartition(".")[2]
    named = [one for one in file.functions if one.name == name]
    inside = [one for one in named if one.first <= line <= one.last]
    for one in inside or named:
        return one.first, one.last
    return line - NEAR, line + NEAR


def _touches(change: ChangedLines, first: int, last: int) -> bool:
    if change.head_length:
        end = change.head_start + change.head_length - 1
        return change.head_start <= last and end >= first
    return first <= change.head_start <= last


def _moved(place: Place | None, subject: Subject) -> Place | None:
    if place is None:
        return None
    file = subject.file_at_base(place.file)
    if file is None:
        return place
    return place.model_copy(
        update={
            "file": _renamed(place.file, file),
            "line": file.head_line(place.line),
        }
    )


def _moved_frame(frame: str, subject: Subject) -> str:
    match = _PLACE.fullmatch(frame)
    if match is None:
        return frame
    relative = match["file"] or match["alone"]
    file = subject.file_at_base(relative)
    if file is None:
        return frame
    line = file.head_line(int(match["line"] or match["at"]))
    there = f"{_renamed(relative, file)}:{line}"
    return f"{match['function']} ({there})" if match["file"] else there


def _renamed(relative: str, file: ChangedFile) -> str:
    """Return a file's path at HEAD, relative to the folder of the path `relative`."""
    if file.path == file.base_path:
        return relative
    above = file.base_path.removesuffix(relative)
    return file.path.removeprefix(above)
