"""Print poetry.lock as a pip requirements file with hashes, for this interpreter.

`scripts/setup` installs with pip, so that a fresh machine needs nothing but
Python: no Poetry has to be installed first, and the lock file stays the only
list of versions. Every extra and group is included.
"""

import sys
import tomllib
from pathlib import Path

# pip's own copy: it is in every fresh virtual environment, packaging is not.
from pip._vendor.packaging.markers import Marker

EXTRAS = ("services", "target")


def applies(package: dict[str, object]) -> bool:
    """Say whether a locked package is wanted on this interpreter."""
    markers = package.get("markers")
    if markers is None:
        return True
    # Poetry writes one marker for all groups, or a table of one per group.
    texts = markers.values() if isinstance(markers, dict) else [markers]
    return any(
        Marker(str(text)).evaluate({"extra": extra})
        for text in texts
        for extra in ("", *EXTRAS)
    )


def main() -> int:
    """Write one pinned, hashed line for each package to standard output."""
    lock = Path(__file__).parent.parent / "poetry.lock"
    for package in tomllib.loads(lock.read_text(encoding="utf-8"))["package"]:
        if applies(package):
            hashes = " ".join(f"--hash={file['hash']}" for file in package["files"])
            print(f"{package['name']}=={package['version']} {hashes}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
