"""Which profiles are taken, and of which targets."""

import math
import random
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from assay.errors import MeasureError
from assay.experiment import profiling
from assay.experiment.target import RunningTarget
from assay.plan import Preset, Variant
from assay.profilers.pyspy import OUTSIDE, PySpyCapture
from assay.results import Profile, Stacks
from tests.unit.synthetic import taken


def conditions(generator: Any, rate: float) -> profiling.Conditions:
    return profiling.Conditions("t", generator, rate, (), random.Random(1))


def test_a_server_that_ran_already_is_no_process_to_profile(tmp_path: Path) -> None:
    running = RunningTarget(Variant(name="old"), "http://shop", None, None)
    with pytest.raises(MeasureError, match="'old' cannot be profiled: .*http://shop"):
        profiling.take(running, [], tmp_path, conditions(None, 10.0))


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
    again = profiling.follow_ups(wanted, profiles)
    assert {variant: [p.name for p in own] for variant, own in again.items()} == {
        "a": ["cpu-all-threads"],
        "b": ["cpu-all-threads"],
    }
    assert profiling.follow_ups(again, [seen("a", "cpu-all-threads", 0.9)]) == {}


def test_a_preset_of_that_name_is_not_taken_twice() -> None:
    wanted = {"a": [preset("cpu"), preset("cpu-all-threads", gil=False)]}
    assert profiling.follow_ups(wanted, [seen("a", "cpu", 0.9)]) == {}


@pytest.mark.parametrize(("cpu", "stretches"), [(1.0, 2), (0.2, 7), (0.05, 8)])
def test_what_uses_little_cpu_time_is_watched_for_longer(
    cpu: float, stretches: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stretches of 2 s at 200 samples/s, until 1.25 s of CPU time, but at most 8."""
    lengths: list[float] = []

    def load(name: str, rate: float, length: float, seed: int) -> Any:
        lengths.append(length)
        return SimpleNamespace(requests=10, request_columns={"end": np.ones(10)})

    spent = count(0)
    monkeypatch.setattr(profiling, "_cpu_seconds", lambda pid: cpu * next(spent))
    running: Any = SimpleNamespace(
        child=SimpleNamespace(pid=1),
        variant=Variant(name="a"),
        check_alive=lambda: None,
    )
    generator: Any = SimpleNamespace(open=load)
    child: Any = None
    capture = PySpyCapture(child, tmp_path, preset("cpu"))
    observed = profiling._under_load(
        running, conditions(generator, 50.0), 2.0, [capture]
    )
    assert lengths == [profiling.STRETCH_SECONDS] * stretches
    assert observed.requests == 10 * stretches
    assert observed.cpu_seconds == pytest.approx(cpu * stretches)


def test_a_target_that_hangs_is_not_profiled_for_minutes(tmp_path: Path) -> None:
    lengths: list[float] = []

    def load(name: str, rate: float, length: float, seed: int) -> Any:
        lengths.append(length)
        ends = [0.1, math.nan] if len(lengths) == 1 else [math.nan] * 2
        return taken("open", ends=ends)

    running: Any = SimpleNamespace(
        child=SimpleNamespace(pid=2**22 + 1),
        variant=Variant(name="a"),
        check_alive=lambda: None,
    )
    generator: Any = SimpleNamespace(open=load)
    with pytest.raises(MeasureError, match="'a' did not answer 2 of 2 requests"):
        profiling._under_load(running, conditions(generator, 50.0), 60.0, [])
    assert len(lengths) == 2
