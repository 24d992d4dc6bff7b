"""A virtual environment: its interpreter, its packages and its variables."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assay.errors import InputError, MeasureError
from assay.subject.interpreters import examine
from assay.subject.poetry_lock import normalised
from assay.subject.variables import scrubbed

BY_COMMAND = "--build"
ACTIVE = "the active environment"
_LIST_TIMEOUT = 120.0  # seconds
_LIST = """
import importlib.metadata, json
packages = {}
for distribution in importlib.metadata.distributions():
    name = distribution.metadata["Name"]
    if name and name not in packages:
        source = distribution.read_text("direct_url.json") or "{}"
        from_folder = "dir_info" in json.loads(source)
        packages[name] = (distribution.version, from_folder)
print(json.dumps(packages))
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        python: Its interpreter.
        packages: The version of each package, by normalised name.
        source: What it was built from: ``uv.lock``, ``requirements.txt``,
            ``pyproject.toml``, ``--build``, ``the active environment``.
        log: The log of its build; None if Assay did not build it.
        local: Folders in the checkout that hold packages. Each side installs these
            packages for itself.
        own: Normalised names of the packages that were installed from a folder.
    """

    python: Path
    packages: Mapping[str, str]
    source: str
    log: Path | None
    local: tuple[str, ...] = ()
    own: tuple[str, ...] = ()

    @property
    def prefix(self) -> Path:
        """The folder of the environment."""
        return self.python.parent.parent

    @property
    def variables(self) -> dict[str, str]:
        """The variables VIRTUAL_ENV, and PATH with its programs first."""
        programs = os.fspath(self.python.parent)
        path = scrubbed(os.environ).get("PATH", os.defpath)
        return {
            "VIRTUAL_ENV": os.fspath(self.prefix),
            "PATH": f"{programs}{os.pathsep}{path}",
        }

    @property
    def process_variables(self) -> dict[str, str]:
        """All variables of a process that runs in it; see `scrubbed`."""
        return {**scrubbed(os.environ), **self.variables}


@dataclass(frozen=True)
class Recipe:
    """How a project's environment is built.

    Attributes:
        python: A version or the path of an interpreter. If None, the project's files
            decide; if they name no Python, Assay takes the one that it runs in.
        build: A command that installs everything, including the project. It is run in
            the project's folder, without a shell. If None, the project's lock file or
            other files list what is installed.
        groups: Dependency groups to install. If neither groups nor extras are named,
            Assay installs those called dev, test, tests, testing, bench, benchmark,
            benchmarks or perf.
        extras: Extras to install. If neither groups nor extras are named, Assay
            installs those with the same names.
    """

    python: str | None = None
    build: str | None = None
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


def active_environment() -> Environment:
    """Return the active virtual environment, or else the one that Assay runs in.

    Raises:
        InputError: The environment has no interpreter that runs.
        MeasureError: The interpreter cannot list its packages.
    """
    active = os.environ.get("VIRTUAL_ENV")
    python = Path(active) / "bin" / "python" if active else Path(sys.executable)
    if examine(os.fspath(python)) is None:
        raise InputError(
            f"{python}: the active virtual environment has no Python that runs; "
            "activate another one, or type: deactivate"
        )
    return examined(python.absolute(), ACTIVE, None)


def examined(
    python: Path, source: str, log: Path | None, local: tuple[str, ...] = ()
) -> Environment:
    """Return the environment of an interpreter, with the packages that it sees.

    Raises:
        MeasureError: The interpreter cannot list its packages.
    """
    try:
        done = subprocess.run(
            [python, "-I", "-c", _LIST],
            env=scrubbed(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIST_TIMEOUT,
            check=True,
        )
        distributions: dict[str, tuple[str, bool]] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise MeasureError(
            f"{python}: this interpreter cannot list its packages: {error}"
        ) from error
    listed = sorted(distributions.items())
    packages = {normalised(name): str(version) for name, (version, _) in listed}
    from_folders = tuple(normalised(name) for name, (_, is_local) in listed if is_local)
    return Environment(python, packages, source, log, local, from_folders)
