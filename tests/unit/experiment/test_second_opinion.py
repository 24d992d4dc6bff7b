"""What is measured a second time, and how often the data are then judged."""

import pytest

from assay.experiment.second_opinion import LEAST_SECONDS, Time, plan_again
from assay.plan import Plan
from assay.results import Results
from tests.unit.analysis.test_suites import compared, results_of, topic_of


def again(results: Results, time: Time | None) -> Plan | None:
    return plan_again(Plan(topics=(topic_of("a", "b"),)), results, time)


def test_only_slower_tests_are_measured_again_with_another_seed() -> None:
    assert again(results_of(compared("same", 1.0)), None) is None
    plan = again(results_of(compared("slower", 1.1)), None)
    assert plan is not None
    assert plan.topics[0].scenario.tests == ("a",)
    assert plan.settings.seed == Plan(topics=()).settings.seed + 1
    assert plan.settings.looks == Plan(topics=()).settings.looks


@pytest.mark.parametrize(
    ("left", "looks"),
    [
        # The first measurement took 100 s for 15 launches.
        (120.0, Plan(topics=()).settings.looks),
        (45.0, (60,)),
        (1.0, (60,)),
    ],
)
def test_if_time_is_short_the_data_are_judged_once(
    left: float, looks: tuple[int, ...]
) -> None:
    plan = again(results_of(compared("slower", 1.1)), Time(spent=100.0, left=left))
    assert plan is not None
    assert plan.settings.looks == looks
    assert plan.settings.time_budget == max(LEAST_SECONDS, left)
