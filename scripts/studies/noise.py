"""Which slices does Assay find disturbed when the disturbance is known?

Services of several kinds are measured under four disturbances: nothing, a neighbour on
the server's core, a neighbour on the generator's core, and standstills of generator and
servers together. The times of each disturbance are recorded, so the study knows for how
long each slice was hit. It compares the rule of `assay.experiment.disturbance` with a
plain rule, which takes all run-delay of a slice for the work of a neighbour.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assay.experiment import calibration
from assay.plan import Load, Variant
from assay.run_directory.rows import SliceRow
from assay.system import processes
from assay.wording import percent
from scripts.studies.bench import COMMAND, Bench, Span, burner, open_bench
from scripts.studies.pages import markdown_rows, publish

APP = """\
import asyncio, os, zlib
from concurrent.futures import ThreadPoolExecutor

ROUNDS = int(os.environ.get("ROUNDS", "400"))
SLEEP = float(os.environ.get("SLEEP", "0"))
THREADS = int(os.environ.get("THREADS", "0"))
BLOCK = bytes(range(256))
pool = ThreadPoolExecutor(THREADS or 1)


def work():
    total = 0
    for _ in range(ROUNDS):
        total ^= zlib.crc32(BLOCK, total)


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if THREADS:
        await asyncio.get_running_loop().run_in_executor(pool, work)
    else:
        work()
    if SLEEP:
        await asyncio.sleep(SLEEP)
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
"""

BUSY = (
    Variant(name="one thread"),
    Variant(name="8 threads", env={"THREADS": "8"}),
    Variant(name="2 workers", command=f"{COMMAND} --workers 2"),
)
IDLE = (
    Variant(name="0.4 s a request", env={"SLEEP": "0.4", "ROUNDS": "20"}),
    Variant(name="light", env={"SLEEP": "0.01", "ROUNDS": "20"}),
)
# Slow services need many users for the same number of requests in a slice.
SERVICES = (
    (BUSY, Load(users=4, utilisation=0.4, connections=16)),
    (IDLE, Load(users=64, utilisation=0.5, connections=96)),
)
STANDSTILL = 0.03  # seconds
STANDSTILL_INTERVAL = 0.2  # mean seconds between two standstills
# A slice counts as hit if it was disturbed for more than this share of its duration, or
# for more than 90 % of a standstill.
HIT_SHARE = 0.3
NOTHING = "nothing"
MIN_SLICES = 3  # fewest slices for a median worth showing
# The limits of the plain rule. The first is a share of the slice, on top of the lower
# quartile of the variant's run-delays.
PLAIN_DELAY = 0.05
PLAIN_LAG = 1.5e-3  # seconds

Rule = Callable[[Sequence[SliceRow]], list[bool]]


@contextlib.contextmanager
def nothing(bench: Bench, spans: list[Span]) -> Iterator[None]:
    """Disturb nothing."""
    yield


@contextlib.contextmanager
def burning(
    bench: Bench, spans: list[Span], cores: Sequence[int], on: Span, off: Span
) -> Iterator[None]:
    """Burn cores part of the time, and add the times of burning to `spans`."""
    with burner(bench.folder, cores, on, off) as log:
        yield
    lines = [line for line in log.read_text().splitlines() if line.endswith("]")]
    for line in lines:
        began, ended = line[1:-1].split(",")
        spans.append((float(began), float(ended)))


@contextlib.contextmanager
def standstills(bench: Bench, spans: list[Span]) -> Iterator[None]:
    """Stop generator and servers together at random; add the times to `spans`."""
    done = threading.Event()

    def stop_processes() -> None:
        rng = random.Random(3)
        while not done.wait(rng.uniform(0.5, 1.5) * STANDSTILL_INTERVAL):
            pids = (bench.generator.child.pid, *bench.pids)
            began = time.perf_counter()
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(STANDSTILL)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            spans.append((began, time.perf_counter()))

    thread = threading.Thread(target=stop_processes)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def overlap(row: SliceRow, spans: Sequence[Span]) -> float:
    """Return for how many seconds of a slice there was a disturbance."""
    began, ended = row.started, row.started + row.duration
    return float(sum(max(0.0, min(ended, b) - max(began, a)) for a, b in spans))


def by_run_delay(rows: Sequence[SliceRow]) -> list[bool]:
    """Call a slice disturbed if its run-delay or the generator's lag is too high.

    The run-delay is compared with the lower quartile of the variant's slices.
    """
    usual = {
        name: float(np.quantile([_delay(r) for r in rows if r.variant == name], 0.25))
        for name in {row.variant for row in rows}
    }
    return [
        _delay(row) > usual[row.variant] + PLAIN_DELAY or row.lag_p99 > PLAIN_LAG
        for row in rows
    ]


def by_assay(rows: Sequence[SliceRow]) -> list[bool]:
    """Return Assay's decisions, which are a column of the rows."""
    return [bool(row.disturbed) for row in rows]


def _delay(row: SliceRow) -> float:
    return float(row.run_delay / row.duration)


RULES: dict[str, Rule] = {"Assay": by_assay, "run-delay alone": by_run_delay}
Disturbance = Callable[[Bench, list[Span]], contextlib.AbstractContextManager[None]]


def disturbances(cores: processes.Cores) -> dict[str, Disturbance]:
    """Return the disturbances of the study, by name."""
    return {
        NOTHING: nothing,
        "neighbour on the target's core, a third of the time": lambda bench, spans: (
            burning(bench, spans, cores.target, (0.05, 0.15), (0.1, 0.3))
        ),
        "neighbour on the generator's core, half of the time": lambda bench, spans: (
            burning(bench, spans, cores.generator, (0.15, 0.45), (0.15, 0.45))
        ),
        "generator and servers stopped for 30 ms, five times a second": standstills,
    }


@dataclass(frozen=True)
class RuleCounts:
    """How the rules judged the slices of one service under one disturbance.

    Attributes:
        mode: Closed or open loop.
        flags: For each rule two entries, for slices that were hit (True) and spared
            (False). Each entry has the number that the rule found disturbed, and the
            total.
        responses: Medians of the slices that were hit although Assay kept them, in
            seconds: response times in a closed loop, latencies in an open loop. If the
            disturbance is `NOTHING`, the medians of all slices that Assay kept.
    """

    disturbance: str
    service: str
    mode: str
    flags: Mapping[str, Mapping[bool, tuple[int, int]]]
    responses: Sequence[float]


@dataclass(frozen=True)
class JudgedSlice:
    """A slice, whether it was hit (None: too briefly), and what each rule decided."""

    row: SliceRow
    hit: bool | None
    flags: Mapping[str, bool]


def study(launches: int, report: Callable[[str], None]) -> list[RuleCounts]:
    """Measure every service under every disturbance."""
    split = processes.split_cores()
    cores = processes.Cores(split.target[:1], split.generator[:1])
    counts: list[RuleCounts] = []
    # Every disturbance gets the same load, so that response times can be compared.
    schedules: list[calibration.Schedule | None] = [None] * len(SERVICES)
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        folder = Path(name)
        with processes.guarded([folder]), open_bench(folder, APP, cores) as bench:
            for disturbance, disturb in disturbances(cores).items():
                for group, (variants, load) in enumerate(SERVICES):
                    slices: list[JudgedSlice] = []
                    bench.schedule = schedules[group]
                    for number in range(launches):
                        report(f"{disturbance}: launch {number + 1} of {launches}")
                        spans: list[Span] = []
                        measured = bench.launch(
                            variants, load, disturbance=disturb(bench, spans)
                        )
                        slices += judge(measured.slices, spans)
                    schedules[group] = bench.schedule
                    counts += count_flags(disturbance, slices)
    return counts


def judge(rows: Sequence[SliceRow], spans: Sequence[Span]) -> Iterator[JudgedSlice]:
    """Yield each slice of a launch, with the decision of each rule and the truth."""
    for mode in ("closed", "open"):
        rows_of_mode = [row for row in rows if row.mode == mode]
        flags = {name: rule(rows_of_mode) for name, rule in RULES.items()}
        for index, row in enumerate(rows_of_mode):
            seconds = overlap(row, spans)
            hit = seconds > min(HIT_SHARE * row.duration, 0.9 * STANDSTILL)
            grazed = bool(seconds) and not hit
            yield JudgedSlice(
                row,
                None if grazed else hit,
                {name: flags[name][index] for name in RULES},
            )


def count_flags(disturbance: str, slices: Sequence[JudgedSlice]) -> list[RuleCounts]:
    """Count what the rules decided, by service and mode."""
    groups: dict[tuple[str, str], list[JudgedSlice]] = {}
    for item in slices:
        groups.setdefault((item.row.variant, item.row.mode), []).append(item)
    return [
        RuleCounts(
            disturbance,
            service,
            mode,
            {
                rule: {hit: _count(group, rule, hit) for hit in (True, False)}
                for rule in RULES
            },
            [
                item.row.service_p50 if mode == "closed" else item.row.latency_p50
                for item in group
                # Slices without a disturbance are the reference for all others.
                if not item.flags["Assay"] and (item.hit or disturbance == NOTHING)
            ],
        )
        for (service, mode), group in sorted(groups.items())
    ]


def _count(slices: Sequence[JudgedSlice], rule: str, hit: bool) -> tuple[int, int]:
    flags = [item.flags[rule] for item in slices if item.hit is hit]
    return sum(flags), len(flags)


def table(counts: Sequence[RuleCounts]) -> str:
    """Return the Markdown table of all counts."""
    header = ["disturbance", "service", "load"]
    header += [
        f"{rule}: found of {which}" for rule in RULES for which in ("hit", "spared")
    ]
    header.append("hit but kept: response against quiet")
    quiet_responses = {
        (item.service, item.mode): item.responses
        for item in counts
        if item.disturbance == NOTHING
    }
    lines = [header, ["---"] * len(header)]
    for item in counts:
        cells = [item.disturbance, item.service, item.mode]
        for rule in RULES:
            for hit in (True, False):
                count, total = item.flags[rule][hit]
                share = f" ({percent(count / total)})" if total else ""
                cells.append(f"{count}/{total}{share}" if total else "–")
        quiet = quiet_responses.get((item.service, item.mode), ())
        enough = item.disturbance != NOTHING and len(item.responses) >= MIN_SLICES
        ratio = (
            np.median(item.responses) / np.median(quiet) if enough and quiet else None
        )
        cells.append("–" if ratio is None else f"{ratio:.2f}× ({len(item.responses)})")
        lines.append(cells)
    return markdown_rows(lines)


def main() -> None:
    """Measure, print the page, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--launches", type=int, default=5, help="of each kind")
    parser.add_argument("--page", type=Path, help="also write the page to this file")
    options = parser.parse_args()
    counts = study(options.launches, lambda line: print(line, file=sys.stderr))
    text = (
        "# Which slices are found disturbed?\n\n"
        "A slice is *hit* if the disturbance covered more than 30 % of it, or nearly a "
        "whole standstill. It is *spared* if the disturbance did not touch it. Slices "
        "that were only grazed are left out. Where the disturbance is *nothing*, other "
        "processes of the machine may still disturb. `run-delay alone` is a plain "
        "rule: a slice is disturbed if its threads waited for more than 5 % of the "
        "wall clock above their variant's lower quartile, or if the generator was late "
        "by more than 1.5 ms. The last column is the median response time of the "
        "slices that were hit although Assay kept them, against that of the same "
        "service without a disturbance.\n\n"
        f"{table(counts)}\n\n## How to repeat it\n\n"
        "```console\n$ ./scripts/study_noise\n```\n"
    )
    publish(text, options.page)


if __name__ == "__main__":
    main()
