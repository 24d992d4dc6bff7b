"""The topics with benchmarks under scenarios/, as Assay and plain pytest run them."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from assay.experiment import benchmarks
from assay.inputs import benchmark_nodes, loader
from assay.plan import Topic

REPOSITORY = Path(__file__).parents[2]
# Topics are found by their files, so that tests can be listed without loading topics.
TOPICS = sorted(
    file.parent.name
    for file in REPOSITORY.glob("scenarios/*/claims.toml")
    if "benchmarks" in tomllib.loads(file.read_text()).get("scenario", {})
)


def topic_of(name: str) -> Topic:
    folder = REPOSITORY / "scenarios" / name
    return loader.load([str(folder)], {}, "", REPOSITORY).topics[0]


def benchmarks_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_bytes())
    return {
        f"{file.name}::{item.name}"
        for item in tree.body
        if isinstance(item, ast.FunctionDef) and item.name.startswith("test_")
    }


def test_the_guides_practices_beside_serving_have_benchmarks() -> None:
    wanted = {"validation", "tokens", "hashing", "page_query", "cache_keys"}
    assert wanted | {"serialisation"} <= set(TOPICS)


@pytest.mark.parametrize("name", TOPICS)
def test_every_benchmark_is_a_side_of_a_claim(name: str) -> None:
    topic = topic_of(name)
    assert benchmark_nodes.check(topic) == []
    claimed = {
        side for claim in topic.claims for side in (claim.baseline, claim.candidate)
    }
    assert claimed == {variant.name for variant in topic.variants}
    written = set().union(*map(benchmarks_of, topic.folder.glob("bench_*.py")))
    assert written == {variant.tests for variant in topic.variants}


@pytest.mark.parametrize("name", TOPICS)
def test_benchmarks_pass_under_plain_pytest(name: str) -> None:
    files = sorted((REPOSITORY / "scenarios" / name).glob("bench_*.py"))
    command = [sys.executable, "-m", "pytest", "-q", "--benchmark-disable"]
    ended = subprocess.run(
        [*command, *map(str, files)],
        # No variable of ours: the folder alone must make the service importable.
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "skipped" not in ended.stdout


@pytest.mark.parametrize("name", TOPICS)
def test_assay_times_a_launch(name: str, tmp_path: Path) -> None:
    topic = topic_of(name)
    assert benchmarks.measure(topic, topic.variants[-1], tmp_path) > 0


def test_a_password_costs_more_than_a_session_by_far(tmp_path: Path) -> None:
    """A slow hash that is not slow would be a defect of the service."""
    topic = topic_of("hashing")
    password, session = (
        benchmarks.measure(topic, topic.variant(side), tmp_path)
        for side in ("password", "session")
    )
    assert password > 1000 * session
