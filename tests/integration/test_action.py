"""The steps of action.yml, as far as they can be run without GitHub."""

import html
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assay.results import Verdict
from tests.fake_github import REPOSITORY, TOKEN, FakeGitHub, fake_github
from tests.integration.dry_run import (
    ROOT,
    Done,
    action,
    dry_run,
    python_stub,
    usual_environment,
)
from tests.integration.test_compare import BENCHMARKS, PRICES, SETTINGS, commit, git
from tests.unit.report.synthetic_suite import build_suite

SETUP = "actions/setup-python"
# A stub of `assay compare`, which copies a run and ends with a given code. All other
# commands are real.
FAKE_COMPARE = """
if [ "$1" = compare ]; then
    printf '%s\\n' "$@" >{log}
    for word; do case "$word" in --output=*) output=${{word#--output=}} ;; esac; done
    if [ -d {run} ]; then cp -r {run} "$output"; fi
    exit {code}
fi
"""


@dataclass
class Place:
    """A checkout of a pull request, as actions/checkout makes it."""

    checkout: Path
    scratch: Path
    server: FakeGitHub

    @property
    def arguments(self) -> list[str]:
        """The arguments that `assay compare` was called with."""
        return (self.scratch / "compare.txt").read_text().splitlines()

    def run(
        self,
        name: str,
        code: int = 0,
        found: dict[Verdict, int] | None = None,
        compare: bool = True,
        base_ref: str = "main",
        **inputs: str,
    ) -> Done:
        """Run the action; `assay compare` is a stub unless `compare` is false."""
        scratch = self.scratch / name
        scratch.mkdir()
        synthetic = scratch / "synthetic"
        if found is not None:
            build_suite(synthetic, found)
        fake = FAKE_COMPARE.format(
            log=shlex.quote(str(self.scratch / "compare.txt")),
            run=shlex.quote(str(synthetic)),
            code=code,
        )
        script = f'{fake if compare else ""}\nexec {sys.executable} -m assay "$@"\n'
        python = python_stub(scratch, sys.executable, f"#!/bin/bash\n{script}")
        event = scratch / "event.json"
        event.write_text(json.dumps({"pull_request": {"number": 7}}))
        return dry_run(
            self.checkout,
            scratch,
            {key.replace("_", "-"): value for key, value in inputs.items()},
            {
                "token": TOKEN,
                "action_path": str(ROOT),
                "base_ref": base_ref,
                "run_id": "5",
            },
            {
                **usual_environment(),
                "GITHUB_REPOSITORY": REPOSITORY,
                "GITHUB_API_URL": self.server.url,
                "GITHUB_EVENT_PATH": str(event),
                "GITHUB_RUN_ID": "5",
                "VIRTUAL_ENV": sys.prefix,
                "PYTHONPATH": str(ROOT),
            },
            {SETUP: {"python-path": str(python), "python-version": "3.12.1"}},
        )


def clone(origin: Path, to: Path, ref: str, depth: int = 1) -> None:
    """Check out a ref of a repository as actions/checkout does."""
    to.mkdir()
    git(to, "init", "-q")
    git(to, "remote", "add", "origin", origin.as_uri())
    fetched = f"+{ref}:refs/remotes/pull/7/merge"
    limit = [f"--depth={depth}"] if depth else []
    git(to, "fetch", "-q", "--no-tags", *limit, "origin", fetched)
    git(to, "checkout", "-q", "--detach", "refs/remotes/pull/7/merge")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with a pull request of two commits, and its merge."""
    folder = tmp_path_factory.mktemp("origin")
    git(folder, "init", "-q", "-b", "main")
    files = {
        "pyproject.toml": SETTINGS,
        "prices.py": PRICES,
        "conftest.py": "",
        "tests/test_prices.py": BENCHMARKS,
        ".gitignore": "__pycache__/\n",
    }
    commit(folder, "Prices", files)
    for number in range(30):
        commit(folder, f"Main {number}", {"main.txt": f"{number}"})
    git(folder, "checkout", "-q", "-b", "branch", "HEAD~25")
    slower = PRICES.replace("range(300)", "range(600)", 1)
    commit(folder, "Sum over more steps", {"prices.py": slower})
    commit(folder, "A word", {"readme.txt": "A word"})
    git(folder, "checkout", "-q", "--detach", "main")
    git(folder, "merge", "-q", "--no-ff", "-m", "Merge", "branch")
    git(folder, "update-ref", "refs/pull/7/merge", "HEAD")
    git(folder, "update-ref", "refs/pull/7/head", "branch")
    git(folder, "checkout", "-q", "main")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    return folder


@pytest.fixture
def place(origin: Path, tmp_path: Path) -> Iterator[Place]:
    clone(origin, tmp_path / "a checkout", "refs/pull/7/merge")
    (tmp_path / "scratch").mkdir()
    with fake_github() as server:
        yield Place(tmp_path / "a checkout", tmp_path / "scratch", server)


def sha(folder: Path, ref: str) -> str:
    """Return 12 digits of a commit's hash, as the action passes them on."""
    return git(folder, "rev-parse", "--short=12", ref).strip()


def test_one_comment_follows_the_verdict_back_to_clean(place: Place) -> None:
    slower = place.run("slower", 1, {"slower": 1, "same": 2})
    assert slower.code == 1, slower.log
    (comment,) = place.server.comments
    assert comment["body"].startswith("<!-- assay:compare assay -->\n")
    assert "slower in 1 of 3 tests" in comment["body"]
    assert f"/{REPOSITORY}/actions/runs/5" in comment["body"]
    assert "slower in 1 of 3 tests" in slower.summary
    artifact = slower.used["actions/upload-artifact"]
    assert Path(artifact["path"], "results.json").is_file()
    assert slower.outputs["compare"] == {"exit-code": "1"}

    same = place.run("same", 0, {"same": 3})
    assert same.code == 0, same.log
    (comment,) = place.server.comments
    assert "slower in" not in comment["body"] and "the same" in comment["body"]
    assert "updated https://github.com/" in same.log


def test_a_token_of_another_account_has_one_comment_too(place: Place) -> None:
    place.server.account = "reviews[bot]"
    place.run("first", 0, {"same": 3})
    done = place.run("second", 1, {"slower": 1, "same": 2})
    (comment,) = place.server.comments
    assert "slower in 1 of 3 tests" in comment["body"], done.log


@pytest.mark.parametrize("code", [2, 4])
def test_what_failed_replaces_an_earlier_result(place: Place, code: int) -> None:
    place.run("first", 0, {"same": 3})
    done = place.run("second", code)
    assert done.code == code
    (comment,) = place.server.comments
    assert "The comparison could not be made" in comment["body"]
    assert f"exit code {code}" in comment["body"] and "the same" not in comment["body"]
    assert f"exit code {code}" in done.summary


@pytest.mark.parametrize(("code", "found"), [(0, "same"), (1, "slower")])
def test_without_permission_the_job_ends_as_the_comparison_did(
    place: Place, code: int, found: Verdict
) -> None:
    place.server.forbidden = True
    done = place.run("forbidden", code, {found: 1})
    assert done.code == code
    assert not place.server.comments
    assert "no comment was written: the token has no permission" in done.log
    assert "Is branch slower than main?" in done.summary


def test_no_server_changes_no_verdict(place: Place) -> None:
    place.server.url = "http://127.0.0.1:9"
    done = place.run("gone", 0, {"same": 1})
    assert done.code == 0
    assert "assay: the comment was not written" in done.log


def test_a_comment_is_only_written_where_it_is_wanted(place: Place) -> None:
    done = place.run("none", 0, {"same": 1}, comment="false")
    assert done.code == 0 and "Comment" in done.skipped
    assert not place.server.requests
    assert "Is branch slower than main?" in done.summary


def test_the_token_is_never_printed_and_only_the_comment_has_it(place: Place) -> None:
    done = place.run("token", 1, {"slower": 1})
    assert TOKEN not in done.log + done.summary + place.server.comments[0]["body"]
    for step in action()["runs"]["steps"]:
        if step["name"] != "Comment":
            assert "token" not in json.dumps(step.get("env", {})).lower()


def test_nothing_installed_is_not_green(place: Place, tmp_path: Path) -> None:
    (place.scratch / "nothing").mkdir()
    done = dry_run(
        place.checkout,
        place.scratch / "nothing",
        {},
        {"token": TOKEN, "action_path": str(ROOT), "run_id": "5"},
        {},
        {SETUP: {"python-path": "/bin/false", "python-version": "3.12.1"}},
    )
    assert done.code
    assert "Compare" in done.skipped and "Comment" in done.skipped
    assert "Verdict: exit code 4" in done.log
    assert "could not be installed" in done.summary


@pytest.mark.parametrize("ref", ["refs/pull/7/merge", "refs/pull/7/head"])
@pytest.mark.parametrize("depth", [1, 0])
def test_the_base_is_where_the_work_began(
    origin: Path, place: Place, tmp_path: Path, ref: str, depth: int
) -> None:
    """The action fetches only the history it needs, and a full clone stays full."""
    place.checkout = tmp_path / "another"
    clone(origin, place.checkout, ref, depth)
    done = place.run("base", 0, {"same": 1})
    expected = "main" if ref.endswith("merge") else sha(origin, "branch~2")
    assert place.arguments[-2:] == ["--", sha(origin, expected)], done.log
    shallow = git(place.checkout, "rev-parse", "--is-shallow-repository").strip()
    assert shallow == "false" or depth == 1
    if ref.endswith("merge"):
        assert shallow == ("true" if depth else "false")


def test_a_push_is_compared_with_its_parent(
    origin: Path, place: Place, tmp_path: Path
) -> None:
    place.checkout = tmp_path / "another"
    clone(origin, place.checkout, "refs/heads/main")
    done = place.run("push", 0, {"same": 1}, base_ref="")
    assert place.arguments[-2:] == ["--", sha(origin, "main~1")], done.log


def test_a_base_that_is_named(origin: Path, place: Place) -> None:
    for number, base in enumerate(["branch", sha(origin, "main~3")]):
        done = place.run(f"named{number}", 0, {"same": 1}, base=base)
        assert place.arguments[-2:] == ["--", sha(origin, base)], done.log
    place.run("unknown", 2, None, base="--upload-pack=x")
    assert place.arguments[-2:] == ["--", "--upload-pack=x"]


def test_a_base_that_cannot_be_found_is_not_green(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q", "-b", "main")
    commit(other, "Alone", {"a.txt": "a"})
    place.checkout = tmp_path / "another"
    clone(other, place.checkout, "refs/heads/main")
    done = place.run("first", 0, {"same": 1}, base_ref="")
    assert done.code == 4 and "HEAD has no parent" in done.log
    assert "Compare" in done.skipped
    assert "The comparison could not be made" in place.server.comments[0]["body"]


def test_inputs_reach_the_command_and_no_shell(place: Place) -> None:
    attack = "\"; touch pwned; $(touch pwned) `touch pwned` ' --help"
    done = place.run(
        "inputs",
        0,
        {"same": 1},
        topic=f"perf\nload tests/{attack}\n",
        benchmarks=attack,
        budget=attack,
        margin="0.1",
        python_version="3.13",
        undecided="pass",
    )
    words = place.arguments
    assert f"--topic=load tests/{attack}" in words and "--topic=perf" in words
    assert f"--benchmarks={attack}" in words and f"--budget={attack}" in words
    assert {"--margin=0.1", "--python=3.13", "--undecided=pass"} <= set(words)
    assert not list(place.checkout.rglob("pwned")), done.log
    assert done.code == 0


def test_no_expression_is_ever_part_of_a_script() -> None:
    """GitHub replaces an expression before bash reads it, so it could inject code."""
    content = action()
    for step in content["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), step["name"]
        assert ("run" in step) == (step.get("shell") == "bash")
    described = [*content["inputs"].values(), *content["outputs"].values()]
    assert all(one["description"].endswith(".") for one in described)
    used = set(re.findall(r"inputs\.([\w-]+)", json.dumps(content)))
    assert used == set(content["inputs"])


def test_every_script_is_valid_bash() -> None:
    for step in action()["runs"]["steps"]:
        checked = subprocess.run(
            ["bash", "-n", "-c", step.get("run", ":")], capture_output=True, text=True
        )
        assert checked.returncode == 0, checked.stderr


def test_a_real_comparison_from_a_clone_of_one_commit(
    place: Place, origin: Path
) -> None:
    """Everything is real here except GitHub, the set-up of Python, and pip."""
    done = place.run("real", compare=False, benchmarks="tests", budget="3m")
    assert done.code == 1, done.log
    run = Path(done.outputs["install"]["run"])
    results: dict[str, Any] = json.loads((run / "results.json").read_text())
    slower = {
        item["test"] for item in results["comparisons"] if item["verdict"] == "slower"
    }
    assert slower == {
        "tests/test_prices.py::test_price[3]",
        "tests/test_prices.py::test_price[5]",
    }
    assert {gate["verdict"] for gate in results["gates"]} == {"fails"}
    comment = html.unescape(place.server.comments[0]["body"])
    assert "slower in 2 of 3 tests: tests/test_prices.py::test_price[" in comment
    assert git(place.checkout, "status", "--porcelain") == ""
