"""The pages that studies write: Markdown on standard output, and in a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.wording import counted

MET = {True: "met", False: "**missed**", None: "not judged"}


@dataclass(frozen=True)
class Target:
    """What was wanted of Assay and what was found; `met` is None if not judged."""

    what: str
    wanted: str
    found: str
    met: bool | None


def target_table(targets: Sequence[Target]) -> str:
    """Return the table of every target, with what was found."""
    rows = [
        [t.what, t.wanted, "–" if t.met is None else t.found, MET[t.met]]
        for t in targets
    ]
    return headed(["target", "wanted", "found", ""], rows)


def answer(targets: Sequence[Target]) -> str:
    """Return the paragraph that says how many targets are met, and which are not."""
    missed = [t for t in targets if t.met is False]
    open_ = [t.what for t in targets if t.met is None]
    met, of_all = sum(t.met is True for t in targets), counted(len(targets), "target")
    said = [f"Assay **meets** {met or 'none'} of {of_all}."]
    if missed:
        parts = [f"{t.what}: {t.found}, wanted {t.wanted}" for t in missed]
        said.append(f"It **misses** {len(missed)}: {'; '.join(parts)}.")
    if open_:
        said.append(f"**Not judged**, for want of outcomes: {'; '.join(open_)}.")
    return " ".join(said)


def headed(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, or that there is nothing to put into it."""
    if not rows:
        return "Not measured."
    return table_of([head, ["---"] * len(head), *rows])


def table_of(lines: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a Markdown table; the second row rules off the first."""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def put(text: str, page: Path | None) -> None:
    """Print a page, and write it to a file if there is to be one."""
    print(text)
    if page:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
