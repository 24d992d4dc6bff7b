"""Runs the steps of action.yml without GitHub.

A `uses` step is replaced by a stub, and a `run` step runs in bash. Only the kinds of
GitHub's expressions that action.yml contains are supported.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
# The PATH of all steps.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Done:
    """The outcome of a dry run.

    Attributes:
        code: The exit code of the first step that failed; 0 if none did.
        summary: The step summary.
        used: The inputs of each other action that was used, by its name.
        skipped: The names of the steps that were skipped.
        log: The output of all steps that ran in bash, with their exit codes.
        outputs: The outputs of each step by its id.
    """

    code: int = 0
    summary: str = ""
    used: dict[str, dict[str, str]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    log: str = ""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)


def action() -> dict[str, Any]:
    """Return the content of action.yml."""
    content = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def dry_run(
    repository: Path,
    scratch: Path,
    inputs: Mapping[str, str],
    github: Mapping[str, str],
    variables: Mapping[str, str],
    stubs: Mapping[str, Mapping[str, str]],
) -> Done:
    """Run the action in a checkout, and return the outcome.

    Args:
        repository: The checkout.
        scratch: An empty folder for the files and folders that GitHub would provide.
        inputs: Inputs of the action; the others have their defaults.
        github: Fields of the context `github`.
        variables: Further environment variables of all steps in bash.
        stubs: The outputs of other actions, by the name of the action.
    """
    content = action()
    names = content["inputs"]
    assert set(inputs) <= set(names)
    files = {}
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        files[name] = scratch / name.lower()
        files[name].touch()
    (scratch / "temp").mkdir()
    (scratch / "home").mkdir()
    context: dict[str, str] = {
        **{f"github.{name}": value for name, value in github.items()},
        "runner.temp": str(scratch / "temp"),
        "runner.os": "Linux",
        "runner.arch": "X64",
    }
    for name, description in names.items():
        given = inputs.get(name, _filled(description.get("default", ""), context))
        context[f"inputs.{name}"] = given
    done = Done()
    for step in content["runs"]["steps"]:
        name = step["name"]
        if not _holds(str(step.get("if", "")), context, done.code):
            done.skipped.append(name)
            continue
        outputs: dict[str, str] = {}
        if "uses" in step:
            used = {key: _filled(str(v), context) for key, v in step["with"].items()}
            done.used[step["uses"].partition("@")[0]] = used
            outputs = dict(stubs.get(step["uses"].partition("@")[0], {}))
        else:
            files["GITHUB_OUTPUT"].write_text("")
            folder = _filled(step.get("working-directory", "."), context)
            own = {key: _filled(v, context) for key, v in step.get("env", {}).items()}
            code, said = _bash(
                step["run"],
                repository / folder,
                {
                    "PATH": PATH,
                    "HOME": str(scratch / "home"),
                    "GITHUB_ACTIONS": "true",
                    **{key: str(file) for key, file in files.items()},
                    **variables,
                    **own,
                },
            )
            done.log += f"--- {name}: exit code {code}\n{said}"
            done.code = done.code or code
            lines = files["GITHUB_OUTPUT"].read_text().splitlines()
            outputs = dict(line.split("=", 1) for line in lines)
        if "id" in step:
            done.outputs[step["id"]] = outputs
            for key, value in outputs.items():
                context[f"steps.{step['id']}.outputs.{key}"] = value
    done.summary = files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
    return done


def _bash(script: str, folder: Path, variables: Mapping[str, str]) -> tuple[int, str]:
    """Run a script as `shell: bash` does."""
    ran = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    return ran.returncode, ran.stdout


def _filled(text: str, context: Mapping[str, str]) -> str:
    """Return a text with its expressions replaced."""
    return re.sub(
        r"\$\{\{\s*(.*?)\s*\}\}", lambda match: _value(match[1], context), str(text)
    )


def _value(expression: str, context: Mapping[str, str]) -> str:
    if expression.startswith("hashFiles("):
        return "hash-of-files"
    if expression.startswith("'"):
        return expression[1:-1]
    assert re.fullmatch(r"(inputs|github|runner|steps)\.[\w.-]+", expression)
    return context.get(expression, "")


def _holds(condition: str, context: Mapping[str, str], code: int) -> bool:
    """Return whether a step runs, after steps that ended with this exit code."""
    terms = [term.strip() for term in condition.split("&&") if term.strip()]
    if code and "always()" not in terms:
        return False
    for term in terms:
        if term == "always()":
            continue
        left, operator, right = re.split(r"\s*([!=]=)\s*", term)
        same = _value(left, context) == _value(right, context)
        if same != (operator == "=="):
            return False
    return True


def python_stub(folder: Path, python: str, assay: str) -> Path:
    """Write a stub of Python, and return its path.

    A virtual environment that the stub makes contains a given `assay`. For `-m pip`,
    the stub writes the arguments to `pip.txt`. The real interpreter runs all else.

    Args:
        folder: Where the stub, the script and `pip.txt` are written.
        python: The real interpreter.
        assay: The text of the script that replaces `assay`.
    """
    (folder / "assay").write_text(assay)
    stub = folder / "python"
    stub.write_text(f"""#!/bin/bash
case "$1 $2" in
"-m venv")
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    cp {folder / "assay"} "$3/bin/assay"
    chmod +x "$3/bin/assay" ;;
"-m pip")
    printf '%s\\n' "$@" >{folder / "pip.txt"} ;;
*)
    exec {python} "$@" ;;
esac
""")
    stub.chmod(0o755)
    return stub


def usual_environment() -> dict[str, str]:
    """Return the environment variables that set coverage and Python's path."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("COV_", "PYTHONPATH"))
    }
