"""Finds what the package of a checkout requires, from its files or from a build."""

import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from email.parser import HeaderParser
from pathlib import Path

from assay.errors import MeasureError
from assay.subject.builds import Build, find_uv
from assay.subject.interpreters import Interpreter
from assay.subject.poetry_lock import holds
from assay.subject.project import AUTOMATIC, Project


def required_by_package(
    build: Build,
    project: Project,
    extras: Sequence[str],
    groups: Sequence[str],
    interpreter: Interpreter,
) -> list[str]:
    """Return the requirements of a project's package, with extras and groups.

    Args:
        build: Runs a build of the package, if only that tells the requirements.
        project: The project.
        extras: Extras that are wanted. If extras and groups are both empty, those of
            `AUTOMATIC` are wanted.
        groups: Dependency groups that are wanted, as for extras.
        interpreter: The Python that the requirements are for.

    Raises:
        MeasureError: The build failed.
    """
    if extras or groups:
        # If any are named, nothing else is installed: no project has the name `-`.
        extras, groups = extras or ("-",), groups or ("-",)
    static = project.static_requirements(extras, groups)
    if not project.is_dynamic:
        return static
    return static + _from_build(build, project, extras or AUTOMATIC, interpreter)


def copied(project: Project, place: Path) -> Path:
    """Copy a checkout, so that a build leaves nothing in the original.

    The copy includes ``.git``, because tools derive the version from it.

    Returns:
        The folder of the project in the copy.
    """
    shutil.copytree(project.checkout, place, symlinks=True)
    return place / os.path.relpath(project.folder, project.checkout)


def _from_build(
    build: Build, project: Project, extras: Sequence[str], interpreter: Interpreter
) -> list[str]:
    with tempfile.TemporaryDirectory(dir=build.log.parent) as temporary:
        folder = copied(project, Path(temporary) / "copy")
        wheels = Path(temporary) / "wheels"
        uv = find_uv()
        if uv:
            base = os.fspath(interpreter.path)
            words = [*uv, "build", "--wheel", "--python", base]
            build.run(*words, "--out-dir", wheels, folder)
        else:
            pip = build.log.with_name("venv") / "bin" / "python"
            words = [os.fspath(pip), "-m", "pip", "wheel", "--no-deps"]
            build.run(*words, "--wheel-dir", wheels, folder)
        return _requirements_of(next(wheels.glob("*.whl")), extras, interpreter)


def _requirements_of(
    wheel: Path, extras: Sequence[str], interpreter: Interpreter
) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        names = [
            x
            for x in archive.namelist()
            if re.fullmatch(r"[^/]+\.dist-info/METADATA", x)
        ]
        if not names:
            raise MeasureError(f"{wheel.name}: the wheel has no metadata")
        text = archive.read(names[0]).decode("utf-8", "replace")
    requirements = []
    for required in HeaderParser().parsestr(text).get_all("Requires-Dist", []):
        requirement, _, marker = required.partition(";")
        if not marker.strip() or holds(marker.strip(), extras, interpreter.markers):
            requirements.append(requirement.strip())
    return requirements
