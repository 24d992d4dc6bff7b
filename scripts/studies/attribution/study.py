"""Runs every case, and says for each what was planted and what Assay named.

A run that is done is kept, so the study can be stopped and continued.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from assay.run_directory.run import RunDirectory
from scripts.studies.attribution.known import (
    CASES,
    COMMANDS,
    COMPANION,
    LOCUSTFILE,
    SILENT,
    TOPIC,
    Case,
)
from scripts.studies.storage import append_row, read_rows, scratch_folder

LAUNCHES = 2  # causes come from the rounds after them
SOURCES = Path(__file__).parent / "cases"


@dataclass
class Answer:
    """What Assay said of a case.

    Attributes:
        causes: Kind, place, sentence and numbers of each, the largest first.
        explained: Share of the difference of latency that is not `unexplained`.
        latency: Mean latency of both sides, in seconds.
    """

    case: str
    seed: int
    causes: list[dict[str, object]]
    explained: float | None
    latency: tuple[float, float]
    seconds: float
    warnings: list[str]


def run_case(case: Case, seed: int, output: Path) -> Answer:
    """Run a case once."""
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
        (topic / "claims.toml").write_text(text, encoding="utf-8")
        (topic / "locustfile.py").write_text(LOCUSTFILE, encoding="utf-8")
        began = time.monotonic()
        words = [sys.executable, "-m", "assay", "run", ".", "--output", str(path)]
        words += ["--launches", str(LAUNCHES), "--seed", str(seed), "--causes"]
        done = subprocess.run(words, cwd=topic, capture_output=True, text=True)
        seconds = time.monotonic() - began
    if not (path / "results.json").exists():
        return Answer(case.name, seed, [], None, (0.0, 0.0), seconds, [done.stderr])
    results = RunDirectory.open(path).results()
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
        list(results.warnings),
    )


def is_right(case: Case, answer: Answer) -> bool:
    """Say whether the first cause is of the right kind and names the right place."""
    if not case.kind:
        return not answer.causes
    if not answer.causes:
        return False
    first = answer.causes[0]
    text = f"{first['where']} {first['sentence']}"
    return first["kind"] == case.kind and any(name in text for name in case.names)


def main() -> None:
    """Run what is missing, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--output", type=Path, default=Path("reports/study-attribution")
    )
    parser.add_argument("--cases", default="", help="only these, joined by commas")
    parser.add_argument("--runs", type=int, default=1)
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
                answer = run_case(case, seed, options.output)
                append_row(kept, asdict(answer))
                print_answer(case, answer)
    answers = [Answer(**row) for row in read_rows(kept)]
    report(chosen, answers)


def print_answer(case: Case, answer: Answer) -> None:
    """Print what was said of a case."""
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


def report(cases: Sequence[Case], answers: Sequence[Answer]) -> None:
    """Print how many answers are right."""
    by_name = {case.name: case for case in cases}
    judged = [
        (by_name[answer.case], is_right(by_name[answer.case], answer))
        for answer in answers
        if answer.case in by_name
    ]
    planted = [right for case, right in judged if case.kind]
    silent = [right for case, right in judged if not case.kind]
    print(
        f"right: {sum(planted)} of {len(planted)} planted, {sum(silent)} of "
        f"{len(silent)} silent"
    )


if __name__ == "__main__":
    main()
