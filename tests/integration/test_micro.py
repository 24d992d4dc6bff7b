"""Launches of real pytest-benchmark tests."""

import math
import os
import sys
from pathlib import Path

import pytest

from assay.errors import MeasureError
from assay.experiment.benchmarks import measure
from assay.plan import Scenario, Target, Topic, Variant
from tests.integration import shop

BENCH = """
import os
import time

import pytest


def test_short(benchmark):
    benchmark.pedantic(time.sleep, args=(0.002,), rounds=5)


def test_long(benchmark):
    benchmark.pedantic(time.sleep, args=(0.050,), rounds=3)


def test_by_environment(benchmark):
    benchmark.pedantic(time.sleep, args=(float(os.environ["PAUSE"]),), rounds=5)


def test_plain():
    pass


def test_wrong(benchmark):
    benchmark(lambda: None)
    assert "the answer" == 42


def test_affinity(benchmark):
    benchmark(lambda: None)
    assert len(os.sched_getaffinity(0)) == 1


def test_options(benchmark, request):
    benchmark(lambda: None)
    assert os.path.basename(request.config.rootpath) == "topic"
    assert not request.config.getoption("maxfail")
    assert "PYTEST_ADDOPTS" not in os.environ
"""


@pytest.fixture
def topic(tmp_path: Path) -> Topic:
    folder = tmp_path / "topic"
    folder.mkdir()
    (folder / "bench_pause.py").write_text(BENCH, encoding="utf-8")
    # The project's own options would make the benchmark fail.
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -x --no-such-option\n")
    return Topic(
        name="pause",
        title="Pause",
        file=folder / "claims.toml",
        target=Target(cwd=folder, env={"PAUSE": "0.002"}),
        scenario=Scenario(benchmarks="bench_*.py"),
        variants=(Variant(name="a"), Variant(name="b")),
    )


def side(test: str, **env: str) -> Variant:
    return Variant(name="a", tests=f"bench_pause.py::{test}", env=env)


def test_a_launch_gives_its_median(topic: Topic, tmp_path: Path) -> None:
    folder = tmp_path / "launches"
    short = measure(topic, side("test_short"), folder)
    long = measure(topic, side("test_long"), folder)
    assert 5 < long / short <= 25
    assert list(folder.iterdir()) == []


def test_a_variant_may_differ_by_environment(topic: Topic, tmp_path: Path) -> None:
    topics = measure(topic, side("test_by_environment"), tmp_path)
    variants = measure(topic, side("test_by_environment", PAUSE="0.05"), tmp_path)
    assert 5 < variants / topics <= 25


def test_several_tests_give_their_geometric_mean(topic: Topic, tmp_path: Path) -> None:
    text = (
        "import time\nimport pytest\n\n\n@pytest.mark.parametrize('s', [0.01, 0.04])\n"
    )
    text += "def test_both(benchmark, s):\n"
    text += "    benchmark.pedantic(time.sleep, args=(s,), rounds=3)\n"
    (topic.folder / "bench_both.py").write_text(text)
    both = Variant(name="a", tests="bench_both.py::test_both")
    # The arithmetic mean would be 0.025 at least.
    assert math.sqrt(0.01 * 0.04) <= measure(topic, both, tmp_path) < 0.025


@pytest.mark.skipif(sys.platform != "linux", reason="pinning is Linux's")
def test_a_launch_is_pinned(topic: Topic, tmp_path: Path) -> None:
    core = min(os.sched_getaffinity(0))
    assert measure(topic, side("test_affinity"), tmp_path, cores=[core]) > 0


def test_options_of_others_do_not_reach_it(
    topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "--maxfail=3")
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    assert measure(topic, side("test_options"), tmp_path) > 0


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        (side("test_plain"), "no benchmark was run by .*bench_pause.py::test_plain"),
        (side("test_gone"), "no benchmark was run by .*test_gone.*not found"),
        (side("test_wrong"), r"pytest failed \(exit code 1\).*the answer"),
        (Variant(name="a", tests="bad.py"), r"pytest failed \(exit code 2\).*boom"),
        (
            side("test_short", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
            "pytest-benchmark is not active",
        ),
    ],
)
def test_what_goes_wrong_is_said(
    topic: Topic, tmp_path: Path, variant: Variant, says: str
) -> None:
    (topic.folder / "bad.py").write_text("raise RuntimeError('boom')\n")
    with pytest.raises(MeasureError, match=f"(?s)^pause, variant a: {says}"):
        measure(topic, variant, tmp_path)


def test_a_launch_that_hangs_is_ended(
    topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.experiment.benchmarks.LAUNCH_TIMEOUT", 0.3)
    with pytest.raises(MeasureError, match="did not end within 0.3 s"):
        measure(topic, side("test_by_environment", PAUSE="60"), tmp_path)


def test_a_run_of_a_known_length_is_judged_once_at_its_end(topic: Topic) -> None:
    """Seven launches are enough; by default the first look comes after eight."""
    (topic.folder / "claims.toml").write_text("""title = "Pause"
[scenario]
benchmarks = "bench_pause.py"
[variants]
long = { tests = "bench_pause.py::test_long" }
short = { tests = "bench_pause.py::test_short" }
[[claims]]
says = "Shorter"
baseline = "long"
candidate = "short"
metric = "time"
expect = "<= 0.5"
""")
    ended = shop.assay(topic.folder, "run", ".", "--launches=7", "--output=out")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    results = shop.results(topic.folder / "out")
    (comparison,) = results["comparisons"]
    assert comparison["launches"] == 7
    assert results["claims"][0]["verdict"] == "holds"
