"""Makes the text of a comment from a run that someone else may have made.

On pull requests from forks, the run directory comes from an artifact that the fork's
code could have written. So no text is copied from it. The summary is rendered again
from the data, and everything in it is escaped.
"""

import os
import re
from pathlib import Path

from assay.errors import InputError
from assay.report import markdown
from assay.run_directory.directory import RESULTS, NotARunError
from assay.run_directory.run import RunDirectory

BAD_INPUT, NOT_MEASURED = 2, 4
MOST_BYTES = (
    50_000_000  # of plan.json or results.json: ten times what 10,000 tests need
)
_WHAT = {
    BAD_INPUT: "Something in the input is wrong (exit code 2).",
    NOT_MEASURED: "It could not be measured (exit code 4).",
}


def marker(key: str = "") -> str:
    """Return the first line of a comment, by which the comment is found again.

    Args:
        key: Distinguishes several comparisons on a pull request; empty if there is one.

    Raises:
        InputError: The key is too long, or has characters that are not allowed.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]{0,100}", key) or "--" in key:
        raise InputError(
            f"--key: expected letters, digits, _ . and single -, and not {key!r}"
        )
    return f"<!-- assay:compare {key} -->" if key else markdown.MARKER


def comment(run: Path, code: int | None, link: str, key: str = "") -> str:
    """Return the text of a comment on a run.

    Args:
        run: The run directory; it may be missing or damaged.
        code: The exit code of the command that made the run; None if unknown.
        link: The URL of the workflow run with the whole report; empty if there is none.
        key: See `marker`.

    Raises:
        InputError: The key is not valid.
    """
    first = marker(key)
    summary = _summary(run)
    lines = [first, ""]
    if summary is None:
        lines += ["## The comparison could not be made", ""]
        lines += [_WHAT.get(code or 0, "There are no results."), ""]
        lines += ["The log of the run says why, and what to do.", ""]
    else:
        if code in _WHAT:
            lines += [f"**{_WHAT[code]} What follows may be incomplete.**", ""]
        lines += [summary, ""]
    if link:
        lines.append(f"[The run, with the whole report as its artifact]({link})")
    return "\n".join(lines).rstrip() + "\n"


def _summary(run: Path) -> str | None:
    """Return the summary of a run without its marker; None if it cannot be read."""
    try:
        names = (RunDirectory.PLAN, RESULTS)
        if any(os.path.getsize(run / name) > MOST_BYTES for name in names):
            return None
        text = markdown.render(RunDirectory.open(run))
    except (
        *(NotARunError, OSError, ValueError, LookupError, ArithmeticError),
        RecursionError,
    ):
        return None
    return text.removeprefix(markdown.MARKER).strip()
