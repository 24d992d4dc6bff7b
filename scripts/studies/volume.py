"""How much memory do many samples take, and how long does their report take?

`assay report` builds the report of a run of synthetic samples. The generator is
measured in `assay load`, where users of LeanHttpUser send requests as fast as they can.
Memory is the peak resident size of a process and its children. For `assay load`, the
generator's memory is subtracted.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from assay.load_plan import LoadPlan
from assay.load_results import Name
from assay.run_directory.load_run import REQUESTS, LoadRun
from assay.system import ports, processes
from scripts.studies.generators import LOCUSTFILE, SERVER

ROWS_PER_FILE = 500_000
RATE = 20_000.0  # arrivals per second of the synthetic test
NAMES = [
    Name("request", "GET", name)
    for name in ("/items", "/items/{id}", "/orders", "/search", "/login")
]
MB = 1e6


def write_synthetic_run(folder: Path, rows: int) -> None:
    """Write a run with this many samples: five names of requests, 0.1 % failed."""
    seconds = rows / RATE
    plan = LoadPlan(
        locustfile=Path("locustfile.py"),
        host="http://127.0.0.1:8000",
        times=(0.0, seconds),
        rates=(RATE, RATE),
        duration=seconds,
        shape=f"{RATE:.0f}",
    )
    run = LoadRun.create(folder, plan, {})
    run.write_names(NAMES)
    rng = np.random.default_rng(1)
    for number, first in enumerate(range(0, rows, ROWS_PER_FILE), start=1):
        count = min(ROWS_PER_FILE, rows - first)
        run.write_samples(REQUESTS, number, _samples(rng, first, count))
    for second in range(round(seconds) + 1):
        done = min(rows, round(second * RATE))
        run.append_tick(_tick(second, done, rows if second == round(seconds) else 0))


def _samples(rng: np.random.Generator, first: int, count: int) -> pa.Table:
    scheduled = (first + np.arange(count)) / RATE
    kinds = rng.integers(0, len(NAMES), count)
    service = rng.lognormal(-5.5 + 0.3 * kinds, 0.6)
    start = scheduled + rng.exponential(50e-6, count)
    return pa.table(
        {
            "scheduled": scheduled,
            "start": start,
            "end": start + service,
            "waited": np.zeros(count),
            "name": kinds.astype(np.uint16),
            "user": rng.integers(0, 100, count).astype(np.uint16),
            "failed": (rng.random(count) < 0.001).astype(np.uint8),
        }
    )


def _tick(second: int, done: int, last: int) -> Mapping[str, object]:
    header = {
        **{"at": float(second), "began": 0.0, "planned": done, "done": done},
        **{"dropped": 0, "in_flight": 0, "backlog": 0, "iterations": 0},
        **{
            "requests": round(RATE) if second else 0,
            "errors": {},
            "lag_p50": 5e-5,
            "lag_p99": 2e-4,
        },
        **{"stall": 0.0, "reconnects": 0, "generator_cpu": 0.4},
        **{"generator_run_delay": 0.0, "p50": 0.005, "p99": 0.02},
    }
    if last:
        header |= {"last": True, "loaded": float(second), "unserved": 0}
    return header


@dataclass
class MemoryWatch:
    """Watches the memory of a process tree.

    Attributes:
        peaks: Role of a process to its peak resident size in bytes; see `apart`.
        stopped: Set to end `watch`.
    """

    pid: int
    peaks: dict[str, int] = field(default_factory=dict)
    stopped: bool = False

    def watch(self) -> None:
        """Read the memory ten times a second until stopped."""
        while not self.stopped:
            sizes: dict[str, int] = {}
            # Children come first. If the generator ends meanwhile, Assay's size comes
            # out too small, which does not change its peak.
            for member in reversed(processes.tree(self.pid)):
                try:
                    process = psutil.Process(member)
                    role = _role(process.cmdline())
                    size = processes.memory_peak(member)
                except (psutil.Error, OSError):
                    continue
                if role:
                    sizes[role] = max(sizes.get(role, 0), size)
            for role, size in apart(sizes).items():
                self.peaks[role] = max(self.peaks.get(role, 0), size)
            time.sleep(0.1)


def apart(sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the sizes of process trees; Assay's tree without its generator."""
    within = sizes.get("generator", 0)
    return {
        role: size - within if role == "assay" else size for role, size in sizes.items()
    }


def _role(command: list[str]) -> str:
    if "assay.load.inside" in command:
        return "generator"
    return "assay" if "assay" in command else ""


def run_watched(command: list[str], cwd: Path) -> tuple[float, dict[str, int]]:
    """Run a command; return its seconds and the peak memory of its processes.

    Raises:
        SystemExit: The command failed.
    """
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL)
    watch = MemoryWatch(process.pid)
    thread = threading.Thread(target=watch.watch)
    thread.start()
    code = process.wait()
    seconds = time.perf_counter() - began
    watch.stopped = True
    thread.join()
    if code not in (0, 3):
        sys.exit(f"{' '.join(command)} failed with exit code {code}")
    return seconds, watch.peaks


def measure_generator(folder: Path, samples: int) -> tuple[int, dict[str, int]]:
    """Load a server with this many requests.

    Returns:
        The number of requests that were sent, and the peak memory of each process.

    Raises:
        SystemExit: The load test failed.
    """
    (folder / "server.py").write_text(SERVER)
    (folder / "locustfile.py").write_text(LOCUSTFILE.format(client="LeanHttpUser"))
    port = ports.free()
    server = processes.start(
        "the server",
        [sys.executable, str(folder / "server.py"), str(port)],
        log=folder / "server.log",
        cores=processes.split_cores().target,
    )
    try:
        while "ready" not in server.log.read_text():
            assert server.running(), server.last_lines()
            time.sleep(0.01)
        command = [
            *(sys.executable, "-m", "assay", "load", "locustfile.py", "--users", "16"),
            *("--host", f"http://127.0.0.1:{port}", "--duration", "1h"),
            *("--iterations", str(samples), "--output", "out"),
        ]
        _, peaks = run_watched(command, folder)
    finally:
        server.stop()
    results = LoadRun(folder / "out").results()
    assert results.planned == results.done + results.dropped + results.unserved
    return results.rows[0].requests, peaks


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="for the report")
    parser.add_argument(
        "--requests", type=int, default=10_000_000, help="by the generator; 0 for none"
    )
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        folder = Path(name)
        with processes.guarded([folder]):
            if options.requests:
                requests, peaks = measure_generator(folder, options.requests)
                sizes = ", ".join(
                    f"{role} {size / MB:.0f} MB" for role, size in sorted(peaks.items())
                )
                print(f"{requests:,} requests by LeanHttpUser: {sizes}", flush=True)
            if options.rows:
                run = folder / "synthetic"
                write_synthetic_run(run, options.rows)
                disk = sum(path.stat().st_size for path in run.rglob("*"))
                command = [sys.executable, "-m", "assay", "report", str(run)]
                seconds, peaks = run_watched(command, folder)
                print(
                    f"report of {options.rows:,} samples ({disk / MB:,.0f} MB on disk)"
                    f": {seconds:.1f} s, {peaks['assay'] / MB:.0f} MB"
                )


if __name__ == "__main__":
    main()
