"""Is Assay's power unchanged? A few whole runs of +5 % CPU, and of identical code.

The runs are like the whole runs of `scripts/study_verdicts`. That study also measures
launches of many variants, which takes hours. This study leaves them out and takes
minutes. Its page compares the runs with the stored outcomes of `study_verdicts`.
Finished runs are stored, so the study can be stopped and continued.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from assay.wording import percent
from scripts.studies import storage, verdicts
from scripts.studies.outcomes import (
    ANY,
    ASSAY,
    IDENTICAL,
    MAX_SECONDS,
    Outcome,
    Share,
    is_different,
    is_slower,
    select,
)
from scripts.studies.pages import (
    Goal,
    goal_summary,
    goal_table,
    markdown_table,
    publish,
)
from scripts.studies.storage import append_row, read_rows, scratch_folder

BEFORE = Path("reports/reference/verdicts-quiet.json")
SLOWER = verdicts.RUNS_EFFECT
PAGE = Path("reports/reference/power.md")


def measure(output: Path, runs: dict[str, int]) -> None:
    """Do whole runs until there are enough of each effect, alternating the effects.

    Args:
        output: The study's folder.
        runs: For each effect, the number of runs.
    """
    slower_rounds = verdicts.extra_rounds(output)[SLOWER]
    while todo := [e for e, n in runs.items() if len(of_effect(read(output), e)) < n]:
        for effect in todo:
            storage.note_machine(output, "aa")
            seed = len(of_effect(read(output), effect))
            more = slower_rounds if effect == SLOWER else 0
            with scratch_folder() as folder:
                outcome = verdicts.whole_run("quiet", folder, ASSAY, effect, more, seed)
            append_row(output / "runs.jsonl", asdict(outcome))
            verdict = f"{outcome.verdict} after {outcome.launches} launches"
            print(f"{effect} run {seed}: {verdict}, {outcome.seconds} s")


def read(output: Path) -> list[Outcome]:
    """Return the outcomes of the stored runs."""
    return [Outcome(**row) for row in read_rows(output / "runs.jsonl")]


def read_before(path: Path) -> list[Outcome]:
    """Return the verdicts of Assay's comparisons in the study of verdicts."""
    if not path.exists():
        return []
    rows = json.loads(path.read_text())["outcomes"]
    outcomes = [Outcome(**row) for row in rows]
    return select(outcomes, noise="quiet", rule=ASSAY, metric=ANY)


def of_effect(outcomes: Sequence[Outcome], effect: str) -> list[Outcome]:
    """Return the outcomes of an effect."""
    return select(outcomes, effect=effect)


def goals(now: Sequence[Outcome], before: Sequence[Outcome]) -> list[Goal]:
    """Judge Assay by every goal; one goal is the power in the study of verdicts.

    Args:
        now: The runs of this study.
        before: The outcomes of the study of verdicts; there may be none.
    """
    slower_now, slower_before = of_effect(now, SLOWER), of_effect(before, SLOWER)
    power = Share.of(slower_now, is_slower)
    power_before = Share.of(slower_before, is_slower)
    required = "as often as before"
    if slower_before:
        required = f"at least {percent(power_before.value)}"
    max_seconds, seconds = MAX_SECONDS["quiet"], _median_seconds(slower_now)
    identical = of_effect(now, IDENTICAL)
    false = Share.of(identical, is_different)
    return [
        Goal(
            f"{SLOWER} called slower",
            required,
            f"{power.count} of {power.total}",
            power.value >= power_before.value if slower_now and slower_before else None,
        ),
        Goal(
            f"median time for {SLOWER}",
            f"at most {max_seconds:g} s",
            _seconds_cell(seconds),
            None if seconds is None else seconds <= max_seconds,
        ),
        Goal(
            "false verdicts on identical code",
            "none",
            f"{false.count} of {false.total}",
            not false.count if identical else None,
        ),
    ]


def table(now: Sequence[Outcome], before: Sequence[Outcome]) -> str:
    """Return the table of the verdicts, now and before."""
    rows = []
    for effect in (SLOWER, IDENTICAL):
        for when, outcomes in (
            ("now", of_effect(now, effect)),
            ("before", of_effect(before, effect)),
        ):
            if not outcomes:
                continue
            words = [outcome.verdict for outcome in outcomes]
            rows.append(
                [
                    *(effect, when, str(len(outcomes))),
                    *(str(words.count(word)) for word in ("slower", "same")),
                    *(str(words.count(word)) for word in ("faster", "undecided")),
                    f"{statistics.median(o.launches for o in outcomes):g}",
                    _seconds_cell(_median_seconds(outcomes)),
                ]
            )
    header = ["effect", "", "runs", "slower", "same", "faster", "undecided"]
    return markdown_table([*header, "median launches", "median time"], rows)


def page(
    now: Sequence[Outcome], before: Sequence[Outcome], machines: Sequence[str]
) -> str:
    """Return the page."""
    judged = goals(now, before)
    parts = [
        "# Is Assay's power unchanged?",
        goal_summary(judged),
        goal_table(judged),
        "## Assay's verdicts",
        "Whole runs of the command on a quiet machine, with the service of "
        "`study_verdicts`. *Before* is the last measurement of that study; for "
        f"{IDENTICAL} it has launches of many arms, not whole runs.",
        table(now, before),
        "## How to repeat it",
        f"Measured on {' and '.join(machines) or 'an unknown machine'}.",
        "```console\n$ ./scripts/study_aa --page\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _median_seconds(outcomes: Sequence[Outcome]) -> float | None:
    seconds = [o.seconds for o in outcomes if o.seconds is not None]
    return statistics.median(seconds) if seconds else None


def _seconds_cell(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.1f} s"


def main() -> None:
    """Measure what is missing, print the page, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="of slower code")
    parser.add_argument("--identical", type=int, default=5, help="of identical code")
    parser.add_argument("--output", type=Path, default=Path("reports/study-aa"))
    parser.add_argument(
        "--page", type=Path, nargs="?", const=PAGE, help=f"write {PAGE}"
    )
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    measure(options.output, {SLOWER: options.runs, IDENTICAL: options.identical})
    machines = storage.machines(options.output, "aa")
    publish(page(read(options.output), read_before(BEFORE), machines), options.page)


if __name__ == "__main__":
    main()
