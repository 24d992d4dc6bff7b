"""Read the lines around a place in the user's code, as they are during the run."""

import re
from pathlib import Path

from assay.observations import Source
from assay.system import redaction

AROUND = 5  # lines before and after
LONGEST = 200  # characters of a line that are kept
MAX_BYTES = 2_000_000  # a larger file is not read
_PLACE = re.compile(r"(?:^|.+ \()(?P<file>[^()]+):(?P<line>\d+)\)?$", re.DOTALL)
# A name, followed by `=` or `:` and then, somewhere in the line, a quote.
_NAME = re.compile(r"[\w.\"'\[\]-]+\s*[:=]\s*(?=.*[\"'])")


def source_of(root: Path, place: str) -> Source | None:
    """Return the lines around a place such as ``load (app/sales.py:31)``.

    If a line assigns a text to a name that sounds like a secret, the text is hidden.

    Args:
        root: The folder that the place's file is relative to.
        place: The place.

    Returns:
        The lines; None if the place is not in the user's code, or its file cannot be
        read.
    """
    match = _PLACE.match(place)
    if match is None:
        return None
    file = (root / match["file"]).resolve()
    try:
        if not file.is_relative_to(root.resolve()) or file.stat().st_size > MAX_BYTES:
            return None
        # Not splitlines(), because Python numbers lines by line feeds alone.
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return None
    line = int(match["line"])
    if not 1 <= line <= len(lines):
        return None
    first = max(1, line - AROUND)
    shown = lines[first - 1 : line + AROUND]
    return Source(
        line=line, first=first, lines=tuple(_without_secrets(text) for text in shown)
    )


def _without_secrets(text: str) -> str:
    """Hide the rest of a line that assigns a text to a name that sounds secret."""
    text = text[:LONGEST]
    for match in _NAME.finditer(text):
        if redaction.SECRET_NAME.search(match[0]):
            text = text[: match.end()] + redaction.HIDDEN
            break
    return redaction.text(text)
