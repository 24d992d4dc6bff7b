"""Is Assay's power what it was? A few whole runs of +5 % CPU, and of identical code.

The runs are those of `scripts/study_verdicts`, without its launches of many arms, so
that they take minutes; what that study found when it was measured last is beside
them. Runs that are done are kept, so the study can be stopped and continued.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from assay.wording import percent
from scripts.studies import verdicts
from scripts.studies.kept import keep, rows, workshop
from scripts.studies.outcomes import (
    ANY,
    ASSAY,
    IDENTICAL,
    MOST_SECONDS,
    Outcome,
    Share,
    chosen,
    is_false,
    is_slower,
)
from scripts.studies.pages import Target, answer, headed, put, target_table

BEFORE = Path("reports/reference/verdicts-quiet.json")
SLOWER = verdicts.WHOLE
PAGE = Path("reports/reference/power.md")


def measure(output: Path, wanted: dict[str, int]) -> None:
    """Do whole runs until there are enough of each effect, one effect after the other.

    Args:
        output: The study's folder.
        wanted: Effect to its number of runs.
    """
    rounds = verdicts.rounds_for(output)[SLOWER]
    while todo := [e for e, n in wanted.items() if len(of(read(output), e)) < n]:
        for effect in todo:
            verdicts.note_machine(output, "aa")
            seed = len(of(read(output), effect))
            more = rounds if effect == SLOWER else 0
            with workshop() as folder:
                one = verdicts.whole_run("quiet", folder, ASSAY, effect, more, seed)
            keep(output / "runs.jsonl", asdict(one))
            said = f"{one.verdict} after {one.launches} launches"
            print(f"{effect} run {seed}: {said}, {one.seconds} s")


def read(output: Path) -> list[Outcome]:
    """Return the runs that were kept."""
    return [Outcome(**row) for row in rows(output / "runs.jsonl")]


def before(path: Path) -> list[Outcome]:
    """Return what the study of verdicts found in its whole runs, if it is there."""
    if not path.exists():
        return []
    found = [Outcome(**row) for row in json.loads(path.read_text())["outcomes"]]
    return chosen(found, noise="quiet", rule=ASSAY, metric=ANY)


def of(found: Sequence[Outcome], effect: str) -> list[Outcome]:
    """Return the runs of an effect."""
    return chosen(found, effect=effect)


def targets(found: Sequence[Outcome], was: Sequence[Outcome]) -> list[Target]:
    """Judge Assay by what it found before.

    Args:
        found: The runs of now.
        was: Those of before.
    """
    now, then = of(found, SLOWER), of(was, SLOWER)
    share, old = Share.of(now, is_slower), Share.of(then, is_slower)
    judged = [
        Target(
            f"{SLOWER} called slower",
            f"at least {percent(old.value)}" if then else "as often as before",
            f"{share.count} of {share.total}",
            share.value >= old.value if now and then else None,
        )
    ]
    most, seconds = MOST_SECONDS["quiet"], _seconds(now)
    judged.append(
        Target(
            f"median time for {SLOWER}",
            f"at most {most:g} s",
            _cell(seconds),
            None if seconds is None else seconds <= most,
        )
    )
    same = of(found, IDENTICAL)
    false = Share.of(same, is_false)
    judged.append(
        Target(
            "false verdicts on identical code",
            "none",
            f"{false.count} of {false.total}",
            not false.count if same else None,
        )
    )
    return judged


def table(found: Sequence[Outcome], was: Sequence[Outcome]) -> str:
    """Return the table of what was said, now and before."""
    lines = []
    for effect in (SLOWER, IDENTICAL):
        for when, own in (("now", of(found, effect)), ("before", of(was, effect))):
            if not own:
                continue
            words = [one.verdict for one in own]
            lines.append(
                [
                    *(effect, when, str(len(own))),
                    *(str(words.count(word)) for word in ("slower", "same")),
                    *(str(words.count(word)) for word in ("faster", "undecided")),
                    f"{statistics.median(one.launches for one in own):g}",
                    _cell(_seconds(own)),
                ]
            )
    head = ["effect", "", "runs", "slower", "same", "faster", "undecided"]
    return headed([*head, "median launches", "median time"], lines)


def page(
    found: Sequence[Outcome], was: Sequence[Outcome], machines: Sequence[str]
) -> str:
    """Return the page."""
    judged = targets(found, was)
    parts = [
        "# Is Assay's power what it was?",
        answer(judged),
        target_table(judged),
        "## What Assay said",
        "Whole runs of the command, quiet, with the service of `study_verdicts`. "
        f"*Before* is what that study found when it was measured last; of {IDENTICAL} "
        "it has launches of many arms, not whole runs.",
        table(found, was),
        "## How to repeat it",
        f"Measured on {' and '.join(machines) or 'a machine not noted'}.",
        "```console\n$ ./scripts/study_aa --page\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _seconds(own: Sequence[Outcome]) -> float | None:
    known = [one.seconds for one in own if one.seconds is not None]
    return statistics.median(known) if known else None


def _cell(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.1f} s"


def main() -> None:
    """Measure what is missing, print the page, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help=f"of {SLOWER}")
    parser.add_argument("--identical", type=int, default=5, help="of identical code")
    parser.add_argument("--output", type=Path, default=Path("reports/study-aa"))
    parser.add_argument(
        "--page", type=Path, nargs="?", const=PAGE, help=f"write {PAGE}"
    )
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    measure(options.output, {SLOWER: options.runs, IDENTICAL: options.identical})
    machines = verdicts.machines(options.output, "aa")
    put(page(read(options.output), before(BEFORE), machines), options.page)


if __name__ == "__main__":
    main()
