"""Give a hint if a start seems to fail because of files that another start left."""

import itertools
import os
import re
from pathlib import Path

import psutil

from assay.experiment import copies
from assay.plan import Topic, Variant
from assay.system import processes

LINES = 60  # how many lines of a log are searched
MAX_NAMED = 3  # how many files a message names
_MET = re.compile(
    r"already exists|database is locked|UNIQUE constraint failed|\bFile exists\b"
    r"|duplicate column name"
)
# Messages of PostgreSQL, MySQL and their drivers: a copy of the folder would not help.
_OF_A_SERVER = re.compile(
    r'(relation|schema|database|type|role) ".*" already exists'
    r"|Table '.*' already exists|Duplicate(Table|Object)"
)


def hint(topic: Topic, variant: Variant, child: processes.Child | None) -> str:
    """Return advice if a command met files that another start left in its folder.

    Args:
        topic: The topic.
        variant: The variant whose command ended or does not get ready.
        child: Its process; None if Assay did not start it.

    Returns:
        Lines for the end of an error message; empty if the log shows no such problem.
    """
    log = child.last_lines(LINES) if child else ""
    if not _MET.search(log) or _OF_A_SERVER.search(log):
        return ""
    if topic.target.copied:
        return (
            "\n  it may have met what an earlier start left outside of its folder; "
            "copy = true restores only its folder: set cwd in [target] of "
            f"{topic.file} to a folder that holds everything that must be restored"
        )
    folder = topic.cwd_of(variant)
    changed = _changed(folder)
    which = f", such as {', '.join(changed)}" if changed else ""
    return (
        f"\n  it may have met what another start left in {folder}{which}; type "
        f"copy = true in [target] of {topic.file}: then every launch of a variant gets "
        "a fresh copy of that folder"
    )


def _changed(folder: Path) -> list[str]:
    """Return the files in a folder that changed after Assay started, latest first."""
    since = psutil.Process().create_time()
    times: dict[str, float] = {}
    try:
        for entry in itertools.islice(copies.entries(folder), copies.MAX_FILES):
            if entry.is_file(follow_symlinks=False):
                changed = entry.stat(follow_symlinks=False).st_mtime
                if changed >= since:
                    times[os.path.relpath(entry.path, folder)] = changed
    except OSError:
        pass  # the hint is right without names
    return sorted(times, key=times.__getitem__, reverse=True)[:MAX_NAMED]
