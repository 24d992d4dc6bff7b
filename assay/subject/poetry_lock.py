"""Reads poetry.lock, so that its packages can be installed without Poetry.

`scripts/locked_requirements.py` loads this file by its path, before anything is
installed. So this file imports only the standard library and what comes with pip.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

try:
    from packaging.markers import Marker
except ImportError:  # a fresh virtual environment has only pip's own copy
    from pip._vendor.packaging.markers import Marker  # type: ignore[assignment]

type Package = dict[str, Any]


def applies(
    package: Package,
    extras: Collection[str],
    groups: Collection[str] | None = None,
    interpreter: Mapping[str, str] | None = None,
) -> bool:
    """Return whether a locked package is needed.

    Args:
        package: An entry of the lock file, as Poetry 2 writes it.
        extras: The extras that are installed.
        groups: The groups that are installed; all if None.
        interpreter: The values of markers, such as ``python_version``; None for the
            values of this interpreter.
    """
    its_groups = set(package.get("groups", ["main"]))
    wanted = its_groups if groups is None else its_groups & set(groups)
    if not wanted:
        return False
    markers = package.get("markers")
    if markers is None:
        return True
    # Poetry writes one marker for all groups, or a table with one marker per group. A
    # group that always needs the package has no marker in the table.
    if isinstance(markers, dict) and wanted - set(markers):
        return True
    texts = (
        [markers[group] for group in sorted(wanted)]
        if isinstance(markers, dict)
        else [markers]
    )
    return any(holds(str(text), extras, interpreter) for text in texts)


def holds(
    marker: str, extras: Collection[str], interpreter: Mapping[str, str] | None = None
) -> bool:
    """Return whether a marker is true for any of the extras, or without an extra."""
    parsed = Marker(marker)
    return any(
        parsed.evaluate({**(interpreter or {}), "extra": extra})
        for extra in ("", *extras)
    )


def needed(
    packages: Mapping[str, Package],
    requirements: Iterable[str],
    interpreter: Mapping[str, str] | None = None,
) -> set[str]:
    """Return the names of all packages that requirements need, directly or indirectly.

    Args:
        packages: The locked packages, by normalised name.
        requirements: Requirements such as ``psycopg[binary]>=3``.
        interpreter: The values of markers; None for the values of this interpreter.
    """
    names: set[str] = set()
    seen: set[tuple[str, tuple[str, ...]]] = set()
    queue = [parse_requirement(text) for text in requirements]
    while queue:
        name, extras = entry = queue.pop()
        package = packages.get(name)
        if package is None or entry in seen:
            continue  # not in the lock file, or seen before
        seen.add(entry)
        names.add(name)
        for extra in extras:
            listed = package.get("extras", {}).get(extra, ())
            queue += [parse_requirement(requirement) for requirement in listed]
        for dependency, specification in package.get("dependencies", {}).items():
            more = _extras_if_needed(specification, interpreter)
            if more is not None:
                queue.append((normalised(dependency), more))
    return names


def parse_requirement(requirement: str) -> tuple[str, tuple[str, ...]]:
    """Return the normalised name and the extras of a requirement."""
    match = re.match(r"([\w.-]+)(?:\[([^\]]*)\])?", requirement)
    assert match, requirement
    extras = tuple(extra.strip() for extra in (match[2] or "").split(",") if extra)
    return normalised(match[1]), extras


def normalised(name: str) -> str:
    """Return the name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_lines(
    packages: Iterable[Package], lock: Mapping[str, Any], folder: Path
) -> Iterator[str]:
    """Yield one line of a requirements file for each package.

    The line of a package from an index or a local file has hashes; that of a package
    from git or a URL has none. Packages from a local folder are left out.

    Args:
        packages: Entries of the lock file.
        lock: The whole lock file.
        folder: Its folder, to which the paths of local files are relative.
    """
    for package in packages:
        source = package.get("source", {})
        kind = source.get("type", "")
        if kind == "directory":
            continue
        if kind == "git":
            revision = source.get("resolved_reference") or source["reference"]
            line = f"{package['name']} @ git+{source['url']}@{revision}"
            within = source.get("subdirectory")
            yield f"{line}#subdirectory={within}" if within else line
        elif kind == "url":
            yield f"{package['name']} @ {source['url']}"
        else:
            # Before Poetry 1.5 the hashes stood at the end of the lock file.
            files = package.get("files") or lock.get("metadata", {}).get(
                "files", {}
            ).get(package["name"], ())
            hashes = " ".join(f"--hash={file['hash']}" for file in files)
            wanted = f"{package['name']}=={package['version']}"
            if kind == "file":
                place = Path(os.path.abspath(folder / source["url"]))
                wanted = f"{package['name']} @ {place.as_uri()}"
            yield f"{wanted} {hashes}".rstrip()


def indexes(packages: Iterable[Package]) -> list[str]:
    """Return the URLs of the indexes, other than PyPI, that packages come from."""
    sources = [package.get("source", {}) for package in packages]
    urls = [source["url"] for source in sources if source.get("type") == "legacy"]
    return list(dict.fromkeys(urls))


def _extras_if_needed(
    specification: object, interpreter: Mapping[str, str] | None
) -> tuple[str, ...] | None:
    """Return the extras of a dependency; None if it is not needed here."""
    if isinstance(specification, list):  # one entry for each range of versions
        extras_by_entry = [
            _extras_if_needed(entry, interpreter) for entry in specification
        ]
        return next((extras for extras in extras_by_entry if extras is not None), None)
    if not isinstance(specification, dict):
        return ()
    marker = specification.get("markers")
    if specification.get("optional") or (
        marker is not None and not holds(str(marker), (), interpreter)
    ):
        return None
    return tuple(specification.get("extras", ()))
