"""Find the files that a topic's servers import, to prove which code is measured."""

import os
import random
from collections.abc import Mapping
from pathlib import Path

from assay.experiment import rounds, target
from assay.plan import Topic, Variant
from assay.probe.environment import FILES
from assay.profilers.probe import Probe


def imported_files(
    topic: Topic, environment: Mapping[str, str], folder: Path
) -> dict[str, tuple[str, ...]]:
    """Start every variant once, and return the files that it has imported when ready.

    Args:
        topic: A topic whose servers Assay starts.
        environment: Environment variables for the servers.
        folder: A folder for temporary files.

    Raises:
        MeasureError: A variant did not start, or does not run Python.
    """
    probes = {
        variant.name: folder / "imported" / variant.name for variant in topic.variants
    }
    observed = [
        rounds.with_probe(topic, variant, probes[variant.name], environment, [FILES])
        for variant in topic.variants
    ]
    imported: dict[str, tuple[str, ...]] = {}
    with target.launched(
        topic, observed, environment, folder, (), random.Random(0)
    ) as running:
        for name in running:
            answers = Probe(probes[name]).totals().values()
            files = {file for answer in answers for file in answer.files}
            variant = topic.variant(name)
            imported[name] = tuple(sorted(_as_written(file, variant) for file in files))
    return imported


def _as_written(file: str, variant: Variant) -> str:
    """Return the path of a file; if it lies in a copy, the path of the original."""
    if variant.original is None or variant.cwd is None:
        return file
    copy = os.path.join(os.path.realpath(variant.cwd), "")
    whole = os.path.realpath(file)
    if not whole.startswith(copy):
        return file
    return os.path.join(variant.original, whole.removeprefix(copy))
