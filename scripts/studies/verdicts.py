"""How often Assay's verdict is false, how soon it is right, and how others do.

Identical arms and slower ones are measured in shared launches, quiet and with a
neighbour that burns the server's core a quarter of the time. Disjoint pairs of
arms give disjoint comparisons: the launches of a pair are judged look by look, as
`assay run` does, and where a comparison ends the next one begins. +5 % CPU is
measured by whole runs of the command instead, since what it says of time must
hold for the command; so is what a launch takes where one claim on CPU is all.

Launches are appended to files, so the study can be stopped and continued.
"""

import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import cast

from assay.experiment import launch
from assay.plan import Load, Plan, Variant
from assay.system import processes
from assay.system.environment import describe
from scripts.studies import judging, verdict_page
from scripts.studies.bench import COMMAND, Bench, burner, opened, write
from scripts.studies.outcomes import (
    ANY,
    ASSAY,
    IDENTICAL,
    MARGIN_METRIC,
    MARGIN_RULE,
    NOISES,
    Outcome,
    chosen,
)

ROUNDS = 600  # of work for the baseline: some 0.2 ms of CPU a request
CALIBRATION = 12  # launches
ON, OFF = (0.2, 0.8), (0.6, 2.4)  # seconds of the neighbour, at random: a quarter
LOAD = Load(users=4, connections=32)

APP = """\
import asyncio
import os
import random
import zlib

ROUNDS = int(os.environ["ROUNDS"])
SLOW_SHARE = float(os.environ.get("SLOW_SHARE", "0"))
BLOCK = bytes(range(256))
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-length", b"2")],
}
END = {"type": "http.response.body", "body": b"ok"}


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    total = 0
    for _ in range(ROUNDS):
        total ^= zlib.crc32(BLOCK, total)
    if SLOW_SHARE and random.random() < SLOW_SHARE:
        await asyncio.sleep(0.005)
    await send(START)
    await send(END)
"""

EFFECTS = {"+2 % CPU": 0.02, "+5 % CPU": 0.05, "+10 % CPU": 0.10}
TAIL = "+5 ms on 3 %"
# Each pair is disjoint from the other identical pairs. A slower arm is compared
# with an identical one, each with another.
IDENTICAL_PAIRS = (("a0", "a1"), ("a2", "a3"), ("a4", "a5"))
SLOWER = {
    "+2 % CPU": ("a0", "e2"),
    "+5 % CPU": ("a1", "e5"),
    "+10 % CPU": ("a2", "e10"),
    TAIL: ("a4", "tail"),
}
WHOLE = "+5 % CPU"
TIGHT_RUNS = 5  # of the command, with nothing but that claim

METHOD = {
    "service": "a plain ASGI application under uvicorn, one process on one core",
    "load": f"closed loop of {LOAD.users} users; Poisson arrivals at half capacity",
    "neighbour": f"a process on the server's core, on for {ON[0]} to {ON[1]} s and "
    f"off for {OFF[0]} to {OFF[1]} s, at random",
    WHOLE: "whole runs of assay run for the verdict and its time; the seconds of the "
    "other effects are launches times what a launch took in those runs",
    MARGIN_RULE: f"its seconds are launches times what a launch took in {TIGHT_RUNS} "
    "whole runs with that one claim, where the other load gets half the time",
    "truth": "for identical code a ratio of 1; otherwise the estimate of all other "
    "launches of the same arms",
}

CLAIMS = """\
title = "{effect}"

[target]
command = "{command}"

[scenario]
locustfile = "locustfile.py"

[variants]
base  = {{ env = {{ ROUNDS = "{base}" }} }}
other = {{ env = {{ ROUNDS = "{other}" }} }}
"""
TIGHT_CLAIM = f"""
[[claims]]
says      = "identical code takes the same CPU time"
baseline  = "base"
candidate = "other"
metric    = "{MARGIN_METRIC}"
expect    = "same"
"""


@contextlib.contextmanager
def bench(noise: str) -> Iterator[Bench]:
    """Set up a service, a generator, and the neighbour where there is to be one."""
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        folder = Path(name)
        with processes.guarded([folder]), neighbour(noise, folder):
            with opened(folder, APP, processes.split_cores()) as found:
                yield found


def neighbour(noise: str, folder: Path) -> contextlib.AbstractContextManager[object]:
    """Burn the server's core a quarter of the time, where that is the condition."""
    if noise == "quiet":
        return contextlib.nullcontext()
    return burner(folder, processes.split_cores().target[:1], ON, OFF)


def rounds_for(output: Path) -> dict[str, int]:
    """Return the rounds of work that each effect takes, measuring that once."""
    kept = output / "rounds.json"
    if kept.exists():
        found: dict[str, int] = json.loads(kept.read_text())
        return found
    extra = ROUNDS // 2
    arms = [_variant("a0", ROUNDS), _variant("more", ROUNDS + extra)]
    shares: list[float] = []
    with bench("quiet") as here:
        for _ in range(3 * CALIBRATION):
            if len(shares) == CALIBRATION:
                break
            measured = here.launch(arms, LOAD)
            if measured.counts:
                shares.append(_share(measured, *(arm.name for arm in arms)) / extra)
    if len(shares) < CALIBRATION:
        sys.exit("too many launches were disturbed to calibrate: is the machine quiet?")
    each = statistics.median(shares)
    found = {name: round(effect / each) for name, effect in EFFECTS.items()}
    output.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found))
    print(f"one round more is {each:.3%} of a request's CPU time: {found}")
    return found


def _share(measured: launch.Launch, base: str, more: str) -> float:
    """Return how much more CPU time a request takes, by blocks of both arms."""
    cost: dict[str, dict[int, float]] = {base: {}, more: {}}
    for row in measured.slices:
        if row.mode == "closed" and not row.disturbed:
            cost[row.variant][row.block] = row.cpu_per_request
    both = cost[base].keys() & cost[more].keys()
    return statistics.median(cost[more][n] / cost[base][n] for n in both) - 1


def measure_arms(noise: str, options: argparse.Namespace, until: float) -> None:
    """Append launches until there are enough comparisons, or time is up."""
    rounds = rounds_for(options.output)
    run = judging.directory(options.output, noise)
    wanted = {IDENTICAL: options.identical, **dict.fromkeys(SLOWER, options.each)}
    pairs = judging.missing(run, noise, IDENTICAL_PAIRS, SLOWER, wanted)
    if not pairs:
        return
    # Once: what is committed meanwhile is not what this process has loaded.
    note_machine(options.output, noise)
    with bench(noise) as here:
        while pairs and time.monotonic() < until:
            arms = [_arm(n, rounds) for n in sorted({a for p in pairs for a in p})]
            began = time.monotonic()
            measured = here.launch(arms, LOAD, pairs)
            took = time.monotonic() - began
            number = judging.append(run, measured, took)
            said = "" if measured.counts else ", too disturbed to count"
            print(f"{noise} launch {number}: {len(arms)} arms, {took:.1f} s{said}")
            pairs = judging.missing(run, noise, IDENTICAL_PAIRS, SLOWER, wanted)


def measure_runs(
    noise: str, rule: str, wanted: int, options: argparse.Namespace, until: float
) -> None:
    """Do whole runs of the command until there are enough, or time is up."""
    effect, more = WHOLE, rounds_for(options.output)[WHOLE]
    if rule == MARGIN_RULE:
        effect, more = IDENTICAL, 0
    log = options.output / f"runs-{noise}.jsonl"
    while True:
        seed = len(chosen(whole_runs(options.output, noise), rule=rule))
        if seed >= wanted or time.monotonic() > until:
            return
        note_machine(options.output, noise)
        with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
            folder = Path(name)
            with processes.guarded([folder]), neighbour(noise, folder):
                outcome = whole_run(noise, folder, rule, effect, more, seed)
        with log.open("a") as file:
            file.write(json.dumps(outcome.__dict__) + "\n")
            file.flush()
            os.fsync(file.fileno())
        said = f"{outcome.verdict} after {outcome.launches} launches"
        print(f"{noise} run {seed} of {rule}: {said}, {outcome.seconds} s")


def whole_run(
    noise: str, folder: Path, rule: str, effect: str, more: int, seed: int
) -> Outcome:
    """Run the command once; its time begins and ends with the command's.

    Args:
        noise: The condition, for the outcome.
        folder: Takes the topic and its run.
        rule: `ASSAY`, or `MARGIN_RULE` for nothing but its claim.
        effect: What the candidate does on top, in words.
        more: Rounds of work that this takes.
        seed: Of the run.
    """
    write(folder, APP)
    tight, other = rule == MARGIN_RULE, ROUNDS + more
    text = CLAIMS.format(effect=effect, command=COMMAND, base=ROUNDS, other=other)
    (folder / "claims.toml").write_text(text + (TIGHT_CLAIM if tight else ""))
    if tight:
        settings = f"[tool.assay]\nmargin = {judging.TIGHT_MARGIN}\n"
        (folder / "pyproject.toml").write_text(settings)
    command = [sys.executable, "-m", "assay", "run", ".", "--output", "out"]
    command += ["--seed", str(seed), "--no-profiles"]
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    seconds = time.monotonic() - began
    if done.returncode not in (0, 1, 3):
        sys.exit(f"assay run failed:\n{done.stdout}{done.stderr}")
    results = json.loads((folder / "out" / "results.json").read_text())
    deciding = [c for c in results["comparisons"] if c["verdict"]]
    cpu = next(c for c in deciding if c["metric"] == "cpu_per_request")
    return Outcome(
        noise,
        effect,
        rule,
        MARGIN_METRIC if tight else ANY,
        cpu["verdict"] if tight else results["pairs"][0]["verdict"],
        max(c["launches"] for c in deciding),
        seconds=round(seconds, 1),
        ratio=cpu["ratio"],
        low=cpu["low"],
        high=cpu["high"],
    )


def whole_runs(output: Path, noise: str) -> list[Outcome]:
    """Return the outcomes of the whole runs of a condition."""
    path = output / f"runs-{noise}.jsonl"
    if not path.exists():
        return []
    return [Outcome(**json.loads(line)) for line in path.read_text().splitlines()]


def _arm(name: str, rounds: dict[str, int]) -> Variant:
    """Return an arm by its name."""
    extra = {"e2": "+2 % CPU", "e5": "+5 % CPU", "e10": "+10 % CPU"}
    slow = {"SLOW_SHARE": "0.03"} if name == "tail" else {}
    return _variant(name, ROUNDS + (rounds[extra[name]] if name in extra else 0), slow)


def _variant(name: str, rounds: int, more: dict[str, str] | None = None) -> Variant:
    return Variant(name=name, env={"ROUNDS": str(rounds), **(more or {})})


def report(output: Path, folder: Path) -> None:
    """Judge what is there, and write the page.

    What the conditions came to is kept beside it: each takes hours, and one that
    was not measured again stays as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Outcome] = []
    measured: dict[str, str] = {}
    for noise in NOISES:
        kept = folder / f"verdicts-{noise}.json"
        if (output / noise / "plan.json").exists():
            runs = whole_runs(output, noise)
            outcomes = judging.all_outcomes(
                output, noise, IDENTICAL_PAIRS, SLOWER, runs
            )
            kept.write_text(_kept(conditions(output, noise), outcomes))
        if kept.exists():
            known = json.loads(kept.read_text())
            measured[noise] = known["measured"]
            found += [Outcome(**outcome) for outcome in known["outcomes"]]
    verdict_page.write(found, METHOD | measured, folder)
    print(verdict_page.answer(found))


def _kept(measured: str, outcomes: Sequence[Outcome]) -> str:
    """Return outcomes as JSON, one a line."""
    lines = ",\n".join(json.dumps(asdict(outcome)) for outcome in outcomes)
    return f'{{"measured": {json.dumps(measured)}, "outcomes": [\n{lines}\n]}}\n'


def note_machine(output: Path, noise: str) -> None:
    """Note what measures this condition, if that is not what measured it before.

    A study goes on where it was stopped, be it on another machine or with another
    version, and its page is written later still: it names all that measured.
    """
    machine = describe(Plan(topics=()), {"assay": Path()})
    commit = cast(Mapping[str, str], machine["commits"]).get("assay", "unknown")
    noted = (
        f"{os.cpu_count()} cores ({machine['cpu']}), Python {machine['python']}, "
        f"commit {commit}"
    )
    known = machines(output, noise)
    if noted not in known:
        text = "".join(f"{line}\n" for line in [*known, noted])
        _noted(output, noise).write_text(text, encoding="utf-8")


def machines(output: Path, noise: str) -> list[str]:
    """Return what measured a condition: machines with the version of Assay."""
    path = _noted(output, noise)
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _noted(output: Path, noise: str) -> Path:
    return output / f"machines-{noise}.txt"


def conditions(output: Path, noise: str) -> str:
    """Return what was measured of a condition, and on what."""
    slices = judging.directory(output, noise).slices()
    launches, lost = slices["launch"].nunique(), slices["disturbed"].mean()
    more = ", ".join(f"{count} for {key}" for key, count in rounds_for(output).items())
    return (
        f"{launches} launches, {lost:.1%} of slices disturbed; "
        f"{' and '.join(machines(output, noise)) or 'on a machine not noted'}; "
        f"{ROUNDS} rounds of work a request, {more} on top"
    )


def main() -> None:
    """Measure what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identical", type=int, default=60, help="A/A comparisons")
    parser.add_argument("--each", type=int, default=20, help="comparisons an effect")
    parser.add_argument("--minutes", type=float, default=math.inf, help="then stop")
    parser.add_argument("--noise", choices=NOISES, help="only this condition")
    parser.add_argument("--output", type=Path, default=Path("reports/study-verdicts"))
    parser.add_argument("--page", type=Path, default=Path("reports/reference"))
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    until = time.monotonic() + 60 * options.minutes
    for noise in [options.noise] if options.noise else NOISES:
        measure_arms(noise, options, until)
        measure_runs(noise, ASSAY, options.each, options, until)
        measure_runs(noise, MARGIN_RULE, TIGHT_RUNS, options, until)
    report(options.output, options.page)


if __name__ == "__main__":
    main()
