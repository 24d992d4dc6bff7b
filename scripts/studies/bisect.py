"""Does `assay bisect` find the commit that makes something slower by 8 %?

Each run makes a new history of 64 commits, two of which do not compile, and runs the
whole command on its first and its last commit. Histories of the kinds `benchmark` and
`service` have one commit that makes a function 8 % slower. Those of the kind
`unchanged` have none.

Finished runs are stored, so the study can be stopped and continued.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.wording import counted
from scripts.studies import bisect_history
from scripts.studies.bisect_history import COMMITS, SLOWER
from scripts.studies.pages import Goal, goal_summary, goal_table, markdown_table
from scripts.studies.storage import (
    append_row,
    describe_machine,
    read_rows,
    scratch_folder,
)

ROOT = Path(__file__).parents[2]
ROWS = ROOT / "reports/reference/bisect.jsonl"
PAGE = ROOT / "reports/reference/bisect.md"
BENCHMARK, SERVICE, UNCHANGED = "benchmark", "service", "unchanged"
RUNS = {BENCHMARK: 10, SERVICE: 2, UNCHANGED: 10}
WHAT = {
    BENCHMARK: ["--benchmarks", "benchmarks"],
    SERVICE: ["--topic", "perf"],
    UNCHANGED: ["--benchmarks", "benchmarks"],
}
TIMEOUT = 3600.0


def run(kind: str, seed: int) -> dict[str, Any]:
    """Search one history; return the result as a row, with the true culprit.

    Raises:
        SystemExit: The command printed no results.
    """
    history = bisect_history.draw(seed, changes=kind != UNCHANGED)
    with scratch_folder() as folder:
        names = bisect_history.make(folder / "shop", history)
        command = [sys.executable, "-m", "assay", "bisect", names[0], names[-1]]
        command += WHAT[kind]
        command += ["--seed", str(seed), "--output", "reports/search", "--json"]
        began = time.monotonic()
        done = subprocess.run(
            [*command, "--no-profiles"],
            cwd=folder / "shop",
            env=_environment(folder),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        seconds = time.monotonic() - began
    try:
        state = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"assay bisect failed:\n{done.stdout}{done.stderr}") from None
    suspects = [names.index(sha) for sha in state["suspects"]]
    return {
        "kind": kind,
        "seed": seed,
        "exit": done.returncode,
        "outcome": state["outcome"],
        "suspects": suspects,
        "culprit": history.culprit,
        "steps": len(state["steps"]),
        "launches": sum(len(step["log_ratios"]) for step in state["steps"]),
        "checks": len(state["checks"]),
        "seconds": round(seconds, 1),
    }


def _environment(folder: Path) -> dict[str, str]:
    """Return variables that make the command use this virtual environment."""
    return {
        **os.environ,
        "VIRTUAL_ENV": sys.prefix,
        "ASSAY_CACHE": str(folder / "cache"),
        "PYTHONPATH": str(ROOT),
        # The benchmarks need neither plugin; importing both takes half of a launch.
        "PYTEST_ADDOPTS": "-p no:schemathesis -p no:hypothesispytest",
    }


def is_right(row: dict[str, Any]) -> bool:
    """Say whether a run named exactly the culprit, or no change if there is none."""
    if row["kind"] == UNCHANGED:
        return bool(row["outcome"] == "no change")
    return bool(row["outcome"] == "found" and row["suspects"] == [row["culprit"]])


def is_wrong(row: dict[str, Any]) -> bool:
    """Say whether a run named suspects that do not include the culprit."""
    return row["outcome"] == "found" and row["culprit"] not in row["suspects"]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table: a row for each kind."""
    lines = []
    for kind in RUNS:
        of_kind = [row for row in rows if row["kind"] == kind]
        if not of_kind:
            continue
        lines.append(
            [
                kind,
                f"{sum(map(is_right, of_kind))} of {len(of_kind)}",
                str(sum(map(is_wrong, of_kind))),
                f"{statistics.median(row['steps'] for row in of_kind):g}",
                f"{statistics.median(row['launches'] for row in of_kind):g}",
                f"{statistics.median(row['seconds'] for row in of_kind):.0f} s",
            ]
        )
    header = ["history", "right", "wrong commit", "steps", "launches in steps", "time"]
    return markdown_table(header, lines)


def goals(rows: Sequence[dict[str, Any]]) -> list[Goal]:
    """Judge Assay by every goal."""
    required = {BENCHMARK: 0.9, SERVICE: 1.0, UNCHANGED: 0.9}
    made = []
    for kind, share in required.items():
        of_kind = [row for row in rows if row["kind"] == kind]
        right = sum(map(is_right, of_kind))
        met = right >= share * len(of_kind) if len(of_kind) >= RUNS[kind] else None
        text = f"{right} of {len(of_kind)}"
        made.append(Goal(f"{kind}: right", f"{share:.0%} of {RUNS[kind]}", text, met))
    return made


def page(rows: Sequence[dict[str, Any]]) -> str:
    """Return the page."""
    required = goals(rows)
    return (
        "# Does `assay bisect` find the commit?\n\n"
        f"Each run searches a new history of {COMMITS} commits. Every commit edits the "
        "file of the measured function, two commits do not compile, and one, drawn at "
        f"random, makes the function do {SLOWER - 1:.0%} more. In *unchanged* none "
        "does. *Right* is the one commit, or *no change*; a range of commits is not "
        "right. The command ran with default settings, without profiles.\n\n"
        f"{goal_summary(required)}\n\n{table(rows)}\n\n"
        "Steps, launches and time are medians. The time is that of the whole command: "
        "both ends, the steps, and the last comparison, with the commit before.\n\n"
        f"{goal_table(required)}\n\n"
        f"{counted(len(rows), 'run')} on {' and '.join(_machines(rows))}.\n\n"
        "## How to repeat it\n\n```console\n$ ./scripts/study_bisect --page\n```\n"
    )


def _machines(rows: Sequence[dict[str, Any]]) -> list[str]:
    return sorted({str(row.get("machine", "an unknown machine")) for row in rows})


def main() -> None:
    """Run what is missing, print the page, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, help="of each kind")
    parser.add_argument("--kinds", default=",".join(RUNS), help="separated by commas")
    parser.add_argument("--output", type=Path, default=ROWS)
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    kinds = options.kinds.split(",")
    if unknown := [kind for kind in kinds if kind not in RUNS]:
        parser.error(f"--kinds: unknown: {unknown[0]!r}; expected {', '.join(RUNS)}")
    wanted = {k: RUNS[k] if options.runs is None else options.runs for k in kinds}
    for seed in range(max(wanted.values())):
        for kind in kinds:
            done = {(row["kind"], row["seed"]) for row in read_rows(options.output)}
            if seed < wanted[kind] and (kind, seed) not in done:
                row = run(kind, seed)
                append_row(options.output, {**row, "machine": describe_machine()})
                print(f"{kind}/{seed}: {row}", flush=True)
    text = page(read_rows(options.output))
    print(text)
    if options.page:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
