"""`assay bisect` on a real history, with commits that do not compile."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.shop import ASSAY, FEWER_PLUGINS
from tests.repeated import repeated
from tests.unit.subject.repositories import commit, fingerprint, git

BENCHMARKS = """
from prices import price_of


def test_price(benchmark):
    benchmark(price_of, 5)
"""
COMMITS, CULPRIT, BROKEN = 6, 4, 2


def code(number: int, culprit: int) -> str:
    steps = 9000 if culprit and number >= culprit else 3000
    text = "return sum(item * step % 7 for step in range({steps}))"
    return (
        f"# edit {number}\ndef price_of(item):\n    {text.format(steps=steps)}\n"
        if number != BROKEN
        else "def price_of(item) return item\n"
    )


def history(folder: Path, culprit: int = CULPRIT) -> list[str]:
    """Make a repository in which one commit makes a function three times as slow."""
    folder.mkdir()
    git(folder, "init", "-q")
    names = []
    for number in range(COMMITS + 1):
        files = {"prices.py": code(number, culprit), "conftest.py": ""}
        if number == COMMITS:  # no earlier commit has the benchmark
            files["benchmarks/test_prices.py"] = BENCHMARKS
        files[".gitignore"] = "__pycache__/\nreports/\n"
        # One look after seven launches is enough for one test, and quick.
        files["pyproject.toml"] = "[tool.assay]\nlooks = [7]\n"
        names.append(commit(folder, f"Edit {number}", **files))
    return names


def bisect(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "VIRTUAL_ENV": sys.prefix,
        "ASSAY_CACHE": str(folder.parent / "cache"),
        "PYTEST_ADDOPTS": FEWER_PLUGINS,
    }
    return subprocess.run(
        [*ASSAY, "bisect", *arguments, "--seed", "1"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
    )


def state_of(folder: Path) -> Any:
    return json.loads((folder / "reports/search/bisect.json").read_text())


def test_the_commit_is_found_and_the_search_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "a shop"
    names = history(folder)
    output = ("--output", "reports/search", "--benchmarks", "benchmarks")
    before = fingerprint(folder)
    ran = bisect(folder, names[0], *output)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    state = state_of(folder)
    assert state["outcome"] == "found"
    assert state["suspects"] == [names[CULPRIT]]
    assert f"Slower since {names[CULPRIT][:10]}" in " ".join(ran.stdout.split())
    (check,) = state["checks"]
    assert check["before"] == names[CULPRIT - 1]
    search = folder / "reports/search"
    assert (search / check["run"] / "index.html").is_file()
    page = (search / "bisect.html").read_text()
    assert f"Edit {CULPRIT}" in page
    # A killed search can continue from what it had stored: the ends and the steps.
    known = {**state, "outcome": "partial", "suspects": [], "checks": []}
    (search / "bisect.json").write_text(json.dumps(known))
    ran = bisect(folder, names[0], *output)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert state_of(folder)["steps"] == known["steps"]
    assert state_of(folder)["suspects"] == [names[CULPRIT]]
    refused = bisect(folder, names[1], *output)
    assert refused.returncode == 2
    assert "begun with another question" in refused.stderr
    shutil.rmtree(folder / "reports")
    assert fingerprint(folder) == before


@repeated
def test_without_a_change_it_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    names = history(folder, culprit=0)
    # A wide margin: seven launches on a busy machine show no small change.
    words = ("--benchmarks", "benchmarks", "--margin", "0.5", "--json")
    ran = bisect(folder, names[0], *words)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    state = json.loads(ran.stdout)
    assert (state["outcome"], state["steps"]) == ("no change", [])


def test_bad_input_is_said_before_anything_is_built(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    names = history(folder)
    for words, said in (
        ((names[3], names[1]), "is newer than"),
        (("HEAD", "HEAD"), "the same commit"),
        (("v9",), "no such commit"),
        ((names[0], "--only", "latency.p51"), "no metric"),
        ((names[0], "--budget", "soon"), "--budget"),
    ):
        ran = bisect(folder, *words)
        assert (ran.returncode, ran.stdout) == (2, ""), ran.stderr
        assert said in ran.stderr
        assert "Traceback" not in ran.stderr
    assert not (folder / "reports").exists()
