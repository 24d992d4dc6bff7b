"""Real runs of identical code, and of code with 5 % more CPU.

Every run is a whole `assay run`, started by its command in an empty folder, with
two claims: on `cpu_per_request` and on `service.p50`. A verdict of *faster* or
*slower* on identical code is false; on 5 % more CPU only *slower* is right.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from assay.statistics import binomial_interval

METRICS = ("cpu_per_request", "service.p50")
EFFECT = 0.05

# ROUNDS is the work of both sides, EXTRA what the slower side does on top.
APP = """\
import os
import zlib

from fastapi import FastAPI

app = FastAPI()
ROUNDS = int(os.environ["ROUNDS"]) + int(os.environ["EXTRA"])
BLOCK = bytes(range(256))


@app.get("/")
async def work() -> dict[str, int]:
    total = 0
    for _ in range(ROUNDS):
        total ^= zlib.crc32(BLOCK, total)
    return {"total": total}
"""

LOCUSTFILE = """\
from locust import FastHttpUser, constant, task


class Visitor(FastHttpUser):
    wait_time = constant(1)

    @task
    def work(self):
        self.client.get("/")
"""

CLAIMS = """\
title = "{title}"

[target]
command = "python -m uvicorn app:app --port {{port}} --log-level warning \
--no-access-log --timeout-keep-alive 120"
env = {{ ROUNDS = "{rounds}" }}

[scenario]
locustfile = "locustfile.py"

[variants]
one = {{ env = {{ EXTRA = "0" }} }}
two = {{ env = {{ EXTRA = "{extra}" }} }}
"""

CLAIM = """
[[claims]]
says = "{expect}"
baseline = "one"
candidate = "two"
metric = "{metric}"
expect = "{expect}"
"""

ROUNDS = 400


def run(kind: str, extra: int, seed: int, budget: float) -> dict[str, Any]:
    """Do one whole run and return what it said."""
    expect = "same" if kind == "A/A" else "slower"
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        folder = Path(name)
        (folder / "app.py").write_text(APP)
        (folder / "locustfile.py").write_text(LOCUSTFILE)
        claims = CLAIMS.format(title=kind, rounds=ROUNDS, extra=extra)
        claims += "".join(CLAIM.format(expect=expect, metric=m) for m in METRICS)
        (folder / "claims.toml").write_text(claims)
        command = [sys.executable, "-m", "assay", "run", ".", "--output", "out"]
        command += ["--seed", str(seed), "--budget", str(budget), "--no-profiles"]
        began = time.monotonic()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode not in (0, 1, 3):
            sys.exit(f"assay run failed:\n{done.stdout}{done.stderr}")
        results = json.loads((folder / "out" / "results.json").read_text())
    return {
        "kind": kind,
        "extra": extra,
        "seed": seed,
        "seconds": round(time.monotonic() - began, 1),
        "comparisons": [c for c in results["comparisons"] if c["metric"] in METRICS],
        "cpu": {
            value["variant"]: value["value"]
            for value in results["values"]
            if value["metric"] == "cpu_per_request"
        },
        "warnings": results["warnings"],
    }


def rounds_for(effect: float, runs: list[dict[str, Any]]) -> int:
    """Return how many rounds more cost `effect` of a request's CPU time.

    From the runs that have already shown what some rounds cost in the target. For
    the first, a round is timed in a loop like the target's, at its best of many.
    """
    known: list[float] = [
        run["extra"] * effect / (run["cpu"]["two"] / run["cpu"]["one"] - 1)
        for run in runs
        if run["extra"]
    ]
    if known:
        return max(1, round(statistics.median(known)))
    code = (
        "import time, zlib\nblock = bytes(range(256))\nbest = 9\n"
        "for _ in range(200):\n"
        "    total, began = 0, time.process_time_ns()\n"
        "    for _ in range(20000):\n        total ^= zlib.crc32(block, total)\n"
        "    best = min(best, (time.process_time_ns() - began) / 2e13)\n"
        "print(best)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    cpu: float = statistics.median(run["cpu"]["one"] for run in runs)
    return max(1, round(effect * cpu / float(done.stdout)))


def table(runs: list[dict[str, Any]]) -> str:
    """Return the study's result as a Markdown table."""
    lines = [
        "| condition | metric | runs | faster | slower | same | undecided | "
        "right, 95 % interval | median ratio | median launches | median seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys(run["kind"] for run in runs):
        own = [run for run in runs if run["kind"] == kind]
        for metric in METRICS:
            found = [
                c for run in own for c in run["comparisons"] if c["metric"] == metric
            ]
            words = [c["verdict"] for c in found]
            right = (
                words.count("slower")
                if kind != "A/A"
                else words.count("same") + words.count("undecided")
            )
            low, high = binomial_interval(right, len(words))
            counts = " | ".join(
                str(words.count(word))
                for word in ("faster", "slower", "same", "undecided")
            )
            ratio = statistics.median(c["ratio"] for c in found)
            launches = statistics.median(c["launches"] for c in found)
            seconds = statistics.median(run["seconds"] for run in own)
            lines.append(
                f"| {kind} | `{metric}` | {len(words)} | {counts} | "
                f"{right}/{len(words)} [{low:.0%}, {high:.0%}] | {ratio:.3f} | "
                f"{launches:g} | {seconds:.0f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Do the runs that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="of each condition")
    parser.add_argument("--budget", type=float, default=120.0, help="seconds a run")
    parser.add_argument("--output", type=Path, default=Path("reports/study-aa"))
    parser.add_argument("--fresh", action="store_true", help="forget earlier runs")
    options = parser.parse_args()
    if options.fresh:
        shutil.rmtree(options.output, ignore_errors=True)
    options.output.mkdir(parents=True, exist_ok=True)
    log = options.output / "runs.jsonl"
    runs = [json.loads(line) for line in log.open()] if log.exists() else []

    # The conditions alternate, so that a drift of the machine meets both alike.
    for number in range(options.runs):
        for kind in ("A/A", "+5 % CPU"):
            if any(r["kind"] == kind and r["seed"] == number for r in runs):
                continue
            extra = 0 if kind == "A/A" else rounds_for(EFFECT, runs)
            done = run(kind, extra, number, options.budget)
            runs.append(done)
            with log.open("a") as file:
                file.write(json.dumps(done) + "\n")
                file.flush()
                os.fsync(file.fileno())
            words = ", ".join(
                f"{c['metric']} {c['verdict']} {c['ratio']:.3f}"
                for c in done["comparisons"]
            )
            print(f"{kind} {number}: {words} ({done['seconds']:.0f} s)", flush=True)
    report = table(runs)
    (options.output / "table.md").write_text(report + "\n")
    print("\n" + report)


if __name__ == "__main__":
    main()
