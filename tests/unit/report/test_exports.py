"""Exports: every format has the same seconds, and the tools themselves can read it."""

import io
import json
import marshal
import pstats
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.report import exports
from assay.results import Stacks

FRAMES = st.sampled_from(
    ["load (app/a.py)", "read; all (app/b.py)", "run (uvicorn/main.py)", "C code"]
)
STACKS = st.lists(
    st.tuples(st.lists(FRAMES, min_size=1, max_size=5).map(tuple), st.floats(1e-6, 1)),
    min_size=1,
    max_size=8,
)


def profile(stacks: Sequence[tuple[tuple[str, ...], float]]) -> Stacks:
    return Stacks(
        topic="t",
        variant="a",
        preset="cpu",
        unit="s",
        requests=100,
        samples=500,
        total=sum(seconds for _, seconds in stacks),
        stacks=tuple(stacks),
    )


@given(STACKS)
def test_collapsed_stacks_hold_all_seconds(
    stacks: list[tuple[tuple[str, ...], float]],
) -> None:
    lines = exports.collapsed(profile(stacks)).splitlines()
    assert len(lines) == len(stacks)
    for line, (stack, seconds) in zip(lines, stacks, strict=True):
        text, _, value = line.rpartition(" ")
        assert text.count(";") == len(stack) - 1
        assert int(value) == pytest.approx(seconds * 1e9, abs=1)


@given(STACKS)
def test_speedscope_holds_all_seconds(
    stacks: list[tuple[tuple[str, ...], float]],
) -> None:
    content = json.loads(exports.speedscope(profile(stacks)))
    (one,) = content["profiles"]
    assert sum(one["weights"]) == pytest.approx(one["endValue"])
    for sample, (stack, _) in zip(one["samples"], stacks, strict=True):
        names = [content["shared"]["frames"][number]["name"] for number in sample]
        assert [frame.partition(" (")[0] for frame in stack] == names


@given(STACKS)
def test_pstats_adds_up(stacks: list[tuple[tuple[str, ...], float]]) -> None:
    table = exports.pstats(profile(stacks))
    total = sum(seconds for _, seconds in stacks)
    assert sum(own for _, _, own, _, _ in table.values()) == pytest.approx(total)
    assert all(
        own <= whole + 1e-9 and whole <= total + 1e-9
        for _, _, own, whole, _ in table.values()
    )


def test_pstats_reads_the_file(tmp_path: Path) -> None:
    stacks = [(("run (uvicorn/main.py)", "load (app/a.py)"), 0.25)]
    file = tmp_path / "a.pstats"
    file.write_bytes(marshal.dumps(exports.pstats(profile(stacks))))
    printed = io.StringIO()
    pstats.Stats(str(file), stream=printed).sort_stats("tottime").print_stats()
    assert "app/a.py:0(load)" in printed.getvalue()
    assert "0.250" in printed.getvalue()
