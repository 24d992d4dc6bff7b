"""What is Assay's verdict on identical code, for many kinds of services?

There are eight kinds, and one more with log-ins. They take turns. Each run is the whole
command with default settings, but without profiles. Finished runs are stored with their
directories, so the study can be stopped and continued.

`--estimators` compares several estimators of throughput on the stored samples.
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
from scripts.studies import kinds_estimators, kinds_page, storage
from scripts.studies.kinds_page import METRICS, KindRun
from scripts.studies.kinds_topics import KINDS, LOG_IN, SIDES, Kind, write_topic
from scripts.studies.pages import publish
from scripts.studies.storage import append_row, read_rows, scratch_folder

LOG_IN_RUNS = 3  # runs of the service with log-ins: each takes minutes
HASH_SECONDS = 0.3  # seconds to hash a password
TIMED_ROUNDS = 100_000  # rounds of a trial hash, to find the rounds for `HASH_SECONDS`
MEASURED = (0, 1, 3)  # exit codes of a run that was measured
PAGE = Path("reports/reference/kinds.md")
PUBLISHED = PAGE.with_suffix(".jsonl")  # the runs that the page is made from


def missing(
    runs: Sequence[KindRun], kinds: Sequence[Kind], runs_per_kind: int
) -> list[str]:
    """Return the missing runs as ``kind/seed``, in rounds over the kinds."""
    finished = {(run.kind, run.seed) for run in runs}
    return [
        f"{kind.name}/{seed}"
        for seed in range(runs_per_kind)
        for kind in kinds
        if (kind.name, seed) not in finished
        and seed < (LOG_IN_RUNS if kind == LOG_IN else runs_per_kind)
    ]


def measure(output: Path, kinds: Sequence[Kind], runs_per_kind: int) -> None:
    """Do the runs that are missing.

    Raises:
        SystemExit: Two runs in a row could not be measured.
    """
    by_name = {kind.name: kind for kind in kinds}
    rounds = hash_rounds(output)
    failed = False
    for run_name in missing(read(output), kinds, runs_per_kind):
        storage.note_machine(output, "kinds")
        kind_name, _, seed = run_name.partition("/")
        run = run_once(by_name[kind_name], int(seed), output, rounds)
        append_row(output / "runs.jsonl", asdict(run))
        verdict = run.verdict or f"not measured ({run.reason})"
        print(f"{run_name}: {verdict} after {run.launches} launches, {run.seconds} s")
        if failed and not run.verdict:
            sys.exit("two runs in a row could not be measured; see above")
        failed = not run.verdict


def run_once(kind: Kind, seed: int, output: Path, rounds: int) -> KindRun:
    """Run the command once, and time the whole command.

    Args:
        kind: The kind of service.
        seed: The seed of the run.
        output: The study's folder.
        rounds: Rounds of a password hash, for the kind with log-ins.
    """
    path = run_path(output, kind, seed)
    if path.exists():
        shutil.rmtree(path)  # what an interrupted run left
    command = [sys.executable, "-m", "assay", "run", ".", "--output", str(path)]
    command += ["--seed", str(seed), "--no-profiles"]
    with scratch_folder() as folder:
        write_topic(kind, folder / kind.name, rounds)
        began = time.monotonic()
        ended = subprocess.run(
            command, cwd=folder / kind.name, capture_output=True, text=True
        )
        seconds = round(time.monotonic() - began, 1)
    if ended.returncode not in MEASURED:
        reason = f"exit code {ended.returncode}: {ended.stderr.strip()[-500:]}"
        return KindRun(kind.name, seed, "", reason, 0, seconds)
    return summarise(kind, seed, RunDirectory.open(path), seconds)


def summarise(kind: Kind, seed: int, run: RunDirectory, seconds: float) -> KindRun:
    """Return the result of a run: its verdicts, and the log ratios of its launches."""
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
    return KindRun(
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


def run_path(output: Path, kind: Kind, seed: int) -> Path:
    """Return the path of a run's directory."""
    return (output / "runs" / f"{kind.name}-{seed:02d}").resolve()


def read(output: Path) -> list[KindRun]:
    """Return the stored runs."""
    return [KindRun(**row) for row in read_rows(output / "runs.jsonl")]


def continue_published(output: Path) -> None:
    """Start with the published runs, if nothing was measured here yet."""
    if not (output / "runs.jsonl").exists() and PUBLISHED.exists():
        output.mkdir(parents=True, exist_ok=True)
        shutil.copy(PUBLISHED, output / "runs.jsonl")


def hash_rounds(output: Path) -> int:
    """Return the rounds of a password hash that take 0.3 s on this machine.

    The rounds are measured once, and read from a file afterwards.
    """
    file = output / "hashes.json"
    if not file.exists():
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            hashlib.pbkdf2_hmac("sha256", b"a long password", bytes(16), TIMED_ROUNDS)
            seconds.append(time.perf_counter() - began)
        output.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(round(TIMED_ROUNDS * HASH_SECONDS / min(seconds))))
    return int(json.loads(file.read_text()))


def select_kinds(text: str) -> list[Kind]:
    """Return the kinds that a text names, separated by commas; all if it is empty.

    Raises:
        SystemExit: There is no such kind.
    """
    by_name = {kind.name: kind for kind in (*KINDS, LOG_IN)}
    names = text.split(",") if text else list(by_name)
    if unknown := [name for name in names if name not in by_name]:
        sys.exit(f"--kinds {unknown[0]!r}: expected some of {', '.join(by_name)}")
    return [by_name[name] for name in names]


def main() -> None:
    """Measure what is missing, print the page, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=10, help="runs of each of the eight kinds"
    )
    parser.add_argument("--kinds", default="", help="only these, separated by commas")
    parser.add_argument(
        "--estimators", action="store_true", help="measure nothing; compare estimators"
    )
    parser.add_argument("--output", type=Path, default=Path("reports/study-kinds"))
    parser.add_argument(
        "--fresh", action="store_true", help="do not continue the published runs"
    )
    parser.add_argument(
        "--page", type=Path, nargs="?", const=PAGE, help=f"write {PAGE}"
    )
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    kinds = select_kinds(options.kinds)
    if options.estimators:
        run_paths = {
            kind.name: [
                path
                for run in kinds_page.of_kind(read(options.output), kind)
                if (path := run_path(options.output, kind, run.seed)).exists()
            ]
            for kind in kinds
        }
        print(kinds_estimators.table(run_paths))
        return
    if not options.fresh:
        continue_published(options.output)
    measure(options.output, kinds, options.runs)
    machines = storage.machines(options.output, "kinds")
    text = kinds_page.page(read(options.output), options.runs, machines)
    publish(text, options.page)
    if options.page:
        shutil.copy(options.output / "runs.jsonl", options.page.with_suffix(".jsonl"))


if __name__ == "__main__":
    main()
