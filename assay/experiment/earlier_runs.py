"""Earlier runs of the same topics, from which the duration of a new run is forecast."""

from collections.abc import Iterator
from pathlib import Path

from assay.analysis import forecasts
from assay.analysis.measurements import Measurements
from assay.plan import Plan, Topic
from assay.run_directory.directory import NotARunError, without_secrets
from assay.run_directory.run import RunDirectory
from assay.system import environment

# Only the newest runs are read; older ones say little about today's code and machine.
MAX_RUNS = 20


def duration_forecasts(plan: Plan, folder: Path) -> list[str]:
    """Return a sentence about the duration of each topic that was measured before.

    Args:
        plan: The plan that is about to be measured.
        folder: The folder that holds the run directories.
    """
    # A run directory keeps its plan without secrets. So the new plan loses its secrets,
    # too, before both plans are compared.
    environment.learn_secrets(plan)
    redacted = without_secrets(environment.redacted(plan))
    sentences: dict[str, str] = {}
    for run, earlier_plan in _latest(folder):
        for topic in forecasts.comparable(redacted, earlier_plan):
            if topic.name not in sentences:
                text = _forecast(topic, plan.settings.margin, run)
                if text:
                    sentences[topic.name] = (
                        f"{topic.name}: judging by run {run.name}, {text}"
                    )
    return list(sentences.values())


def _latest(folder: Path) -> Iterator[tuple[RunDirectory, Plan]]:
    """Yield the latest `MAX_RUNS` runs, newest first; skip unreadable plans."""
    paths = sorted(folder.glob("*/results.json"), key=_modified, reverse=True)
    for path in paths[:MAX_RUNS]:
        run = RunDirectory(path.parent)
        try:
            yield run, run.plan()
        except NotARunError:
            continue


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # the file was removed just now
        return 0.0


def _forecast(topic: Topic, margin: float, run: RunDirectory) -> str:
    try:
        results = run.results()
        measured = Measurements(run.slices(), run.launches())
    except NotARunError:
        return ""
    return forecasts.forecast(topic, margin, results, measured)
