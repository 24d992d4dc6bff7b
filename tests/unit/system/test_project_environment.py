"""Which interpreter `python` means in a project's commands."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from assay.experiment.commands import command_environment
from assay.system import project_environment


def venv(folder: Path, name: str) -> Path:
    """Make a folder that looks like a virtual environment; return its `python`."""
    program = folder / name / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def found(variables: dict[str, str]) -> Path:
    program = shutil.which("python", path=variables["PATH"])
    assert program
    return Path(program)


@pytest.mark.parametrize("name", [".venv", "venv"])
def test_it_is_that_of_the_project_if_none_is_active(tmp_path: Path, name: str) -> None:
    program = venv(tmp_path, name)
    variables = project_environment.activated({"PATH": "/bin"}, tmp_path)
    assert found(variables) == program
    assert variables["VIRTUAL_ENV"] == str(program.parents[1])


def test_an_active_one_is_left_alone(tmp_path: Path) -> None:
    venv(tmp_path, ".venv")
    active = {"PATH": "/else/bin:/bin", "VIRTUAL_ENV": "/else"}
    assert project_environment.activated(active, tmp_path) == active


def test_without_any_it_is_the_one_that_runs_assay(tmp_path: Path) -> None:
    variables = project_environment.activated({}, tmp_path)
    assert variables["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert "VIRTUAL_ENV" not in variables


@pytest.mark.parametrize(("name", "is_active"), [("shop", True), ("base", False)])
def test_a_conda_environment_is_active_unless_it_is_base(
    tmp_path: Path, name: str, is_active: bool
) -> None:
    own, conda = venv(tmp_path, ".venv"), venv(tmp_path, "conda")
    variables = {"CONDA_PREFIX": str(conda.parents[1]), "CONDA_DEFAULT_ENV": name}
    expected = conda if is_active else own
    assert project_environment.interpreter(variables, tmp_path) == expected
    activated = project_environment.activated({**variables, "PATH": "/bin"}, tmp_path)
    assert (activated["PATH"] == "/bin") is is_active


def test_it_may_lie_above_in_the_same_repository(tmp_path: Path) -> None:
    outside = venv(tmp_path, ".venv")
    service = tmp_path / "repository" / "services" / "shop"
    service.mkdir(parents=True)
    assert project_environment.interpreter({}, service) == Path(sys.executable)
    (tmp_path / "repository" / ".git").mkdir()
    assert project_environment.interpreter({}, service) == Path(sys.executable)
    at_root = venv(tmp_path / "repository", ".venv")
    assert project_environment.interpreter({}, service) == at_root != outside
    assert found(project_environment.activated({"PATH": "/bin"}, service)) == at_root
    nearest = venv(service, "venv")
    assert project_environment.interpreter({}, service) == nearest


def test_benchmarks_run_with_the_same_python(tmp_path: Path) -> None:
    active = venv(tmp_path, "else")
    assert project_environment.interpreter({}, tmp_path) == Path(sys.executable)
    own = venv(tmp_path, ".venv")
    assert project_environment.interpreter({}, tmp_path) == own
    variables = {"VIRTUAL_ENV": str(tmp_path / "else")}
    assert project_environment.interpreter(variables, tmp_path) == active
    gone = {"VIRTUAL_ENV": str(tmp_path / "gone")}
    assert project_environment.interpreter(gone, tmp_path) == Path(sys.executable)


def test_a_commit_has_its_own_environment_wherever_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command works under `assay run` and under `assay compare`."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    program = venv(tmp_path, ".venv")
    side = {"PATH": "/cache/side/bin:/bin", "VIRTUAL_ENV": "/cache/side"}
    assert found(command_environment(tmp_path, {})) == program
    assert command_environment(tmp_path, {}, side).items() >= side.items()


TRACE = "Traceback (most recent call last):\n  File ...\n"


@pytest.mark.parametrize(
    ("output", "module"),
    [
        (TRACE + "ModuleNotFoundError: No module named 'shop.routes'\n", "shop.routes"),
        ("  /usr/bin/python3.12: No module named uvicorn", "uvicorn"),
        ("/venv/bin/python: No module named 'shop'\n", "shop"),
        (TRACE + "KeyError: 'shop'", ""),
        # What the program went on without is not why it ended.
        (
            "ModuleNotFoundError: No module named 'uvloop'\nstarting\n"
            "OSError: [Errno 98] Address already in use",
            "",
        ),
        ("", ""),
    ],
)
def test_advice_on_a_module_that_is_missing(output: str, module: str) -> None:
    advice = project_environment.advice_on_missing_module(output)
    assert bool(advice) == bool(module)
    assert not module or (f"no module {module!r}" in advice and ".venv" in advice)
