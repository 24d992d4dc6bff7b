"""The pages that studies write: Markdown on standard output, and in a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.wording import counted

MET_WORDS = {True: "met", False: "**missed**", None: "not judged"}


@dataclass(frozen=True)
class Goal:
    """Something that a study requires of Assay.

    Attributes:
        name: What is required: the label of its row in the table.
        required: The limit, in words.
        measured: What was measured, in words.
        met: Whether the goal is met; None if it could not be judged.
    """

    name: str
    required: str
    measured: str
    met: bool | None


def goal_table(goals: Sequence[Goal]) -> str:
    """Return the table of all goals, with what was measured."""
    rows = [
        [
            goal.name,
            goal.required,
            "–" if goal.met is None else goal.measured,
            MET_WORDS[goal.met],
        ]
        for goal in goals
    ]
    return markdown_table(["goal", "required", "measured", ""], rows)


def goal_summary(goals: Sequence[Goal]) -> str:
    """Return the paragraph that says how many goals are met, and which are not."""
    missed = [goal for goal in goals if goal.met is False]
    unjudged = [goal.name for goal in goals if goal.met is None]
    met = sum(goal.met is True for goal in goals)
    sentences = [f"Assay **meets** {met or 'none'} of {counted(len(goals), 'goal')}."]
    if missed:
        parts = [f"{g.name}: {g.measured}, required {g.required}" for g in missed]
        sentences.append(f"It **misses** {len(missed)}: {'; '.join(parts)}.")
    if unjudged:
        sentences.append(
            f"**Not judged**, because nothing was measured: {'; '.join(unjudged)}."
        )
    return " ".join(sentences)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, or "Not measured." if it has no rows."""
    if not rows:
        return "Not measured."
    return markdown_rows([header, ["---"] * len(header), *rows])


def markdown_rows(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as Markdown, one line for each row."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def publish(text: str, page: Path | None) -> None:
    """Print a page, and write it to a file if a path is given."""
    print(text)
    if page:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
