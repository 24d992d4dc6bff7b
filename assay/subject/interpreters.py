"""Finds the Python that a project's environment is built with."""

import functools
import glob
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from assay.errors import InputError
from assay.subject.project import Project
from assay.subject.variables import scrubbed
from assay.wording import one_line

_QUERY_TIMEOUT = 60.0  # seconds; a start takes a fraction of a second
_QUERY = """
import json, os, platform, sys, sysconfig
implementation = sys.implementation
version = ".".join(map(str, sys.version_info[:3]))
print(json.dumps({
    "base": getattr(sys, "_base_executable", None) or sys.executable,
    "tag": sysconfig.get_platform() + " " + sys.version,
    "folders": list(dict.fromkeys(
        [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])),
    "markers": {
        "implementation_name": implementation.name,
        "implementation_version": version,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": "%d.%d" % sys.version_info[:2],
        "sys_platform": sys.platform,
    },
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python interpreter.

    Attributes:
        path: The program. For a virtual environment, this is the program of the Python
            that made the environment.
        version: Its version, such as ``3.12.1``.
        tag: Platform, version and compiler. An environment fits only one tag.
        folders: The folders that the examined program imports packages from.
        markers: The values of the markers in requirements.
    """

    path: Path
    version: str
    tag: str
    folders: tuple[Path, ...]
    markers: Mapping[str, str]


@functools.cache
def examine(program: str) -> Interpreter | None:
    """Return what an interpreter says about itself; None if it does not run."""
    try:
        done = subprocess.run(
            [program, "-I", "-c", _QUERY],
            env=scrubbed(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_QUERY_TIMEOUT,
            check=True,
        )
        description = json.loads(done.stdout)
        return Interpreter(
            path=Path(description["base"]),
            version=description["markers"]["python_full_version"],
            tag=description["tag"],
            folders=tuple(Path(folder) for folder in description["folders"]),
            markers=description["markers"],
        )
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None


def choose(project: Project, wanted: str | None) -> Interpreter:
    """Return the interpreter of a project.

    Args:
        project: The project.
        wanted: A version, or the path or name of an interpreter. None stands for the
            version in ``.python-version``. If there is no such file, the first
            interpreter that ``requires-python`` allows is chosen, and the one that runs
            Assay is tried first.

    Raises:
        InputError: There is no such interpreter, or pyproject.toml is not valid.
    """
    if wanted and (os.sep in wanted or not re.match(r"(\D*-?)\d", wanted)):
        return _by_path(project, wanted)
    said_by = "--python"
    if not wanted:
        wanted, said_by = project.python_version, ".python-version"
    if wanted:
        return _by_version(wanted, said_by)
    required = project.requires_python
    for candidate in _every():
        interpreter = examine(candidate)
        if interpreter and _allows(required, interpreter.version):
            return interpreter
    raise InputError(
        f"{project.folder}: requires-python is {one_line(required)!r}, and no such "
        "interpreter was found; install one (uv python install, or pyenv install), or "
        "name it: --python PATH"
    )


def _by_path(project: Project, wanted: str) -> Interpreter:
    program = wanted
    if os.sep in wanted:
        program = os.fspath(project.folder / Path(wanted).expanduser())
    interpreter = examine(shutil.which(program) or program)
    if interpreter is None:
        raise InputError(
            f"--python: {one_line(wanted)!r} is no Python interpreter; "
            "expected a version such as 3.12, or the path of one"
        )
    return interpreter


def _by_version(wanted: str, said_by: str) -> Interpreter:
    numbers = re.sub(r"^(cpython|python)-?@?", "", wanted.strip())
    match = re.match(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?", numbers)
    candidates = []
    if match:
        minor = ".".join(part for part in match.groups()[:2] if part)
        for candidate in _every(minor):
            interpreter = examine(candidate)
            if interpreter and f"{interpreter.version}.".startswith(f"{minor}."):
                candidates.append(interpreter)
    elif program := shutil.which(wanted):  # pypy3.11
        candidates += [interpreter] if (interpreter := examine(program)) else []
    if not candidates:
        short = one_line(wanted)
        raise InputError(
            f"{said_by} names Python {short}, which was not found; install it (uv "
            f"python install {short}, or pyenv install {short}), or name the path of "
            "an interpreter: --python PATH"
        )
    # If the named patch release is missing, another one will do.
    exact = [candidate for candidate in candidates if candidate.version == numbers]
    return (exact or candidates)[0]


def _every(minor: str = "") -> Iterator[str]:
    """Yield the interpreters of this machine: first the one that runs Assay.

    Args:
        minor: The version to look for, such as ``3.12``; any from 3.20 to 3.8 if empty.
            The first interpreter, and ``python3`` at the end, can have another version.
    """
    yield sys.executable
    wanted = [minor] if minor else [f"3.{number}" for number in range(20, 7, -1)]
    path = scrubbed(os.environ).get("PATH")
    for version in wanted:
        if program := shutil.which(f"python{version}", path=path):
            yield program
        yield from _in_known_places(version)
    if program := shutil.which("python3", path=path):
        yield program


def _in_known_places(version: str) -> Iterator[str]:
    home = os.path.expanduser("~")
    pyenv = os.environ.get("PYENV_ROOT") or os.path.join(home, ".pyenv")
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    uv = os.environ.get("UV_PYTHON_INSTALL_DIR") or os.path.join(data, "uv", "python")
    runner = os.environ.get("AGENT_TOOLSDIRECTORY") or "/opt/hostedtoolcache"
    for pattern in (
        os.path.join(glob.escape(pyenv), "versions", f"{version}*", "bin", "python"),
        os.path.join(glob.escape(uv), f"cpython-{version}*", "bin", "python3"),
        os.path.join(glob.escape(runner), "Python", f"{version}*", "*", "bin/python"),
    ):
        yield from sorted(glob.glob(pattern), reverse=True)


def _allows(required: str, version: str) -> bool:
    """Return whether ``requires-python`` allows a version, or is itself invalid."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(required).contains(version, prereleases=True)
    except InvalidSpecifier:
        return True
