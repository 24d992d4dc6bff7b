"""Find the interpreter that `python` means in a project's commands."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

ACTIVE = "VIRTUAL_ENV"
CONDA, CONDA_NAME = "CONDA_PREFIX", "CONDA_DEFAULT_ENV"
# The last line of a traceback, or what `python -m` prints.
_MISSING_MODULE = re.compile(
    r"(?:ModuleNotFoundError|.*python[\d.]*): No module named '?([\w.]+)'?"
)
_ERROR = re.compile(r"(?:[\w.]+(?:Error|Exception)|.*python[\d.]*): .*")
NAMES = (".venv", "venv")  # folders that may be a project's own virtual environment


def own(folder: Path) -> Path | None:
    """Return the virtual environment of a project; None if there is none.

    It lies in the given folder, or in a folder above, up to the root of the repository.
    """
    for place in _up_to_root(folder):
        for name in NAMES:
            if os.path.exists(place / name / "bin" / "python"):
                return place / name
    return None


def _up_to_root(folder: Path) -> list[Path]:
    """Return a folder and those above it in its Git repository, the nearest first."""
    folder = Path(os.path.abspath(folder))
    places = [folder, *folder.parents]
    for number, place in enumerate(places):
        if os.path.exists(place / ".git"):
            return places[: number + 1]
    return [folder]


def active(variables: Mapping[str, str]) -> str:
    """Return the active virtual or conda environment; empty if none is.

    Conda's `base` does not count: conda activates it by default, so the user did not
    choose it.
    """
    conda = variables.get(CONDA, "") if variables.get(CONDA_NAME) != "base" else ""
    return variables.get(ACTIVE) or conda


def interpreter(variables: Mapping[str, str], folder: Path) -> Path:
    """Return the interpreter that `python` means with the variables of `activated`.

    If the environment has no interpreter, this is the Python that runs Assay.
    """
    environment = active(variables) or own(folder)
    python = Path(environment, "bin", "python") if environment else None
    if python and python.exists():
        return python
    return Path(sys.executable)


def activated(variables: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return environment variables with which `python` is the project's Python.

    This is the Python of the active virtual or conda environment. If none is active, it
    is the Python of the project's virtual environment: see `own`. If there is none, it
    is the Python that runs Assay. So a command need not name the folder of an
    environment, which another checkout may lack.

    Args:
        variables: Environment variables.
        folder: The folder that the command runs in.
    """
    if active(variables):
        return dict(variables)
    environment = own(folder)
    programs = environment / "bin" if environment else Path(sys.executable).parent
    path = os.pathsep.join([str(programs), variables.get("PATH", os.defpath)])
    return {**variables, "PATH": path} | (
        {ACTIVE: str(environment)} if environment else {}
    )


def advice_on_missing_module(output: str) -> str:
    """Return advice if a command's last error is a missing module; else nothing.

    Args:
        output: The last lines of what the command printed.
    """
    errors = [line.strip() for line in output.splitlines()]
    errors = list(filter(_ERROR.fullmatch, errors))
    missing = _MISSING_MODULE.fullmatch(errors[-1]) if errors else None
    if not missing:
        return ""
    return (
        f"\n  the Python of this command has no module {missing[1]!r}. `python` is "
        "that of the active environment, else of .venv or venv in the service's folder "
        "or above it, else the one that runs Assay; assay compare installs what each "
        "commit's lock file or requirements name. If the module is the service's own, "
        "the command needs another cwd"
    )
