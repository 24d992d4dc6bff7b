"""Print poetry.lock as a pip requirements file with hashes, for this interpreter.

`scripts/setup` installs with pip, so that a fresh machine needs only Python, and not
Poetry. The lock file stays the only list of versions. All extras and groups are
included. `--only EXTRA` prints just the packages that this extra needs, directly or
indirectly.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

# pip's own copy: a fresh virtual environment has it, but not `packaging`.
from pip._vendor.packaging.markers import Marker

EXTRAS = ("services", "target")


def applies(package: dict[str, Any]) -> bool:
    """Say whether a locked package is needed on this interpreter."""
    markers = package.get("markers")
    if markers is None:
        return True
    # Poetry writes one marker for all groups, or a table with one marker per group. A
    # group that always needs the package has no marker in the table.
    if isinstance(markers, dict) and set(package["groups"]) - set(markers):
        return True
    texts = markers.values() if isinstance(markers, dict) else [markers]
    return any(
        Marker(str(text)).evaluate({"extra": extra})
        for text in texts
        for extra in ("", *EXTRAS)
    )


def needed(packages: dict[str, Any], requirements: list[str]) -> set[str]:
    """Return the names of all packages that requirements need, directly or indirectly.

    Args:
        packages: The locked packages, by name.
        requirements: Requirements such as ``psycopg[binary]>=3``.
    """
    names: set[str] = set()
    queue = [parse_requirement(text) for text in requirements]
    while queue:
        name, extras = queue.pop()
        package = packages.get(name)
        if package is None:
            continue  # it is for another system
        more = [
            requirement
            for extra in extras
            for requirement in package.get("extras", {}).get(extra, ())
        ]
        if name not in names:
            names.add(name)
            dependencies = package.get("dependencies", {})
            more += [d for d, spec in dependencies.items() if not is_optional(spec)]
        queue += [parse_requirement(text) for text in more]
    return names


def parse_requirement(requirement: str) -> tuple[str, tuple[str, ...]]:
    """Return the normalised name and the extras of a requirement."""
    match = re.match(r"([\w.-]+)(?:\[([^\]]*)\])?", requirement)
    assert match, requirement
    extras = tuple(extra.strip() for extra in (match[2] or "").split(",") if extra)
    return re.sub(r"[-_.]+", "-", match[1]).lower(), extras


def is_optional(specification: object) -> bool:
    """Say whether a dependency belongs to an extra only."""
    return isinstance(specification, dict) and bool(specification.get("optional"))


def main() -> int:
    """Write one pinned, hashed line for each package to standard output."""
    root = Path(__file__).parent.parent
    lock = tomllib.loads((root / "poetry.lock").read_text(encoding="utf-8"))
    only = None
    if sys.argv[1:2] == ["--only"]:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        requirements = project["project"]["optional-dependencies"][sys.argv[2]]
        by_name = {package["name"].lower(): package for package in lock["package"]}
        only = needed(by_name, requirements)
    for package in lock["package"]:
        if applies(package) and (only is None or package["name"].lower() in only):
            hashes = " ".join(f"--hash={file['hash']}" for file in package["files"])
            print(f"{package['name']}=={package['version']} {hashes}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
