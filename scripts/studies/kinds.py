"""What Assay says of identical code of eight kinds of services, and of log-ins.

Each run is the whole command with default settings, in an order that goes round
the kinds. A run that is done is kept, with its directory, so the study can be
stopped and continued; `--estimators` computes throughput anew from what is kept.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from assay.analysis import measurements
from assay.results import Results
from assay.run_directory.run import RunDirectory
from scripts.studies import kinds_estimators, kinds_page, verdicts
from scripts.studies.kept import keep, rows, workshop
from scripts.studies.kinds_known import KINDS, LOG_IN, SIDES, Kind, write
from scripts.studies.kinds_page import METRICS, Found
from scripts.studies.pages import put

LOG_IN_RUNS = 3  # each takes minutes
HASH_SECONDS = 0.3
TRIED = 100_000  # rounds of a hash that is timed
MEASURED = (0, 1, 3)  # exit codes of a run that was measured
PAGE = Path("reports/reference/kinds.md")
PUBLISHED = PAGE.with_suffix(".jsonl")  # the runs that the page is of


def missing(found: Sequence[Found], kinds: Sequence[Kind], runs: int) -> list[str]:
    """Return what is still to be run, as kind/seed, in rounds over the kinds."""
    done = {(one.kind, one.seed) for one in found}
    return [
        f"{kind.name}/{seed}"
        for seed in range(runs)
        for kind in kinds
        if (kind.name, seed) not in done
        and seed < (LOG_IN_RUNS if kind == LOG_IN else runs)
    ]


def measure(output: Path, kinds: Sequence[Kind], runs: int) -> None:
    """Do the runs that are missing.

    Raises:
        SystemExit: Two runs in a row could not be measured.
    """
    known = {kind.name: kind for kind in kinds}
    hashes = hashes_for(output)
    failed = False
    for number in missing(read(output), kinds, runs):
        verdicts.note_machine(output, "kinds")
        name, _, seed = number.partition("/")
        one = run_once(known[name], int(seed), output, hashes)
        keep(output / "runs.jsonl", asdict(one))
        said = one.verdict or f"not measured ({one.reason})"
        print(f"{number}: {said} after {one.launches} launches, {one.seconds} s")
        if failed and not one.verdict:
            sys.exit("two runs in a row could not be measured; see above")
        failed = not one.verdict


def run_once(kind: Kind, seed: int, output: Path, hashes: int) -> Found:
    """Run the command once; its time begins and ends with the command's."""
    path = directory(output, kind, seed)
    if path.exists():
        shutil.rmtree(path)  # of a run that was cut short
    command = [sys.executable, "-m", "assay", "run", ".", "--output", str(path)]
    command += ["--seed", str(seed), "--no-profiles"]
    with workshop() as folder:
        write(kind, folder / kind.name, hashes)
        began = time.monotonic()
        done = subprocess.run(
            command, cwd=folder / kind.name, capture_output=True, text=True
        )
        seconds = round(time.monotonic() - began, 1)
    if done.returncode not in MEASURED:
        reason = f"exit code {done.returncode}: {done.stderr.strip()[-500:]}"
        return Found(kind.name, seed, "", reason, 0, seconds)
    return summed(kind, seed, RunDirectory.open(path), seconds)


def summed(kind: Kind, seed: int, run: RunDirectory, seconds: float) -> Found:
    """Return what a run said, with the log ratios of its launches."""
    results: Results = run.results()
    measured = measurements.Measurements(run.slices(), run.launches())
    ratios = {
        metric: [
            round(float(x), 6)
            for x in measurements.log_ratios(measured, kind.name, *SIDES, metric)
        ]
        for metric in METRICS
    }
    deciding = [c for c in results.comparisons if c.verdict]
    pair = results.pairs[0]
    return Found(
        kind.name,
        seed,
        pair.verdict,
        pair.reason,
        max((c.launches for c in deciding), default=0),
        seconds,
        measurements.seconds_per_launch(measured, kind.name),
        [
            c.model_dump(
                include={"metric", "ratio", "low", "high", "verdict", "reason"}
            )
            for c in results.comparisons
        ],
        ratios,
    )


def directory(output: Path, kind: Kind, seed: int) -> Path:
    """Return the run directory of a run."""
    return (output / "runs" / f"{kind.name}-{seed:02d}").resolve()


def read(output: Path) -> list[Found]:
    """Return the runs that were kept."""
    return [Found(**row) for row in rows(output / "runs.jsonl")]


def take_up(output: Path) -> None:
    """Go on from the runs that are published, where nothing was measured here yet."""
    if not (output / "runs.jsonl").exists() and PUBLISHED.exists():
        output.mkdir(parents=True, exist_ok=True)
        shutil.copy(PUBLISHED, output / "runs.jsonl")


def hashes_for(output: Path) -> int:
    """Return the rounds of a hash that take 0.3 s here, measuring that once."""
    kept = output / "hashes.json"
    if not kept.exists():
        took = []
        for _ in range(5):
            began = time.perf_counter()
            hashlib.pbkdf2_hmac("sha256", b"a long password", bytes(16), TRIED)
            took.append(time.perf_counter() - began)
        output.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(round(TRIED * HASH_SECONDS / min(took))))
    return int(json.loads(kept.read_text()))


def chosen(names: str) -> list[Kind]:
    """Return the kinds of these names, joined by commas; all if there is none.

    Raises:
        SystemExit: There is no such kind.
    """
    known = {kind.name: kind for kind in (*KINDS, LOG_IN)}
    wanted = names.split(",") if names else list(known)
    if unknown := [name for name in wanted if name not in known]:
        sys.exit(f"--kinds {unknown[0]!r}: expected some of {', '.join(known)}")
    return [known[name] for name in wanted]


def main() -> None:
    """Measure what is missing, print the page, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="of each of the eight")
    parser.add_argument("--kinds", default="", help="only these, joined by commas")
    parser.add_argument(
        "--estimators", action="store_true", help="measure nothing; compare estimators"
    )
    parser.add_argument("--output", type=Path, default=Path("reports/study-kinds"))
    parser.add_argument(
        "--fresh", action="store_true", help="do not go on from the published runs"
    )
    parser.add_argument(
        "--page", type=Path, nargs="?", const=PAGE, help=f"write {PAGE}"
    )
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    kinds = chosen(options.kinds)
    if options.estimators:
        found = {
            kind.name: [
                path
                for one in kinds_page.of_kind(read(options.output), kind)
                if (path := directory(options.output, kind, one.seed)).exists()
            ]
            for kind in kinds
        }
        print(kinds_estimators.table(found))
        return
    if not options.fresh:
        take_up(options.output)
    measure(options.output, kinds, options.runs)
    machines = verdicts.machines(options.output, "kinds")
    text = kinds_page.page(read(options.output), options.runs, machines)
    put(text, options.page)
    if options.page:
        shutil.copy(options.output / "runs.jsonl", options.page.with_suffix(".jsonl"))


if __name__ == "__main__":
    main()
