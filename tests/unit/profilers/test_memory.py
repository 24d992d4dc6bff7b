"""Reading memory-profiler's output."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.plan import Preset
from assay.profilers import PROFILERS
from assay.profilers.memory import parse


def test_seconds_begin_at_zero_and_values_are_bytes() -> None:
    lines = ["MEM 10.500000 1700000000.2500", "MEM 11.000000 1700000000.3001", ""]
    assert parse(lines) == ((0, 0.0501), (10.5 * 2**20, 11 * 2**20))


@pytest.mark.parametrize(
    "line",
    [
        "MEM 12.000000 1700000000.35",  # cut off by the stop
        "MEM 12.0",
        "MEM twelve 1700000000.3500",
        "MEM nan 1700000000.3500",
        "CHLD 12 3.000000 1700000000.3500",
        "CMDLINE python",
    ],
)
def test_other_lines_are_left_out(line: str) -> None:
    good = "MEM 10.000000 1700000000.2500"
    assert parse([good, line]) == parse([good])


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 2e9)), max_size=30),
    st.lists(st.text(), max_size=3),
)
def test_time_only_goes_forward(
    points: list[tuple[float, float]], rubbish: list[str]
) -> None:
    lines = [f"MEM {amount:.6f} {stamp:.4f}" for amount, stamp in points] + rubbish
    seconds, values = parse(lines)
    assert len(seconds) == len(values)
    assert bool(points) <= bool(seconds)
    assert all(a < b for a, b in zip(seconds, seconds[1:], strict=False))
    assert all(value >= 0 for value in values)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"intervall": 0.05}, "settings.intervall: .*'interval'"),
        ({"interval": "0.05"}, "settings.interval: expected a number"),
        ({"interval": 0}, "settings.interval: expected 0.01 to 10, not 0"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, int | str], says: str) -> None:
    preset = Preset(
        name="memory",
        title="Memory",
        profiler="memory-profiler",
        seconds=8,
        settings=settings,
    )
    with pytest.raises(InputError, match=f"profiles/memory.toml: {says}"):
        PROFILERS["memory-profiler"].check(preset)


def test_a_whole_number_is_a_fine_interval() -> None:
    whole = Preset(
        name="memory",
        title="Memory",
        profiler="memory-profiler",
        seconds=8,
        settings={"interval": 1},
    )
    PROFILERS["memory-profiler"].check(whole)
