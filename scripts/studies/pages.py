"""The pages that studies write: Markdown on standard output, and in a file."""

from collections.abc import Sequence
from pathlib import Path


def table_of(lines: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a Markdown table; the second row rules off the first."""
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def put(text: str, page: Path | None) -> None:
    """Print a page, and write it to a file if there is to be one."""
    print(text)
    if page:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
