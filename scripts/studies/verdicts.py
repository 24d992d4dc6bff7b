"""How often is Assay's verdict false, how soon is it right, and how do other rules do?

The arms of the study are variants of one service, identical or slower. They are
measured together in shared launches: on a quiet machine, and beside a neighbour that
burns the server's core a quarter of the time. Each slower arm is compared with an
identical arm. Identical arms are also compared with each other, in three pairs. The
launches of a pair are judged look by look, as `assay run` does. Where one comparison
ends, the next one begins.

The verdict on +5 % CPU comes from whole runs of the command, because the study states
the time until that verdict. Other whole runs measure how long a launch takes for a
single claim on CPU.

Launches and runs are stored, so the study can be stopped and continued.
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
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from assay.experiment import launch
from assay.plan import Load, Variant
from assay.system import processes
from scripts.studies import judging, verdict_page
from scripts.studies.bench import COMMAND, Bench, burner, open_bench, write_service
from scripts.studies.outcomes import (
    ANY,
    ASSAY,
    IDENTICAL,
    MARGIN_METRIC,
    MARGIN_RULE,
    NOISES,
    Outcome,
    select,
)
from scripts.studies.storage import machines, note_machine

ROUNDS = 600  # rounds of the baseline's work: about 0.2 ms of CPU time per request
CALIBRATION_LAUNCHES = 12
# The neighbour burns and pauses for random times; it burns a quarter of the time.
NEIGHBOUR_ON_SECONDS = (0.2, 0.8)
NEIGHBOUR_OFF_SECONDS = (0.6, 2.4)
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

CPU_EFFECTS = {"+2 % CPU": 0.02, "+5 % CPU": 0.05, "+10 % CPU": 0.10}
TAIL_EFFECT = "+5 ms on 3 %"
# No two identical pairs share an arm. Each slower arm is compared with a different arm
# of these pairs.
IDENTICAL_PAIRS = (("a0", "a1"), ("a2", "a3"), ("a4", "a5"))
SLOWER_PAIRS = {
    "+2 % CPU": ("a0", "e2"),
    "+5 % CPU": ("a1", "e5"),
    "+10 % CPU": ("a2", "e10"),
    TAIL_EFFECT: ("a4", "tail"),
}
RUNS_EFFECT = "+5 % CPU"  # the effect that is measured by whole runs of the command
TIGHT_RUNS = 5  # whole runs with the tight claim alone

METHOD = {
    "service": "a plain ASGI application under uvicorn, one process on one core",
    "load": f"closed loop of {LOAD.users} users; Poisson arrivals at half capacity",
    "neighbour": "a process on the server's core, on for "
    f"{NEIGHBOUR_ON_SECONDS[0]} to {NEIGHBOUR_ON_SECONDS[1]} s and off for "
    f"{NEIGHBOUR_OFF_SECONDS[0]} to {NEIGHBOUR_OFF_SECONDS[1]} s, at random",
    RUNS_EFFECT: "whole runs of assay run give the verdict and its time; the seconds "
    "of the other effects are their launches times the time of a launch in these runs",
    MARGIN_RULE: "its seconds are its launches times the time of a launch in "
    f"{TIGHT_RUNS} whole runs with that one claim, where the other load gets half the "
    "time",
    "truth": "a ratio of 1 for identical code; otherwise the estimate from all other "
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
    """Set up a service, a generator, and the neighbour if the condition has one."""
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        folder = Path(name)
        with processes.guarded([folder]), neighbour(noise, folder):
            with open_bench(folder, APP, processes.split_cores()) as opened:
                yield opened


def neighbour(noise: str, folder: Path) -> contextlib.AbstractContextManager[object]:
    """Burn the server's core a quarter of the time, if the condition is noisy."""
    if noise == "quiet":
        return contextlib.nullcontext()
    core = processes.split_cores().target[:1]
    return burner(folder, core, NEIGHBOUR_ON_SECONDS, NEIGHBOUR_OFF_SECONDS)


def extra_rounds(output: Path) -> dict[str, int]:
    """Return the extra rounds of work for each effect on CPU time.

    The rounds are measured once, and read from a file afterwards.

    Raises:
        SystemExit: Too many launches were disturbed to measure them.
    """
    file = output / "rounds.json"
    if file.exists():
        stored: dict[str, int] = json.loads(file.read_text())
        return stored
    extra = ROUNDS // 2
    arms = [_variant("a0", ROUNDS), _variant("more", ROUNDS + extra)]
    shares: list[float] = []
    with bench("quiet") as calibration_bench:
        for _ in range(3 * CALIBRATION_LAUNCHES):
            if len(shares) == CALIBRATION_LAUNCHES:
                break
            measured = calibration_bench.launch(arms, LOAD)
            if measured.counts:
                share = _extra_cpu_share(measured, *(arm.name for arm in arms))
                shares.append(share / extra)
    if len(shares) < CALIBRATION_LAUNCHES:
        sys.exit("too many launches were disturbed to calibrate: is the machine quiet?")
    share_per_round = statistics.median(shares)
    rounds = {
        name: round(effect / share_per_round) for name, effect in CPU_EFFECTS.items()
    }
    output.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(rounds))
    print(f"one more round is {share_per_round:.3%} of a request's CPU time: {rounds}")
    return rounds


def _extra_cpu_share(measured: launch.Launch, base: str, more: str) -> float:
    """Return how much more CPU time a request of `more` takes, as a share of `base`.

    This is the median over the closed blocks in which neither arm was disturbed.
    """
    cost: dict[str, dict[int, float]] = {base: {}, more: {}}
    for row in measured.slices:
        if row.mode == "closed" and not row.disturbed:
            cost[row.variant][row.block] = row.cpu_per_request
    blocks = cost[base].keys() & cost[more].keys()
    return statistics.median(cost[more][n] / cost[base][n] for n in blocks) - 1


def measure_arms(noise: str, options: argparse.Namespace, deadline: float) -> None:
    """Append launches until there are enough comparisons, or time is up."""
    rounds = extra_rounds(options.output)
    run = judging.open_or_create_run(options.output, noise)
    comparisons = {
        IDENTICAL: options.identical,
        **dict.fromkeys(SLOWER_PAIRS, options.each),
    }
    pairs = judging.pairs_to_measure(
        run, noise, IDENTICAL_PAIRS, SLOWER_PAIRS, comparisons
    )
    if not pairs:
        return
    # Once is enough: this process keeps running the code that it started with.
    note_machine(options.output, noise)
    with bench(noise) as arms_bench:
        while pairs and time.monotonic() < deadline:
            names = sorted({name for pair in pairs for name in pair})
            arms = [_arm(name, rounds) for name in names]
            began = time.monotonic()
            measured = arms_bench.launch(arms, LOAD, pairs)
            seconds = time.monotonic() - began
            number = judging.append_launch(run, measured, seconds)
            note = "" if measured.counts else ", too disturbed to count"
            print(f"{noise} launch {number}: {len(arms)} arms, {seconds:.1f} s{note}")
            pairs = judging.pairs_to_measure(
                run, noise, IDENTICAL_PAIRS, SLOWER_PAIRS, comparisons
            )


def measure_runs(
    noise: str, rule: str, runs: int, options: argparse.Namespace, deadline: float
) -> None:
    """Do whole runs of the command until there are enough, or time is up."""
    effect, more = RUNS_EFFECT, extra_rounds(options.output)[RUNS_EFFECT]
    if rule == MARGIN_RULE:
        effect, more = IDENTICAL, 0
    log = options.output / f"runs-{noise}.jsonl"
    while True:
        seed = len(select(whole_runs(options.output, noise), rule=rule))
        if seed >= runs or time.monotonic() > deadline:
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
        verdict = f"{outcome.verdict} after {outcome.launches} launches"
        print(f"{noise} run {seed} of {rule}: {verdict}, {outcome.seconds} s")


def whole_run(
    noise: str, folder: Path, rule: str, effect: str, more: int, seed: int
) -> Outcome:
    """Run the command once, and time the whole command.

    Args:
        noise: The condition, for the outcome.
        folder: Where the topic and its run are written.
        rule: `ASSAY`, or `MARGIN_RULE` for a run with its one claim.
        effect: What the candidate does in addition, in words.
        more: Extra rounds of work for this effect.
        seed: The seed of the run.

    Raises:
        SystemExit: The run could not be measured.
    """
    write_service(folder, APP)
    tight, other = rule == MARGIN_RULE, ROUNDS + more
    text = CLAIMS.format(effect=effect, command=COMMAND, base=ROUNDS, other=other)
    (folder / "claims.toml").write_text(text + (TIGHT_CLAIM if tight else ""))
    if tight:
        settings = f"[tool.assay]\nmargin = {judging.TIGHT_MARGIN}\n"
        (folder / "pyproject.toml").write_text(settings)
    command = [sys.executable, "-m", "assay", "run", ".", "--output", "out"]
    command += ["--seed", str(seed), "--no-profiles"]
    began = time.monotonic()
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    seconds = time.monotonic() - began
    if ended.returncode not in (0, 1, 3):
        sys.exit(f"assay run failed:\n{ended.stdout}{ended.stderr}")
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
    effects = {"e2": "+2 % CPU", "e5": "+5 % CPU", "e10": "+10 % CPU"}
    more = rounds[effects[name]] if name in effects else 0
    env = {"SLOW_SHARE": "0.03"} if name == "tail" else {}
    return _variant(name, ROUNDS + more, env)


def _variant(name: str, rounds: int, env: dict[str, str] | None = None) -> Variant:
    return Variant(name=name, env={"ROUNDS": str(rounds), **(env or {})})


def report(output: Path, folder: Path) -> None:
    """Judge the launches and runs of all conditions, and write the page.

    The outcomes of each condition are stored beside the page, because measuring them
    takes hours. A condition that was not measured here keeps its stored outcomes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    conditions: dict[str, str] = {}
    for noise in NOISES:
        file = folder / f"verdicts-{noise}.json"
        if (output / noise / "plan.json").exists():
            outcomes_now = judging.all_outcomes(
                output, noise, IDENTICAL_PAIRS, SLOWER_PAIRS, whole_runs(output, noise)
            )
            condition = describe_condition(output, noise)
            file.write_text(_outcomes_json(condition, outcomes_now))
        if file.exists():
            stored = json.loads(file.read_text())
            conditions[noise] = stored["measured"]
            outcomes += [Outcome(**outcome) for outcome in stored["outcomes"]]
    verdict_page.write(outcomes, METHOD | conditions, folder)
    print(verdict_page.goal_summary(outcomes))


def _outcomes_json(condition: str, outcomes: Sequence[Outcome]) -> str:
    """Return the condition and its outcomes as JSON, with one outcome on each line."""
    lines = ",\n".join(json.dumps(asdict(outcome)) for outcome in outcomes)
    return f'{{"measured": {json.dumps(condition)}, "outcomes": [\n{lines}\n]}}\n'


def describe_condition(output: Path, noise: str) -> str:
    """Return what was measured of a condition, and on which machines."""
    slices = judging.open_or_create_run(output, noise).slices()
    launches, disturbed = slices["launch"].nunique(), slices["disturbed"].mean()
    extra = ", ".join(
        f"{count} for {effect}" for effect, count in extra_rounds(output).items()
    )
    return (
        f"{launches} launches, {disturbed:.1%} of slices disturbed; "
        f"{' and '.join(machines(output, noise)) or 'on an unknown machine'}; "
        f"{ROUNDS} rounds of work per request, {extra} in addition"
    )


def main() -> None:
    """Measure what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--identical", type=int, default=60, help="comparisons of identical code"
    )
    parser.add_argument(
        "--each", type=int, default=20, help="comparisons of each slower effect"
    )
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="stop after this time"
    )
    parser.add_argument("--noise", choices=NOISES, help="only this condition")
    parser.add_argument("--output", type=Path, default=Path("reports/study-verdicts"))
    parser.add_argument("--page", type=Path, default=Path("reports/reference"))
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    deadline = time.monotonic() + 60 * options.minutes
    for noise in [options.noise] if options.noise else NOISES:
        measure_arms(noise, options, deadline)
        measure_runs(noise, ASSAY, options.each, options, deadline)
        measure_runs(noise, MARGIN_RULE, TIGHT_RUNS, options, deadline)
    report(options.output, options.page)


if __name__ == "__main__":
    main()
