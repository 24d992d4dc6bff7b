"""The exit codes of `assay compare`."""

from pathlib import Path
from typing import Literal

import pytest

from assay.cli.compare import _exit_code
from assay.gating import Gating
from assay.results import Verdict
from tests.unit.report.synthetic_suite import build_suite


@pytest.mark.parametrize(
    ("found", "fail", "allowed"),
    [
        ({"same": 2, "faster": 1}, 0, 0),
        ({"slower": 1, "undecided": 1}, 1, 1),
        ({"same": 1, "undecided": 1}, 3, 0),
        # Nothing was measured: never green.
        ({}, 4, 4),
    ],
)
def test_exit_codes(
    tmp_path: Path, found: dict[Verdict, int], fail: int, allowed: int
) -> None:
    words: tuple[Literal["fail", "pass"], ...] = ("fail", "pass")
    for undecided, code in zip(words, (fail, allowed), strict=True):
        run = build_suite(tmp_path / undecided, found, Gating(undecided=undecided))
        assert _exit_code(run.plan(), run.results()) == code


def test_a_topic_without_a_launch_is_not_green(tmp_path: Path) -> None:
    run = build_suite(tmp_path / "run", {"same": 1}, Gating(undecided="pass"))
    plan, results = run.plan(), run.results()
    empty = tuple(
        item.model_copy(update={"launches": 0}) for item in results.comparisons
    )
    assert _exit_code(plan, results.model_copy(update={"comparisons": empty})) == 4
    other = plan.topics[0].model_copy(update={"name": "perf"})
    both = plan.model_copy(update={"topics": (*plan.topics, other)})
    assert _exit_code(both, results) == 4


def test_a_file_that_head_cannot_import_is_not_green(tmp_path: Path) -> None:
    run = build_suite(tmp_path / "run", {"same": 1})
    plan, results = run.plan(), run.results()
    assert _exit_code(plan, results) == 0
    (topic,) = plan.topics
    broken = {"broken_tests": {"tests/test_io.py": "No module named 'nowhere'"}}
    scenario = topic.scenario.model_copy(update=broken)
    topics = (topic.model_copy(update={"scenario": scenario}),)
    plan = plan.model_copy(update={"topics": topics})
    assert _exit_code(plan, results) == 3
    allowed = plan.model_copy(update={"gating": Gating(undecided="pass")})
    assert _exit_code(allowed, results) == 0
