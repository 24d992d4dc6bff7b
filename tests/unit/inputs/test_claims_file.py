"""Topics with benchmarks: which keys they use, and which they refuse."""

from pathlib import Path

import pytest

from assay.errors import InputError
from assay.inputs import loader
from assay.plan import Plan

MICRO = """\
title = "JSON"

[target]
cwd = "."
env = { MODE = "fast" }

[scenario]
benchmarks = "bench_*.py"

[variants]
a = {}
b = { env = { MODE = "slow" } }

[[claims]]
says = "b is faster"
baseline = "a"
candidate = "b"
metric = "time"
expect = "faster"
"""


def load(here: Path) -> Plan:
    return loader.load(["."], {}, "assay run", here)


@pytest.fixture
def micro(tmp_path: Path) -> Path:
    (tmp_path / "bench_json.py").write_text("def test_dumps(benchmark):\n    ...\n")
    (tmp_path / "claims.toml").write_text(MICRO)
    return tmp_path


def test_benchmarks_take_a_folder_and_an_environment(micro: Path) -> None:
    target = load(micro).topics[0].target
    assert (target.cwd, target.env) == (micro, {"MODE": "fast"})


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("cwd =", "needs = ['redis']\ncwd =", ":4: target.needs"),
        ("cwd =", "prepare = 'make'\ncwd =", ":4: target.prepare"),
        ("cwd =", "copy = true\ncwd =", ":4: target.copy"),
        ("cwd =", "guard = '/guard'\ncwd =", ":4: target.guard"),
        ("cwd =", "command = 'serve'\ncwd =", ":4: target.command"),
        ("cwd =", "url = 'http://shop'\ncwd =", ":4: target.url"),
        ("cwd =", "ready = '/'\ncwd =", ":4: target.ready"),
        ("cwd =", "round_trip = { redis = '1ms' }\ncwd =", ":4: target.round_trip"),
        ("[variants]", "load = { users = 2 }\n[variants]", ":10: scenario.load"),
        ("[variants]", "arguments = ['x']\n[variants]", ":10: scenario.arguments"),
        (
            "[variants]",
            "[companions.mail]\ncommand = 'm'\nvariable = 'M'\n[variants]",
            ":10: companions.mail",
        ),
        ("a = {}", "a = { command = 'serve' }", ":11: variants.a.command"),
        ("a = {}", "a = { url = 'http://shop' }", ":11: variants.a.url"),
        ("expect =", "profiles = ['cpu']\nexpect =", ":19: claims[1].profiles"),
    ],
)
def test_what_benchmarks_would_leave_out_is_said(
    micro: Path, old: str, new: str, where: str
) -> None:
    (micro / "claims.toml").write_text(MICRO.replace(old, new))
    with pytest.raises(InputError) as caught:
        load(micro)
    said = f"claims.toml{where}: only for a scenario with a locustfile"
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("/tmp/bench_*.py", "expected a pattern of files below"),
        ("**bench", "expected a pattern of files below"),
        ("", "string should have at least 1 character"),
        ("perf_*.py", "no file in"),
    ],
)
def test_a_pattern_that_finds_no_benchmarks(
    micro: Path, pattern: str, said: str
) -> None:
    (micro / "claims.toml").write_text(MICRO.replace("bench_*.py", pattern))
    with pytest.raises(InputError, match="scenario.benchmarks: ") as caught:
        load(micro)
    assert f":8: scenario.benchmarks: {said}" in str(caught.value)


def test_a_test_with_a_name_that_no_file_can_have(micro: Path) -> None:
    text = MICRO.replace("a = {}", f"a = {{ tests = '{'t' * 300}.py::test_x' }}")
    (micro / "claims.toml").write_text(text)
    with pytest.raises(InputError, match="claims.toml: variants: .*name too long"):
        load(micro)


def test_benchmarks_have_no_process_to_profile(micro: Path) -> None:
    with pytest.raises(InputError, match="need a server under load"):
        loader.profile_plan(load(micro), "a", ["cpu"], micro)
