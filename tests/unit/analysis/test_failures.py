"""When failures forbid a verdict: at which level, and counted how."""

from collections.abc import Mapping

import pandas as pd
import pytest

from assay.analysis import failures, measurements
from assay.plan import Settings

LOOKS = Settings().looks


def asked(mode: str, failed: Mapping[str, int], **more: object) -> str:
    """Return the reason for one slice of 1000 requests on each side; empty if none."""
    rows = [
        {
            "topic": "shop",
            "launch": 1,
            "variant": name,
            "mode": mode,
            "requests": 1000,
            "failed": failed[name],
            "dropped": 0,
            "disturbed": False,
            **more,
        }
        for name in "ab"
    ]
    launches = pd.DataFrame({"topic": ["shop"], "launch": [1], "variant": ["a"]})
    measured = measurements.Measurements(pd.DataFrame(rows), launches)
    return failures.difference(measured, "shop", ("a", "b"), LOOKS)


# Fisher's p is 0.0019 for 10 of 1000 against none, and 0.00095 for 11. The level 0.01
# is shared by five looks, which gives each 0.0029, and then by two loads: 0.0014.
@pytest.mark.parametrize("mode", ["closed", "open"])
def test_one_run_in_a_hundred_is_called_unequal_by_chance(mode: str) -> None:
    assert asked(mode, {"a": 0, "b": 10}) == ""
    assert "a 0.00%, b 1.10%" in asked(mode, {"a": 0, "b": 11})
    assert "a 1.10%, b 0.00%" in asked(mode, {"a": 11, "b": 0})


def test_failures_in_disturbed_slices_count_for_nobody() -> None:
    assert asked("closed", {"a": 0, "b": 500}, disturbed=True) == ""


def test_failures_of_launches_that_do_not_count_count_for_nobody() -> None:
    assert asked("closed", {"a": 0, "b": 500}, launch=2) == ""
