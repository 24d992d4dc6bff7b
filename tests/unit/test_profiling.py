"""Which profiles are taken, and of what."""

import random
from pathlib import Path
from typing import Any

import pytest

from assay import profiling
from assay.errors import MeasureError
from assay.plan import Preset, Variant
from assay.profilers.pyspy import OUTSIDE
from assay.results import Profile, Stacks
from assay.target import RunningTarget


def test_a_server_that_ran_already_is_no_process_to_profile(tmp_path: Path) -> None:
    running = RunningTarget(Variant(name="old"), "http://shop", None, None)
    generator: Any = None  # it is not asked for anything
    with pytest.raises(MeasureError, match="'old' cannot be profiled: http://shop ran"):
        profiling.take(
            "t", running, generator, [], 10.0, tmp_path, (), random.Random(1)
        )


def preset(name: str, gil: bool = True) -> Preset:
    return Preset(
        name=name, title=name, profiler="py-spy", seconds=2, settings={"gil": gil}
    )


def seen(variant: str, preset: str, outside: float) -> Profile:
    return Stacks(
        topic="t",
        variant=variant,
        preset=preset,
        unit="s",
        requests=9,
        samples=200,
        total=1.0,
        stacks=((("f (a.py)",), 1 - outside), ((OUTSIDE,), outside)),
    )


def test_both_sides_are_looked_at_again_where_one_is_mostly_unseen() -> None:
    wanted = {"a": [preset("cpu")], "b": [preset("cpu")], "c": [preset("other")]}
    profiles = [seen("a", "cpu", 0.1), seen("b", "cpu", 0.9), seen("c", "other", 0.2)]
    again = profiling.closer(wanted, profiles)
    assert {variant: [p.name for p in own] for variant, own in again.items()} == {
        "a": ["cpu-all-threads"],
        "b": ["cpu-all-threads"],
    }
    assert profiling.closer(again, [seen("a", "cpu-all-threads", 0.9)]) == {}


def test_a_preset_of_that_name_is_not_taken_twice() -> None:
    wanted = {"a": [preset("cpu"), preset("cpu-all-threads", gil=False)]}
    assert profiling.closer(wanted, [seen("a", "cpu", 0.9)]) == {}
