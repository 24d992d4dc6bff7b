"""What an earlier run of the same topics says of how long this one will take."""

from collections.abc import Iterator
from pathlib import Path

from assay.system import environment
from assay.analysis.comparisons import deciding
from assay.run_directory.directory import NotARunError
from assay.plan import Plan, Topic
from assay.wording import forecast
from assay.run_directory.run import RunDirectory
from assay.analysis.measurements import Measurements

# Runs further back than this were of other code, on another day.
RUNS = 20


def from_earlier(plan: Plan, folder: Path) -> list[str]:
    """Return sentences about the topics of a plan that were measured before.

    Launches differ by what the machine and the service make of them, which
    changes little from one run to the next: the spread of an earlier one tells
    what the next will need.

    Args:
        plan: What is about to be measured.
        folder: Where runs lie side by side.
    """
    # What a run keeps of its plan has no secrets, so neither may what it is held to.
    shown = environment.redacted(plan)
    found: dict[str, str] = {}
    for run, before in _runs(folder):
        if before.settings.margin != plan.settings.margin:
            continue
        for topic in shown.topics:
            if topic.name not in found and _asks_the_same(topic, before):
                said = _said(topic, plan, run)
                if said:
                    found[topic.name] = f"{topic.name}: by the run {run.name}, {said}"
    return list(found.values())


def _runs(folder: Path) -> Iterator[tuple[RunDirectory, Plan]]:
    """Yield the latest runs that can be read, the last one first."""
    paths = sorted(folder.glob("*/results.json"), key=_age, reverse=True)
    for path in paths[:RUNS]:
        run = RunDirectory(path.parent)
        try:
            yield run, run.plan()
        except NotARunError:
            continue


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # it was removed just now
        return 0.0


def _asks_the_same(topic: Topic, before: Plan) -> bool:
    """Say whether a plan has the topic with the same load and the same variants."""
    return any(
        (other.name, other.file, other.scenario, other.variants)
        == (topic.name, topic.file, topic.scenario, topic.variants)
        for other in before.topics
    )


def _said(topic: Topic, plan: Plan, run: RunDirectory) -> str:
    try:
        results = run.results()
        measured = Measurements(run.slices(), run.launches())
    except NotARunError:
        return ""
    longest: dict[str, float] = {}
    for item in results.comparisons:
        pair = item.baseline, item.candidate
        if item.topic != topic.name or item.seconds_to_see is None:
            continue
        if item.metric in deciding(topic, pair, measured):
            before = longest.get(item.metric, 0.0)
            longest[item.metric] = max(before, item.seconds_to_see)
    margin = plan.settings.margin
    return "; ".join(forecast(m, margin, seconds) for m, seconds in longest.items())
