"""Mistakes in benchmarks that are found before anything runs."""

from pathlib import Path

import pytest

from assay.inputs.benchmark_nodes import check, nodes_of
from assay.plan import Scenario, Target, Topic, Variant

BENCH = """
import json


def test_dumps(benchmark):
    benchmark(json.dumps, [1])


class TestLoads:
    def test_short(self, benchmark):
        benchmark(json.loads, "[1]")


class TestMore(TestLoads):
    pass
"""


def topic(folder: Path, *variants: Variant, benchmarks: str | None = None) -> Topic:
    (folder / "bench_json.py").write_text(BENCH, encoding="utf-8")
    return Topic(
        name="json",
        title="JSON",
        file=folder / "claims.toml",
        target=Target(cwd=folder),
        scenario=Scenario(benchmarks=benchmarks),
        variants=variants,
    )


@pytest.mark.parametrize(
    "tests",
    [
        "bench_json.py",
        "bench_json.py::test_dumps",
        "bench_json.py::test_dumps[a b::c]",
        "bench_json.py::TestLoads::test_short",
        "bench_json.py::TestMore::test_short",  # inherited, so not in the class's text
    ],
)
def test_a_good_node_has_no_problem(tmp_path: Path, tests: str) -> None:
    assert check(topic(tmp_path, Variant(name="a", tests=tests))) == []


@pytest.mark.parametrize(
    ("tests", "says"),
    [
        ("bench_jsno.py::test_dumps", "there is no file"),
        ("bench_json.py::test_dump", "has no 'test_dump'; it has: TestLoads, TestMore"),
        ("bench_json.py::TestLoads::test_long", "has no 'test_long'; it has: test_s"),
        ("bench_json.py::test_short", "has no 'test_short'"),
        ("::test_dumps", "names no file"),
        ("", "names no file"),
    ],
)
def test_a_bad_node_is_named(tmp_path: Path, tests: str, says: str) -> None:
    (problem,) = check(topic(tmp_path, Variant(name="a", tests=tests)))
    assert problem.startswith(f"{tmp_path / 'claims.toml'}: variants.a.tests: ")
    assert says in problem


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    bad = [Variant(name=name, tests="gone.py") for name in "abc"]
    assert len(check(topic(tmp_path, *bad, benchmarks="perf_*.py"))) == 4


def test_a_variant_without_tests_needs_a_pattern(tmp_path: Path) -> None:
    (problem,) = check(topic(tmp_path, Variant(name="a")))
    assert "missing, and scenario.benchmarks names no files" in problem


@pytest.mark.parametrize("text", [b"def test_x(:\n", b"\xff\xfe", b"a = '\0'\n"])
def test_a_file_that_is_not_python(tmp_path: Path, text: bytes) -> None:
    made = topic(tmp_path, Variant(name="a", tests="broken.py::test_x"))
    (tmp_path / "broken.py").write_bytes(text)
    (problem,) = check(made)
    assert "broken.py: is not Python" in problem


@pytest.mark.parametrize(
    "line",
    ["from base import *", "from base import test_x", "from b import t as test_x"],
)
def test_an_imported_test_is_left_to_pytest(tmp_path: Path, line: str) -> None:
    made = topic(tmp_path, Variant(name="a", tests="bench_more.py::test_x"))
    (tmp_path / "bench_more.py").write_text(line)
    assert check(made) == []


def test_without_tests_all_files_of_the_pattern_are_meant(tmp_path: Path) -> None:
    (tmp_path / "bench_a.py").write_text("")
    one, other = Variant(name="one"), Variant(name="other", tests="bench_json.py")
    made = topic(tmp_path, one, other, benchmarks="bench_*.py")
    assert nodes_of(made, one) == ["bench_a.py", "bench_json.py"]
    assert nodes_of(made, other) == ["bench_json.py"]
    assert check(made) == []
