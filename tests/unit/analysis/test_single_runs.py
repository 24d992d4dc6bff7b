"""What a comparison of two single runs can show."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.analysis import single_runs
from assay.single_runs import SingleRun

DAY = datetime(2026, 1, 5, tzinfo=UTC)
MACHINE = {"CPU": "A CPU", "host": "here"}
SHA = "c0ffee" * 6


def run(file: str = "a.json", **more: object) -> SingleRun:
    fields = {
        "file": file,
        "medians": {"t.py::test_a": 1e-3},
        "machine": MACHINE,
        "python": "CPython 3.12.1",
        "date": DAY,
        **more,
    }
    return SingleRun.model_validate(fields)


def times(*ratios: float) -> dict[str, float]:
    return {f"tests/t.py::test_{n}": 1e-3 * one for n, one in enumerate(ratios)}


def earlier(sd: float, count: int, step_at: int = 0) -> list[SingleRun]:
    """Return earlier runs of one test; from `step_at` on it is twice as slow."""
    logs = np.random.default_rng(1).normal(math.log(1e-3), sd, count)
    if step_at:
        logs[step_at:] += math.log(2)
    return [
        run(
            f"{n}", medians={"t.py::test_a": math.exp(log)}, date=DAY - timedelta(n + 1)
        )
        for n, log in enumerate(logs)
    ]


def test_what_lies_beyond_the_noise_is_worth_measuring_and_never_more() -> None:
    base = run(medians=times(1, 1, 1, 1))
    head = run("b.json", medians=times(1.14, 1.16, 1 / 1.17, 2), date=DAY)
    found = single_runs.compare(base, head)
    assert [(one.test[-1], one.beyond) for one in found.tests] == [
        ("3", True),
        ("2", True),
        ("1", True),
        ("0", False),
    ]
    assert {one.noise for one in found.tests} == {0.15}
    assert found.undecided
    assert not hasattr(found, "verdict")


def test_nothing_beyond_the_noise_is_not_undecided() -> None:
    found = single_runs.compare(run(), run("b.json"))
    assert not found.undecided
    assert not found.differences and not found.notes


@pytest.mark.parametrize(
    ("base", "head"),
    [
        ({"medians": {"a": 1.0, "b": 1.0}}, {"medians": {"a": 1.0}}),
        ({"medians": {"a": 1.0}}, {"medians": {"a": 1.0}, "unusable": {"b": "nan"}}),
    ],
)
def test_a_test_that_is_missing_is_no_good_news(
    base: dict[str, Any], head: dict[str, Any]
) -> None:
    assert single_runs.compare(run("a.json", **base), run("b.json", **head)).undecided


def test_tests_of_one_file_alone_are_listed() -> None:
    base = run(medians={"a": 1.0, "b": 1.0, "c": 1.0})
    head = run("b.json", medians={"a": 1.0, "d": 1.0}, unusable={"b": "no time"})
    found = single_runs.compare(base, head)
    assert [one.test for one in found.tests] == ["a"]
    assert (found.only_base, found.only_head) == (("c",), ("d",))
    assert found.left_out == {"b": "no time"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"python": "CPython 3.13.0"}, "Python: CPython 3.12.1 and CPython 3.13.0"),
        ({"machine": {"CPU": "B", "host": "here"}}, "CPU: A CPU and B"),
        ({"machine": {}}, "CPU: A CPU and unknown"),
    ],
)
def test_other_machines_and_pythons_leave_everything_undecided(
    more: dict[str, object], said: str
) -> None:
    found = single_runs.compare(run(), run("b.json", **more))
    assert said in found.differences
    assert found.undecided
    assert not any(one.beyond for one in found.tests)


@pytest.mark.parametrize("step_at", [0, 10])
def test_earlier_runs_show_the_noise(step_at: int) -> None:
    """A change of level among the earlier runs does not count as noise."""
    runs = earlier(0.01, 20, step_at)
    (one,) = single_runs.compare(run(), run("b.json"), runs).tests
    assert one.runs == 20
    assert 0.02 <= one.noise < 0.08
    slower = run("b.json", medians={"t.py::test_a": 1.1e-3})
    assert single_runs.compare(run(), slower, runs).undecided
    assert not single_runs.compare(run(), slower).undecided


def test_runs_that_are_not_alike_show_no_noise() -> None:
    runs = earlier(0.01, 20)
    other = [one.model_copy(update={"python": "PyPy"}) for one in runs[:11]]
    found = single_runs.compare(run(), run("b.json"), [*other, *runs[11:]])
    assert found.tests[0].noise == 0.15 and found.tests[0].runs == 0
    assert "9 of 20 earlier runs are of this machine" in found.notes[0]
    exported = [one.model_copy(update={"launches": 15}) for one in runs]
    assert single_runs.compare(run(), run("b.json"), exported).tests[0].runs == 0
    # The two files themselves may lie in the folder.
    itself = [run(str(n)) for n in range(12)]
    assert single_runs.compare(run(), run("b.json"), itself).tests[0].runs == 0


def test_a_coarse_timer_does_not_make_everything_stand_out() -> None:
    alike = [run(str(n), date=DAY - timedelta(n + 1)) for n in range(12)]
    head = run("b.json", medians={"t.py::test_a": 1.01e-3})
    (one,) = single_runs.compare(run(), head, alike).tests
    assert (one.noise, one.beyond) == (0.02, False)


@pytest.mark.parametrize(
    ("base", "head", "command"),
    [
        ({}, {}, "assay compare BASE HEAD --benchmarks t.py"),
        (
            {"commit": SHA},
            {"commit": "1" * 40},
            "assay compare c0ffeec0ff 1111111111 --benchmarks t.py",
        ),
        (
            {"commit": SHA},
            {"commit": SHA, "dirty": True},
            "assay compare c0ffeec0ff --benchmarks t.py",
        ),
        (
            {"commit": SHA, "dirty": True},
            {"commit": "1" * 40},
            "assay compare BASE HEAD --benchmarks t.py",
        ),
    ],
)
def test_the_command_that_decides(
    base: dict[str, object], head: dict[str, object], command: str
) -> None:
    found = single_runs.compare(run("a.json", **base), run("b.json", **head))
    assert found.command == command


@pytest.mark.parametrize(
    ("tests", "options"),
    [
        (["a b/t.py::x"], "--benchmarks 'a b/t.py'"),
        ([f"tests/{n}/t.py::x" for n in range(4)], "--benchmarks tests"),
        ([f"{n}.py::x" for n in range(4)], "--benchmarks ."),
    ],
)
def test_the_command_names_what_is_to_be_measured(
    tests: list[str], options: str
) -> None:
    base = run(medians=dict.fromkeys(tests, 1.0))
    found = single_runs.compare(base, run("b.json", medians=base.medians))
    assert found.command == f"assay compare BASE HEAD {options}"


def test_the_same_commit_and_exports_are_said() -> None:
    found = single_runs.compare(run(commit=SHA), run("b.json", commit=SHA, launches=15))
    assert "Both files are of commit c0ffeec0ff" in found.notes[0]
    assert "b.json is the export of a run of Assay, with up to 15" in found.notes[1]


@given(
    st.dictionaries(st.text(), st.floats(1e-12, 1e9), min_size=1),
    st.dictionaries(st.text(), st.floats(1e-12, 1e9), min_size=1),
)
def test_every_test_is_accounted_for(
    before: dict[str, float], after: dict[str, float]
) -> None:
    found = single_runs.compare(run(medians=before), run("b.json", medians=after))
    compared = {one.test for one in found.tests}
    assert compared | set(found.only_base) == set(before)
    assert compared | set(found.only_head) == set(after)
    assert all(math.isfinite(one.ratio) and one.ratio > 0 for one in found.tests)
