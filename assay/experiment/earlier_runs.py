"""Runs of the same topics on disk: how long they took tells how long this one will."""

from collections.abc import Iterator
from pathlib import Path

from assay.analysis import forecasts
from assay.analysis.measurements import Measurements
from assay.plan import Plan, Topic
from assay.run_directory.directory import NotARunError
from assay.run_directory.run import RunDirectory
from assay.system import environment

RUNS = 20  # those further back are of other code, on another day


def expected(plan: Plan, folder: Path) -> list[str]:
    """Return sentences about the topics of a plan that were measured before.

    Args:
        plan: What is about to be measured.
        folder: Where runs lie side by side.
    """
    # What a run keeps of its plan has no secrets, so neither may what it is held to.
    shown = environment.redacted(plan)
    found: dict[str, str] = {}
    for run, before in _latest(folder):
        for topic in forecasts.comparable(shown, before):
            if topic.name not in found:
                text = _forecast(topic, plan.settings.margin, run)
                if text:
                    found[topic.name] = f"{topic.name}: by the run {run.name}, {text}"
    return list(found.values())


def _latest(folder: Path) -> Iterator[tuple[RunDirectory, Plan]]:
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


def _forecast(topic: Topic, margin: float, run: RunDirectory) -> str:
    try:
        results = run.results()
        measured = Measurements(run.slices(), run.launches())
    except NotARunError:
        return ""
    return forecasts.forecast(topic, margin, results, measured)
