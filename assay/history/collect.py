"""Reads all runs in some folders, and says which are left out and why."""

from __future__ import annotations

from collections.abc import Iterable

from assay.errors import InputError
from assay.history_results import SkippedRun
from assay.run_directory import places, records
from assay.run_directory.directory import NotARunError
from assay.run_directory.records import Record
from assay.wording import counted, one_line


def collect(folders: Iterable[str]) -> tuple[list[Record], list[SkippedRun]]:
    """Read the runs in folders and below them.

    Args:
        folders: Paths or URLs.

    Returns:
        The runs, oldest first, and those that were left out.

    Raises:
        InputError: A folder cannot be searched, or there is no run that can be used.
    """
    folders = list(folders)
    place_of: dict[tuple[object, ...], str] = {}
    kept: list[Record] = []
    skipped: list[SkippedRun] = []
    for place in places.find(folders):
        try:
            record = records.read(place)
        except NotARunError as error:
            skipped.append(SkippedRun(place=place.name, reason=str(error)))
            continue
        # The same run may have been copied to another folder.
        identity = (record.run, record.date, record.measured[0])
        if identity in place_of:
            reason = f"the same run as {place_of[identity]}"
            skipped.append(SkippedRun(place=place.name, reason=reason))
            continue
        place_of[identity] = place.name
        kept.append(record)
    if not kept:
        raise InputError(_nothing(folders, skipped))
    return sorted(kept, key=lambda record: (record.date, record.run)), skipped


def _nothing(folders: list[str], skipped: list[SkippedRun]) -> str:
    """Return the message for folders without a usable run."""
    from assay.system import redaction

    where = ", ".join(redaction.text(folder) for folder in folders)
    if not skipped:
        return (
            f"{where}: no runs found. A run is a folder with results.json, plan.json "
            "and environment.json, as assay run writes it under reports/. Type: "
            "assay history reports"
        )
    lines = [f"{one_line(run.place)}: {one_line(run.reason)}" for run in skipped[:10]]
    if len(skipped) > len(lines):
        lines.append(f"and {len(skipped) - len(lines)} more")
    return (
        f"{where}: {counted(len(skipped), 'run')} found, but none that can be used:\n"
        + ("\n".join(f"  {line}" for line in lines))
    )
