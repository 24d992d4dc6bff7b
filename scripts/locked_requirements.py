"""Print poetry.lock as a pip requirements file with hashes, for this interpreter.

`scripts/setup` installs with pip, so that a fresh machine needs nothing but
Python: no Poetry has to be installed first, and the lock file stays the only
list of versions. Every extra and group is included; `--only EXTRA` leaves out what
neither the package of that extra nor anything of it needs.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

# pip's own copy: it is in every fresh virtual environment, packaging is not.
from pip._vendor.packaging.markers import Marker

EXTRAS = ("services", "target")


def applies(package: dict[str, Any]) -> bool:
    """Say whether a locked package is wanted on this interpreter."""
    markers = package.get("markers")
    if markers is None:
        return True
    # Poetry writes one marker for all groups, or a table of one per group, in which a
    # group that always wants the package has none.
    if isinstance(markers, dict) and set(package["groups"]) - set(markers):
        return True
    texts = markers.values() if isinstance(markers, dict) else [markers]
    return any(
        Marker(str(text)).evaluate({"extra": extra})
        for text in texts
        for extra in ("", *EXTRAS)
    )


def needed(packages: dict[str, Any], wanted: list[str]) -> set[str]:
    """Return the names of what requirements need, and of what that needs."""
    found: set[str] = set()
    queue = [split(text) for text in wanted]
    while queue:
        name, extras = queue.pop()
        package = packages.get(name)
        if package is None:
            continue  # for another system
        more = [
            requirement
            for extra in extras
            for requirement in package.get("extras", {}).get(extra, ())
        ]
        if name not in found:
            found.add(name)
            dependencies = package.get("dependencies", {})
            more += [one for one, spec in dependencies.items() if not optional(spec)]
        queue += [split(text) for text in more]
    return found


def split(requirement: str) -> tuple[str, tuple[str, ...]]:
    """Return the normalised name and the extras of a requirement."""
    match = re.match(r"([\w.-]+)(?:\[([^\]]*)\])?", requirement)
    assert match, requirement
    extras = tuple(extra.strip() for extra in (match[2] or "").split(",") if extra)
    return re.sub(r"[-_.]+", "-", match[1]).lower(), extras


def optional(specification: object) -> bool:
    """Say whether a dependency is one of an extra only."""
    return isinstance(specification, dict) and bool(specification.get("optional"))


def main() -> int:
    """Write one pinned, hashed line for each package to standard output."""
    here = Path(__file__).parent.parent
    lock = tomllib.loads((here / "poetry.lock").read_text(encoding="utf-8"))
    only = None
    if sys.argv[1:2] == ["--only"]:
        project = tomllib.loads((here / "pyproject.toml").read_text(encoding="utf-8"))
        wanted = project["project"]["optional-dependencies"][sys.argv[2]]
        by_name = {package["name"].lower(): package for package in lock["package"]}
        only = needed(by_name, wanted)
    for package in lock["package"]:
        if applies(package) and (only is None or package["name"].lower() in only):
            hashes = " ".join(f"--hash={file['hash']}" for file in package["files"])
            print(f"{package['name']}=={package['version']} {hashes}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
