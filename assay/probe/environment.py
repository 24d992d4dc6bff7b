"""How Assay puts the probe into a target, and asks it for its totals."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = "ASSAY_PROBE"  # where the totals are written
PROJECT = "ASSAY_PROBE_PROJECT"  # the folder whose files are the user's own code
PARTS = "ASSAY_PROBE_PARTS"  # what is observed, joined by commas
ASK = "ask"  # the file with the number of the totals that are wanted
SITE = Path(__file__).parent / "site"


def variables(
    folder: Path, project: Path, parts: Sequence[str], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables that put the probe into a process and its children.

    Args:
        folder: Where it writes its totals; it must exist.
        project: The folder whose files are the user's own code.
        parts: Names of what is observed, such as `waits`; see `assay.probe.start`.
        environment: The target's own variables.
    """
    behind = environment.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    return {
        FOLDER: str(folder.resolve()),
        PROJECT: str(project.resolve()),
        PARTS: ",".join(parts),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(SITE), behind))),
    }
