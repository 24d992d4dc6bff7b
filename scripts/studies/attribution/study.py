"""Runs every case, and writes what was planted and what Assay named.

Finished runs are stored, so the study can be stopped and continued.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from assay.run_directory.run import RunDirectory
from scripts.studies import storage
from scripts.studies.attribution.known import (
    CASES,
    CLAIM,
    COMMANDS,
    COMPANION,
    LOCUSTFILE,
    SILENT,
    TOPIC,
    Case,
)
from scripts.studies.attribution.page import Answer, is_right, page
from scripts.studies.pages import publish
from scripts.studies.storage import append_row, read_rows, scratch_folder

LAUNCHES = 2  # few are enough: causes come from the rounds after the launches
PAGE = Path("reports/reference/attribution.md")
SOURCES = Path(__file__).parent / "cases"


def run_case(case: Case, seed: int, output: Path) -> Answer:
    """Run a case once. The answer has no causes if the run has no results."""
    path = (output / "runs" / f"{case.name}-{seed}").resolve()
    if path.exists():
        shutil.rmtree(path)
    with scratch_folder() as folder:
        topic = folder / case.name
        topic.mkdir()
        shutil.copy(SOURCES / f"{case.name}.py", topic)
        command = COMMANDS[case.server].format(name=case.name)
        text = TOPIC.format(name=case.name, command=command)
        if case.calls:
            shutil.copy(SOURCES / "upstream.py", topic)
            text += COMPANION
        if case.metric:
            text += CLAIM.format(metric=case.metric)
        (topic / "claims.toml").write_text(text, encoding="utf-8")
        (topic / "locustfile.py").write_text(LOCUSTFILE, encoding="utf-8")
        began = time.monotonic()
        words = [sys.executable, "-m", "assay", "run", ".", "--output", str(path)]
        words += ["--launches", str(LAUNCHES), "--seed", str(seed), "--profiles"]
        done = subprocess.run(words, cwd=topic, capture_output=True, text=True)
        seconds = time.monotonic() - began
    if not (path / "results.json").exists():
        return Answer(case.name, seed, [], None, (0.0, 0.0), seconds, [done.stderr])
    results = RunDirectory.open(path).results()
    launched, ended = (
        (path / name).stat().st_mtime for name in ("launches.parquet", "results.json")
    )
    book = results.ledgers[0] if results.ledgers else None
    explained = None
    if book and book.latency.amount:
        explained = 1 - abs(book.parts[-1].amount / book.latency.amount)
    return Answer(
        case.name,
        seed,
        [json.loads(cause.model_dump_json()) for cause in results.causes],
        explained,
        (book.latency.baseline, book.latency.candidate) if book else (0.0, 0.0),
        round(seconds, 1),
        [*results.warnings, *([done.stderr[-2000:]] if results.partial else [])],
        round(ended - launched, 1),
    )


def main() -> None:
    """Run what is missing, print the page, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--output", type=Path, default=Path("reports/study-attribution")
    )
    parser.add_argument("--cases", default="", help="only these, joined by commas")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument(
        "--page", type=Path, nargs="?", const=PAGE, help=f"write {PAGE}"
    )
    options = parser.parse_args()
    chosen = [
        case
        for case in (*CASES, *SILENT)
        if not options.cases or case.name in options.cases.split(",")
    ]
    kept = options.output / "answers.jsonl"
    done = {(row["case"], row["seed"]) for row in read_rows(kept)}
    for seed in range(options.runs):
        for case in chosen:
            if (case.name, seed) not in done:
                storage.note_machine(options.output, "attribution")
                answer = run_case(case, seed, options.output)
                append_row(kept, asdict(answer))
                print_answer(case, answer)
    answers = [Answer(**row) for row in read_rows(kept)]
    machines = storage.machines(options.output, "attribution")
    publish(page(chosen, answers, machines), options.page)


def print_answer(case: Case, answer: Answer) -> None:
    """Print what Assay said of a case."""
    mark = "right" if is_right(case, answer) else "WRONG"
    a, b = (1000 * seconds for seconds in answer.latency)
    share = "" if answer.explained is None else f", {answer.explained:.0%} explained"
    print(
        f"{mark} {case.name} ({case.kind or 'nothing'}): {a:.2f} -> {b:.2f} ms{share}"
    )
    for cause in answer.causes:
        print(f"    {cause['kind']}: {cause['sentence']}")
    for warning in answer.warnings:
        print(f"    ! {warning}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
