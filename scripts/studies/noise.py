"""Which slices are found disturbed, when it is known which ones were.

Services of several kinds are measured while something disturbs them that keeps a
log: nothing, a neighbour on the server's core, one on the generator's core, and
standstills of generator and servers together. For each slice it is known for how
long it was hit. The rule of `assay.experiment.disturbance` is put beside the plain
one that takes a slice's run-delay for its neighbour's.
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
from scripts.studies.bench import COMMAND, Bench, Span, burner, opened
from scripts.studies.pages import put, table_of

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
STANDSTILL, STANDSTILL_EVERY = 0.03, 0.2  # seconds
HIT = 0.3  # of a slice, or nearly a whole standstill
NOTHING = "nothing"
FEWEST = 3  # slices that have a median worth showing
PLAIN = 0.05  # of the wall clock, above the variant's own lower quartile

Rule = Callable[[Sequence[SliceRow]], list[bool]]


@contextlib.contextmanager
def nothing(bench: Bench, spans: list[Span]) -> Iterator[None]:
    """Disturb nothing."""
    yield


@contextlib.contextmanager
def burning(
    bench: Bench, spans: list[Span], cores: Sequence[int], on: Span, off: Span
) -> Iterator[None]:
    """Burn a core part of the time, and note when."""
    with burner(bench.folder, cores, on, off) as log:
        yield
    lines = [line for line in log.read_text().splitlines() if line.endswith("]")]
    for line in lines:
        first, last = line[1:-1].split(",")
        spans.append((float(first), float(last)))


@contextlib.contextmanager
def standstills(bench: Bench, spans: list[Span]) -> Iterator[None]:
    """Stop generator and servers together now and then, and note when."""
    done = threading.Event()

    def stop_them() -> None:
        rng = random.Random(3)
        while not done.wait(rng.uniform(0.5, 1.5) * STANDSTILL_EVERY):
            pids = (bench.generator.child.pid, *bench.pids)
            began = time.perf_counter()
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(STANDSTILL)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            spans.append((began, time.perf_counter()))

    thread = threading.Thread(target=stop_them)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def overlap(row: SliceRow, spans: Sequence[Span]) -> float:
    """Return for how many seconds of a slice something happened."""
    began, ended = row.started, row.started + row.duration
    return float(sum(max(0.0, min(ended, b) - max(began, a)) for a, b in spans))


def plain(rows: Sequence[SliceRow]) -> list[bool]:
    """Judge by run-delay alone, and by the generator's lag."""
    usual = {
        name: float(np.quantile([_delay(r) for r in rows if r.variant == name], 0.25))
        for name in {row.variant for row in rows}
    }
    return [
        _delay(row) > usual[row.variant] + PLAIN or row.lag_p99 > 1.5e-3 for row in rows
    ]


def ours(rows: Sequence[SliceRow]) -> list[bool]:
    """Judge as Assay does: the rows say it already."""
    return [bool(row.disturbed) for row in rows]


def _delay(row: SliceRow) -> float:
    return float(row.run_delay / row.duration)


RULES: dict[str, Rule] = {"Assay": ours, "run-delay alone": plain}
Disturbance = Callable[[Bench, list[Span]], contextlib.AbstractContextManager[None]]


def disturbances(cores: processes.Cores) -> dict[str, Disturbance]:
    """Return what is done to the services, by name."""
    return {
        NOTHING: nothing,
        "neighbour on the target's core, a third of the time": lambda bench, spans: (
            burning(bench, spans, cores.target, (0.05, 0.15), (0.1, 0.3))
        ),
        "neighbour on the generator's core, half of the time": lambda bench, spans: (
            burning(bench, spans, cores.generator, (0.15, 0.45), (0.15, 0.45))
        ),
        "all of them stand still for 30 ms, five times a second": standstills,
    }


@dataclass(frozen=True)
class Found:
    """What the rules said of the slices of one service under one disturbance.

    Attributes:
        flags: For each rule, by whether a slice was hit (True) or spared: how many
            it found disturbed, and of how many.
        responses: Median response times, in seconds, of the slices that were hit
            and that Assay kept all the same.
    """

    disturbance: str
    service: str
    mode: str
    flags: Mapping[str, Mapping[bool, tuple[int, int]]]
    responses: Sequence[float]


@dataclass(frozen=True)
class Judged:
    """A slice, whether it was hit (None: only grazed), and what each rule says."""

    row: SliceRow
    hit: bool | None
    words: Mapping[str, bool]


def study(launches: int, say: Callable[[str], None]) -> list[Found]:
    """Measure every service under every disturbance."""
    split = processes.split_cores()
    cores = processes.Cores(split.target[:1], split.generator[:1])
    found: list[Found] = []
    # The same load under every disturbance, or response times could not be compared.
    schedules: list[calibration.Schedule | None] = [None] * len(SERVICES)
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        with processes.guarded([Path(name)]), opened(Path(name), APP, cores) as bench:
            for what, disturb in disturbances(cores).items():
                for group, (variants, load) in enumerate(SERVICES):
                    kept: list[Judged] = []
                    bench.schedule = schedules[group]
                    for number in range(launches):
                        say(f"{what}: launch {number + 1} of {launches}")
                        spans: list[Span] = []
                        measured = bench.launch(
                            variants, load, while_it=disturb(bench, spans)
                        )
                        kept += judged(measured.slices, spans)
                    schedules[group] = bench.schedule
                    found += summed(what, kept)
    return found


def judged(rows: Sequence[SliceRow], spans: Sequence[Span]) -> Iterator[Judged]:
    """Judge the slices of one launch by every rule, and by what is known."""
    for mode in ("closed", "open"):
        of = [row for row in rows if row.mode == mode]
        words = {name: rule(of) for name, rule in RULES.items()}
        for index, row in enumerate(of):
            inside = overlap(row, spans)
            hit = inside > min(HIT * row.duration, 0.9 * STANDSTILL)
            known = None if inside and not hit else hit
            yield Judged(row, known, {name: words[name][index] for name in RULES})


def summed(what: str, kept: Sequence[Judged]) -> list[Found]:
    """Count what the rules said, by service and mode."""
    groups: dict[tuple[str, str], list[Judged]] = {}
    for item in kept:
        groups.setdefault((item.row.variant, item.row.mode), []).append(item)
    return [
        Found(
            what,
            service,
            mode,
            {
                rule: {hit: _count(own, rule, hit) for hit in (True, False)}
                for rule in RULES
            },
            [
                item.row.service_p50 if mode == "closed" else item.row.latency_p50
                for item in own
                # Where nothing is done, every slice is what the others are held to.
                if not item.words["Assay"] and (item.hit or what == NOTHING)
            ],
        )
        for (service, mode), own in sorted(groups.items())
    ]


def _count(own: Sequence[Judged], rule: str, hit: bool) -> tuple[int, int]:
    of = [item.words[rule] for item in own if item.hit is hit]
    return sum(of), len(of)


def table(found: Sequence[Found]) -> str:
    """Return the Markdown table of all that was found."""
    head = ["disturbance", "service", "load"]
    head += [
        f"{rule}: found of {which}" for rule in RULES for which in ("hit", "spared")
    ]
    head.append("hit but kept: response against quiet")
    usual = {
        (item.service, item.mode): item.responses
        for item in found
        if item.disturbance == NOTHING
    }
    lines = [head, ["---"] * len(head)]
    for item in found:
        cells = [item.disturbance, item.service, item.mode]
        for rule in RULES:
            for hit in (True, False):
                count, total = item.flags[rule][hit]
                share = f" ({percent(count / total)})" if total else ""
                cells.append(f"{count}/{total}{share}" if total else "–")
        quiet = usual.get((item.service, item.mode), ())
        known = item.disturbance != NOTHING and len(item.responses) >= FEWEST and quiet
        ratio = np.median(item.responses) / np.median(quiet) if known else None
        cells.append("–" if ratio is None else f"{ratio:.2f}× ({len(item.responses)})")
        lines.append(cells)
    return table_of(lines)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--launches", type=int, default=5, help="of each kind")
    parser.add_argument("--page", type=Path, help="write the table to this file, too")
    options = parser.parse_args()
    found = study(options.launches, lambda words: print(words, file=sys.stderr))
    text = (
        "# Which slices are found disturbed?\n\n"
        "A slice is *hit* if the disturbance took more than 30 % of it, or nearly a "
        "whole standstill; *spared* if it took none of it. Slices that were only "
        "grazed are left out. Where nothing is done, other processes of the machine "
        "still may. `run-delay alone` is the rule that a slice is disturbed whose "
        "threads waited for more than 5 % of the wall clock above their variant's "
        "lower quartile, or whose generator was late by more than 1.5 ms. The last "
        "column is the median response time of the slices that were hit and yet kept, "
        "against that of the same service where nothing is done.\n\n"
        f"{table(found)}\n\n## How to repeat it\n\n"
        "```console\n$ ./scripts/study_noise\n```\n"
    )
    put(text, options.page)


if __name__ == "__main__":
    main()
