"""The workflows of docs/ci.md and GitLab's template use options that exist."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from assay.cli.app import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
TEMPLATE = ROOT / "deploy/gitlab/assay.gitlab-ci.yml"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def workflows() -> list[dict[str, Any]]:
    found = [yaml.safe_load(block) for block in blocks("yaml")]
    return [content for content in found if "jobs" in content]


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def parsed(line: str) -> dict[str, Any]:
    """Return the parameters of an `assay` command line."""
    words = shlex.split(line)
    assert words[0] == "assay"
    group: Any = get_command(app)
    command = group.get_command(None, words[1])
    parameters: dict[str, Any] = command.make_context(words[1], words[2:]).params
    return parameters


def test_the_first_workflow_uses_inputs_that_the_action_has() -> None:
    measure, _ = workflows()
    (used,) = [step for step in steps(measure) if "OWNER/assay" in step.get("uses", "")]
    assert set(used["with"]) <= set(ACTION["inputs"])
    assert measure["permissions"] == {"contents": "read", "pull-requests": "write"}


def test_every_input_is_in_the_table() -> None:
    listed = re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE)
    assert listed == list(ACTION["inputs"])


def test_the_second_workflow_follows_the_first_and_runs_nothing_of_a_fork() -> None:
    measure, comment = workflows()
    # YAML 1.1 reads `on` as true.
    trigger = {str(key): value for key, value in comment.items()}["True"][
        "workflow_run"
    ]
    assert trigger["workflows"] == [measure["name"]]
    assert not any("checkout" in step.get("uses", "") for step in steps(comment))
    # No script contains an expression, so nothing of the event can inject code.
    assert "${{" not in json.dumps([step.get("run") for step in steps(comment)])
    (line,) = [
        step["run"] for step in steps(comment) if "assay comment" in step.get("run", "")
    ]
    download, key = steps(comment)[0]["with"], parsed(line)["key"]
    assert download["name"] == key == ACTION["inputs"]["artifact-name"]["default"]
    assert parsed(line)["directory"] == Path(download["path"])


def test_the_commands_on_the_page_are_understood() -> None:
    text = "".join(blocks("console")).replace("\\\n", "")
    lines = [line.removeprefix("$ ") for line in text.splitlines() if line.strip()]
    assert len(lines) == 2
    for line in lines:
        assert parsed(line)["until"] == "2027-01-31"


@pytest.mark.parametrize(
    ("given", "base", "code"),
    [
        ({}, "base", 0),
        ({"CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "target"}, "target", 3),
        ({"ASSAY_BENCHMARKS": "a b; touch pwned", "ASSAY_TOPIC": "perf"}, "base", 1),
    ],
)
def test_the_template_of_gitlab_passes_its_variables_on(
    tmp_path: Path, given: dict[str, str], base: str, code: int
) -> None:
    job = yaml.safe_load(TEMPLATE.read_text())["assay"]
    script = job["script"][-1].replace("/tmp/assay/bin/assay", "./assay")
    (tmp_path / "assay").write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >said.txt\nexit {code}\n'
    )
    (tmp_path / "assay").chmod(0o755)
    variables = {
        **{name: str(value) for name, value in job["variables"].items()},
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": "base",
        "CI_COMMIT_SHA": "head",
        "PATH": os.environ["PATH"],
        **given,
    }
    ran = subprocess.run(["sh", "-eu", "-c", script], cwd=tmp_path, env=variables)
    assert ran.returncode == code
    words = (tmp_path / "said.txt").read_text().splitlines()
    assert words[-3:] == ["--", base, "head"]
    parameters = parsed(shlex.join(["assay", *words]))
    folder = str(parameters["output"])
    assert job["artifacts"]["paths"] == [folder]
    assert job["artifacts"]["reports"]["junit"] == f"{folder}/junit.xml"
    assert job["artifacts"]["when"] == "always"
    assert parameters["undecided"] == "fail"
    if "ASSAY_TOPIC" in given:
        assert parameters["benchmarks"] == [given["ASSAY_BENCHMARKS"]]
        assert parameters["topic"] == ["perf"]
    assert not (tmp_path / "pwned").exists()
