"""The names and environment variables that Assay and the probe share."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = "ASSAY_PROBE"  # the folder into which the probe writes its totals
PROJECT = "ASSAY_PROBE_PROJECT"  # the folders whose files are the user's own code
PACKAGES = "ASSAY_PROBE_PACKAGES"  # folders of packages that are also the user's own
PARTS = "ASSAY_PROBE_PARTS"  # names of the parts to start, joined by commas
PARTS_OF_PROBE = ("waits", "queries", "gc", "calls", "allocations", "startup")
FILES = "files"  # a further part: answers list the files that were imported
ASK = "ask"  # name of the file that holds the number of Assay's last question
SITE = Path(__file__).parent / "site"


def variables(
    folder: Path,
    project: Sequence[Path],
    packages: Sequence[Path],
    parts: Sequence[str],
    environment: Mapping[str, str],
) -> dict[str, str]:
    """Return the variables that put the probe into a process and its children.

    Args:
        folder: The folder into which the probe writes its totals; it must exist.
        project: The folders whose files are the user's own code.
        packages: Folders of installed packages that are also the user's own code.
        parts: The parts of the probe to start: some of `PARTS_OF_PROBE`, and `FILES`.
        environment: The target's own variables; only PYTHONPATH is used.
    """
    behind = environment.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    return {
        FOLDER: str(folder.resolve()),
        PROJECT: os.pathsep.join(str(folder.resolve()) for folder in project),
        PACKAGES: os.pathsep.join(str(folder.resolve()) for folder in packages),
        PARTS: ",".join(parts),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(SITE), behind))),
    }
