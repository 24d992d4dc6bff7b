"""Measure slower topics and tests a second time, independently of the first."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.analysis import gates, opinions
from assay.errors import MeasureError
from assay.experiment.context import CheckFiles
from assay.experiment.progress import Progress
from assay.experiment.run import SECOND_OPINION
from assay.experiment.run import measure as run_plan
from assay.gating import Gating
from assay.plan import Plan, Topic
from assay.results import Results
from assay.run_directory.run import RunDirectory
from assay.system import environment

# A topic gets at least this many seconds, whatever is left of the budget.
LEAST_SECONDS = 15.0


@dataclass(frozen=True)
class Time:
    """The time for a second opinion.

    Attributes:
        spent: Seconds that the first measurement took.
        left: The rest of the time budget, in seconds.
    """

    spent: float
    left: float


def plan_again(plan: Plan, results: Results, time: Time | None) -> Plan | None:
    """Return the plan that measures again what is slower; None if nothing is slower.

    Every further look costs evidence. So if the time is hardly enough for the first
    look, the data are judged only once, when the time is spent.

    Args:
        plan: The plan of the first measurement, with the tests of its suites.
        results: The results of the first measurement.
        time: The time for it; None for the same time again.
    """
    slower = {pair.topic for pair in results.pairs if pair.verdict == opinions.SLOWER}
    topics = [
        _only(
            topic,
            [
                item.test
                for item in results.comparisons
                if item.test
                and item.topic == topic.name
                and item.verdict == opinions.SLOWER
            ],
        )
        for topic in plan.topics
        if topic.name in slower
    ]
    if not topics:
        return None
    update: dict[str, object] = {"seed": plan.settings.seed + 1, "profile": False}
    if time is not None:
        update["time_budget"] = max(LEAST_SECONDS, time.left / len(topics))
        launches = max((item.launches for item in results.comparisons), default=1)
        if time.left * max(launches, 1) < time.spent * plan.settings.looks[0]:
            update["looks"] = plan.settings.looks[-1:]
    settings = plan.settings.model_copy(update=update)
    # The gate judges only once, by the results of both measurements together.
    return plan.model_copy(
        update={"topics": tuple(topics), "settings": settings, "gating": Gating()}
    )


def measure(
    plan: Plan,
    run: RunDirectory,
    results: Results,
    progress: Progress,
    check_files: CheckFiles,
    time: Time | None,
) -> Results:
    """Measure slower topics and tests again; return the results of both measurements.

    Args:
        plan: The plan of the first measurement.
        run: The run directory of the first measurement. The run directory of the second
            measurement is made inside it.
        results: The results of the first measurement.
        progress: Shows the progress of the run.
        check_files: See `run.measure`.
        time: The time for it; None for the same time again.

    Raises:
        MeasureError: Something could not be measured.
    """
    again = plan_again(run.plan(), results, time)
    if again is None:
        return results
    # In the plan of the run directory, secrets are replaced. So only the choice of
    # topics and tests is taken from it.
    topics = {topic.name: topic for topic in plan.topics}
    again = again.model_copy(
        update={
            "topics": tuple(
                _only(
                    topics[topic.name],
                    (*topic.scenario.tests, *topic.scenario.requests),
                )
                for topic in again.topics
            )
        }
    )
    names = ", ".join(topic.name for topic in again.topics)
    progress.note(f"measuring again what is slower: {names}")
    directory = RunDirectory.create(
        run.path / SECOND_OPINION,
        again,
        environment.describe(again),
    )
    try:
        second = run_plan(again, directory, progress, check_files)
    except MeasureError as error:
        raise MeasureError(f"the second opinion failed: {error}") from error
    confirmed = gates.decide(
        plan, opinions.confirm(results, second, plan.settings.margin)
    )
    run.write_results(confirmed)
    return confirmed


def _only(topic: Topic, slower: Sequence[str]) -> Topic:
    """Return a topic with only some of its tests, or of the requests that are judged.

    A service gets the same load as before.
    """
    update: dict[str, object] = {
        "new_tests": (),
        "removed_tests": (),
        "broken_tests": {},
    }
    if topic.scenario.each_request:
        # Without a slower request, it is the whole load that is measured again.
        update |= {"requests": tuple(slower), "each_request": bool(slower)}
    else:
        update["tests"] = tuple(slower)
    scenario = topic.scenario.model_copy(update=update)
    return topic.model_copy(update={"scenario": scenario, "time_budget": None})
