"""Chooses the packages of a poetry.lock that its project needs."""

from typing import Any

from assay.subject import poetry_lock
from assay.subject.interpreters import Interpreter
from assay.subject.project import Project, Wanted, specifiers


def chosen(
    lock: dict[str, Any], project: Project, wanted: Wanted, interpreter: Interpreter
) -> list[dict[str, Any]]:
    """Return the packages of a project's poetry.lock that are to be installed.

    Args:
        lock: The content of the lock file.
        project: The project.
        wanted: The extras and groups to install.
        interpreter: The Python that the packages are for.
    """
    packages: list[dict[str, Any]] = lock.get("package", [])
    extras = wanted.extras_of(list(lock.get("extras", {})))
    tables = project.table("tool", "poetry", "group")
    named = [*tables, *project.table("dependency-groups"), "dev"]
    groups = wanted.groups_of(list(dict.fromkeys(named)))
    if all("groups" in package for package in packages):
        return [
            package
            for package in packages
            if poetry_lock.applies(
                package, extras, {"main", *groups}, interpreter.markers
            )
        ]
    # Poetry 1 does not say which groups need a package: follow the dependencies.
    roots = list(project.static_requirements(extras, groups))
    requirements = [project.table("tool", "poetry", "dependencies")]
    requirements += [tables.get(group, {}).get("dependencies", {}) for group in groups]
    if "dev" in groups:
        requirements.append(project.table("tool", "poetry", "dev-dependencies"))
    for table in requirements:
        roots += [_as_requirement(name, spec) for name, spec in table.items()]
    for extra in extras:
        roots += lock.get("extras", {}).get(extra, ())
    by_name = {poetry_lock.normalised(x["name"]): x for x in packages}
    names = poetry_lock.needed(by_name, roots, interpreter.markers)
    return [x for x in packages if poetry_lock.normalised(x["name"]) in names]


def _as_requirement(name: str, specification: Any) -> str:
    """Return an entry of Poetry's dependencies as a standard requirement."""
    if isinstance(specification, dict):
        extras = ",".join(specification.get("extras", ()))
        version = specifiers(str(specification.get("version", "*")))
        return f"{name}[{extras}]{version}" if extras else f"{name}{version}"
    version = specifiers(specification) if isinstance(specification, str) else ""
    return f"{name}{'==' if version[:1].isdigit() else ''}{version}"
