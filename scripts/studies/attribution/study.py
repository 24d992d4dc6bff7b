"""Runs every case, and writes what was planted and what Assay named.

Finished runs are stored, so the study can be stopped and continued.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from assay.observations import Round
from assay.run_directory.run import RunDirectory
from scripts.studies import storage
from scripts.studies.attribution.cases.stopwatch import NOTE
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

SIDES = ("base", "head")
LAUNCHES = 2  # few are enough: causes come from the rounds after the launches
PAGE = Path("reports/reference/attribution.md")
SOURCES = Path(__file__).parent / "cases"


def run_case(case: Case, seed: int, output: Path) -> Answer:
    """Run a case once. The answer has no causes if the run has no results."""
    path = (output / "runs" / f"{case.name}-{seed}").resolve()
    if path.exists():
        shutil.rmtree(path)
    with scratch_folder() as folder:
        topic = write_topic(case, folder)
        began = time.monotonic()
        words = [sys.executable, "-m", "assay", "run", ".", "--output", str(path)]
        words += ["--launches", str(LAUNCHES), "--seed", str(seed), "--profiles"]
        done = subprocess.run(words, cwd=topic, capture_output=True, text=True)
        seconds = time.monotonic() - began
        if not (path / "results.json").exists():
            return Answer(case.name, seed, [], None, (0.0, 0.0), seconds, [done.stderr])
        planted = case.bytes_kept or noted_by_stopwatch(case, path, folder)
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
        planted,
    )


def write_topic(case: Case, folder: Path) -> Path:
    """Write a case as a topic below a folder; return the topic's folder."""
    topic = folder / case.name
    topic.mkdir()
    for name in (case.name, "stopwatch"):
        shutil.copy(SOURCES / f"{name}.py", topic)
    command = COMMANDS[case.server].format(name=case.name)
    text = TOPIC.format(name=case.name, command=command, folder=folder)
    if case.calls:
        shutil.copy(SOURCES / "upstream.py", topic)
        text += COMPANION
    if case.metric:
        text += CLAIM.format(metric=case.metric)
    (topic / "claims.toml").write_text(text, encoding="utf-8")
    (topic / "locustfile.py").write_text(LOCUSTFILE, encoding="utf-8")
    return topic


def noted_by_stopwatch(case: Case, run: Path, folder: Path) -> float | None:
    """Return how many more seconds per request the service itself noted in `head`.

    Args:
        case: The case.
        run: The directory of the run.
        folder: The folder with the notes of each side.

    Returns:
        None if the service has no stopwatch, or was not profiled.
    """
    purpose = "start-up" if case.kind == "start-up" else "load"
    rounds = [one for one in RunDirectory.open(run).rounds() if one.purpose == purpose]
    notes = [read_notes(folder / name) for name in SIDES]
    rounds_by_side = [[one for one in rounds if one.variant == name] for name in SIDES]
    if not all(rounds_by_side) or not any(notes):
        return None
    base, head = map(noted_per_request, notes, rounds_by_side)
    return head - base


def noted_per_request(
    notes: Sequence[tuple[float, float]], rounds: Sequence[Round]
) -> float:
    """Return the seconds per request that a side noted during its rounds.

    Args:
        notes: When each note was taken, in Unix time, and its seconds.
        rounds: The rounds of that side; at least one.
    """
    seconds = sum(
        seconds
        for when, seconds in notes
        if any(one.began <= when <= one.ended for one in rounds)
    )
    return seconds / sum(one.requests for one in rounds)


def read_notes(path: Path) -> list[tuple[float, float]]:
    """Return when each note of a side was taken, and its seconds."""
    notes = path.read_bytes() if path.exists() else b""
    return list(NOTE.iter_unpack(notes[: len(notes) // NOTE.size * NOTE.size]))


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
