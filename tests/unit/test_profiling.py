"""Profiles of what Assay did not start."""

import random
from pathlib import Path
from typing import Any

import pytest

from assay import profiling
from assay.errors import MeasureError
from assay.plan import Variant
from assay.target import RunningTarget


def test_a_server_that_ran_already_is_no_process_to_profile(tmp_path: Path) -> None:
    running = RunningTarget(Variant(name="old"), "http://shop", None, None)
    generator: Any = None  # it is not asked for anything
    with pytest.raises(MeasureError, match="'old' cannot be profiled: http://shop ran"):
        profiling.take(
            "t", running, generator, [], 10.0, tmp_path, (), random.Random(1)
        )
