"""A threshold that no test matches, once the tests are known."""

import pytest

from assay.errors import InputError
from assay.experiment.suite import check_thresholds
from assay.gating import Threshold
from tests.unit.analysis.test_gates import READ, plan_of


def test_a_pattern_that_matches_no_test_names_its_line_and_the_nearest() -> None:
    wrong = Threshold(
        test="tests/test_io.py::test_raed[3]", at_most=0.1, where="pyproject.toml:7"
    )
    with pytest.raises(InputError) as error:
        check_thresholds(plan_of(wrong))
    assert str(error.value) == (
        "pyproject.toml:7: tool.assay.gates: no test of topic '*' matches "
        f"'tests/test_io.py::test_raed[3]'; the nearest test is {READ!r}"
    )


def test_patterns_that_match_are_fine() -> None:
    fine = Threshold(test="tests/test_io.py::*", at_most=0.1)
    check_thresholds(plan_of(fine, Threshold(at_most=0.2)))
