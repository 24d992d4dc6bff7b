"""Do Assay's percentiles agree with the server's own log, and do Locust's?

There are three servers, and each logs the truth:

* `constant` answers after a timer of 5 ms, and logs how long each request really took
  in the server. A client's times also contain the way through the kernel.
* `steady` does the same with random service times.
* `freezing` answers at once, but stops for 500 ms every 5 s, and logs when it stopped.
  The ideal open-loop latency is computed from the arrivals and that log alone.

Each client is measured several times at each rate, in rounds over clients and rates.
The study also runs whole tests with `assay load`, and counts those that warn about the
load generator. Finished runs are stored, so the study can be stopped and continued.
"""

import argparse
import csv
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.load.answers import Slice
from assay.load.control.generator import Generator
from assay.load.control.process import Setup
from assay.system import ports, processes
from scripts.studies import accuracy_page, storage
from scripts.studies.accuracy_page import (
    ASSAY,
    CELLS,
    FREEZING,
    LOCUST,
    Cell,
    CommandRun,
    Run,
)
from scripts.studies.pages import publish
from scripts.studies.storage import append_row, read_rows, scratch_folder

SHARES = (0.5, 0.9, 0.95, 0.99)
STEADY_RATE = 300.0
USERS = 32
FREEZING_FACTOR = 2.5  # lengthens the runs of a server that freezes only every 5 s
MAX_RUNS_FACTOR = 2  # the most runs that are made, as a multiple of those asked for
TEST_SECONDS = 6
MAX_EXTRA_SECONDS = 60.0  # seconds that a command may take beyond its load
PAGE = Path("reports/reference/accuracy.md")

SERVER = """\
import asyncio, json, random, selectors, signal, sys, time

KIND, PORT, LOG = sys.argv[1], int(sys.argv[2]), sys.argv[3]
ANSWER = b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok"
draw = random.Random(3)
took, frozen = [], []


class Selector(selectors.DefaultSelector):
    def select(self, timeout=None):
        events = super().select(timeout)
        self.woke = time.perf_counter()  # from now on the server knows of the requests
        return events


class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.buffer = b""

    def data_received(self, data):
        self.buffer += data
        while b"\\r\\n\\r\\n" in self.buffer:
            _, self.buffer = self.buffer.split(b"\\r\\n\\r\\n", 1)
            began = selector.woke
            if KIND == "freezing":
                self.answer(began)
                continue
            seconds = 0.005
            if KIND == "steady":
                seconds = min(0.1, draw.lognormvariate(-5.3, 0.6))
            asyncio.get_running_loop().call_later(seconds, self.answer, began)

    def answer(self, began):
        self.transport.write(ANSWER)
        took.append((began, time.perf_counter() - began))


async def freeze():
    while KIND == "freezing":
        await asyncio.sleep(4.5)
        began = time.perf_counter()
        time.sleep(0.5)
        frozen.append((began, time.perf_counter()))


async def main():
    loop = asyncio.get_running_loop()
    await loop.create_server(Server, "127.0.0.1", PORT, backlog=1024)
    done = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, done.set)
    freezing = asyncio.create_task(freeze())
    await done.wait()
    with open(LOG, "w") as file:
        json.dump({"took": took, "frozen": frozen}, file)


selector = Selector()
with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
    runner.run(main())
"""

LOCUSTFILE = """\
from locust import CLIENT, constant_throughput, task


class Visitor(CLIENT):
    wait_time = constant_throughput(PACE)

    @task
    def get(self):
        self.client.get("/")
"""
# If all users of Locust began together, they would stay in step and wait for each other
# at the server. So each user begins after a random time.
RANDOM_BEGIN = """
    def on_start(self):
        import random, time
        time.sleep(random.random() / PACE)
"""

Floats = NDArray[np.float64]


class Server:
    """A running server of the study."""

    def __init__(self, kind: str, folder: Path, cores: processes.Cores) -> None:
        """Start the server, and give it one second to listen."""
        script = folder / "server.py"
        script.write_text(SERVER)
        self.port = ports.free()
        self.log = folder / f"{kind}.{self.port}.json"
        self.child = processes.start(
            kind,
            [sys.executable, str(script), kind, str(self.port), str(self.log)],
            log=folder / f"{kind}.log",
            cores=cores.target,
        )
        self.url = f"http://127.0.0.1:{self.port}"
        time.sleep(1.0)

    def stop(self) -> dict[str, Any]:
        """Stop the server and return its log."""
        self.child.stop()
        log: dict[str, Any] = json.loads(self.log.read_text())
        return log


def write_locustfile(folder: Path, client: str, pace: float, more: str = "") -> Path:
    """Write a locustfile and return its path.

    Args:
        folder: Where it is written.
        client: The class of its user.
        pace: Requests per second of one user in a closed loop.
        more: More code of the class.
    """
    text = (LOCUSTFILE + more).replace("PACE", str(pace)).replace("CLIENT", client)
    if client == "LeanHttpUser":
        text = text.replace("import LeanHttpUser, ", "import ")
        text = f"from assay.load import LeanHttpUser\n{text}"
    path = folder / "locustfile.py"
    path.write_text(text)
    return path


def load_with_assay(
    kind: str, rate: float, seconds: float, folder: Path, client: str = "FastHttpUser"
) -> tuple[dict[str, Floats], dict[str, Any]]:
    """Load a server with Assay; return the samples and the server's log."""
    measured, log = measure_slice(kind, rate, seconds, folder, client)
    print(
        f"{kind}: planned {measured.planned} = done {measured.done} + dropped "
        f"{measured.dropped} + unserved {measured.unserved}; generator lag p99 "
        f"{measured.lag_p99 * 1e3:.2f} ms",
        flush=True,
    )
    return dict(measured.request_columns), log


def measure_slice(
    kind: str, rate: float, seconds: float, folder: Path, client: str, seed: int = 1
) -> tuple[Slice, dict[str, Any]]:
    """Load a server with one slice of Assay; return the slice and the server's log."""
    cores = processes.split_cores()
    locustfile = write_locustfile(folder, client, rate / USERS)
    server = Server(kind, folder, cores)
    generator = Generator(Setup(locustfile, folder), cores.generator)
    try:
        generator.attach({kind: server.url}, {kind: [server.child.pid]}, (), USERS)
        generator.touch(kind)
        measured = generator.open(kind, rate, seconds, seed=seed)
        return measured, server.stop()
    finally:
        generator.close()
        server.child.stop()


def latencies(measured: Slice) -> Floats:
    """Return the latency of each request in seconds; a lower bound if unanswered."""
    columns = measured.request_columns
    seconds = columns["end"] - columns["start"] + columns["waited"]
    unanswered = np.isnan(seconds)
    seconds[unanswered] = measured.ended - columns["scheduled"][unanswered]
    return np.asarray(seconds, dtype=float)


def ideal_latencies(scheduled: Floats, frozen: list[list[float]]) -> Floats:
    """Return the seconds that each arrival must wait if only the freezes delay it."""
    wait = np.zeros(len(scheduled))
    for began, ended in frozen:
        inside = (scheduled >= began) & (scheduled < ended)
        wait[inside] = ended - scheduled[inside]
    return wait


def run_assay(cell: Cell, seconds: float, folder: Path, seed: int) -> Run:
    """Load a server once with Assay."""
    kind, client, rate = cell
    measured, log = measure_slice(kind, rate, seconds, folder, client, seed)
    truth = np.array([took for began, took in log["took"] if began >= measured.began])
    if kind == FREEZING:
        truth = ideal_latencies(measured.request_columns["scheduled"], log["frozen"])
    names = "stall run_delay generator_run_delay generator_cpu duration lag_p50 lag_p99"
    return Run(
        ASSAY,
        *cell,
        truth=_percentiles(kind, truth),
        seen=_percentiles(kind, latencies(measured)),
        machine={name: float(getattr(measured, name)) for name in names.split()},
        counts={
            name: int(getattr(measured, name)) for name in ("planned", "done", "failed")
        },
    )


def run_locust(cell: Cell, seconds: float, folder: Path) -> Run:
    """Load a server once with Locust alone, and read its CSV."""
    kind, client, rate = cell
    users = max(10, rate // 10)  # several times the requests in flight
    file = write_locustfile(folder, client, rate / users, RANDOM_BEGIN)
    cores = processes.split_cores()
    server = Server(kind, folder, cores)
    command = ["locust", "-f", str(file), "--headless", "--only-summary"]
    command += ["-u", str(users), "-r", str(users), "-t", f"{math.ceil(seconds)}s"]
    command += ["--host", server.url, "--csv", str(folder / kind)]
    try:
        _run_module(command, folder, seconds, cores.generator)
        log = server.stop()
    finally:
        server.child.stop()
    truth = np.array([took for _, took in log["took"]])
    if kind == FREEZING:
        begins = [began for began, _ in log["took"]]
        even_arrivals = np.arange(begins[0], begins[-1], 1 / rate)
        truth = ideal_latencies(even_arrivals, log["frozen"])
    with (folder / f"{kind}_stats.csv").open() as csv_file:
        total = list(csv.DictReader(csv_file))[-1]
    seen = {
        f"p{share * 100:g}": float(total[f"{share:.0%}"]) / 1e3
        for share in _shares(kind)
    }
    return Run(LOCUST, *cell, truth=_percentiles(kind, truth), seen=seen)


def run_command(folder: Path, seed: int) -> CommandRun:
    """Run one whole `assay load` with HttpUser at 50/s."""
    file = write_locustfile(folder, "HttpUser", 1)
    server = Server("constant", folder, processes.split_cores())
    command = ["assay", "load", str(file), "--host", server.url, "--rate", "50"]
    command += ["--duration", f"{TEST_SECONDS}s", "--seed", str(seed)]
    try:
        exit_code = _run_module(
            [*command, "--output", str(folder / "out")], folder, TEST_SECONDS
        )
    finally:
        server.child.stop()
    results = json.loads((folder / "out" / "results.json").read_text())
    return CommandRun(accuracy_page.generator_warnings(results), exit_code)


def _run_module(
    module: Sequence[str], folder: Path, seconds: float, cores: Sequence[int] = ()
) -> int:
    """Run a Python module as a command, and return its exit code.

    Raises:
        SystemExit: The command did not end in time.
    """
    child = processes.start(
        module[0],
        [sys.executable, "-m", *module],
        log=folder / "command.log",
        cwd=folder,
        cores=cores,
    )
    ended = child.wait(seconds + MAX_EXTRA_SECONDS)
    child.stop()
    if not ended:
        sys.exit(f"{module[0]} did not end; its last lines:\n{child.last_lines()}")
    return child.exit_code() or 0


def _shares(kind: str) -> tuple[float, ...]:
    return (0.95, 0.99) if kind == FREEZING else (0.5, 0.99)


def _percentiles(kind: str, values: Floats) -> dict[str, float]:
    return {f"p{s * 100:g}": float(np.quantile(values, s)) for s in _shares(kind)}


def read_runs(output: Path) -> list[Run]:
    """Return the stored runs."""
    return [Run(**row) for row in read_rows(output / "runs.jsonl")]


def read_tests(output: Path) -> list[CommandRun]:
    """Return the stored results of whole tests."""
    return [
        CommandRun(tuple(row["about"]), row["exit_code"])
        for row in read_rows(output / "tests.jsonl")
    ]


def missing(runs: Sequence[Run], required: int) -> list[tuple[str, Cell]]:
    """Return the pairs of tool and cell that still need a run.

    A pair gets at most `MAX_RUNS_FACTOR` times as many runs as are required.

    Args:
        runs: The runs so far.
        required: How many undisturbed runs each pair needs.
    """
    needed = []
    for cell in CELLS:
        for tool in (ASSAY, LOCUST):
            if tool == LOCUST and cell[1] == "LeanHttpUser":
                continue  # Locust does not have this class
            all_runs = len(accuracy_page.of_cell(runs, tool, cell))
            undisturbed = len(accuracy_page.undisturbed(runs, tool, cell))
            if undisturbed < required and all_runs < MAX_RUNS_FACTOR * required:
                needed.append((tool, cell))
    return needed


def measure(options: argparse.Namespace) -> None:
    """Measure what is missing, in rounds over all cells, and store it."""
    output: Path = options.output
    output.mkdir(parents=True, exist_ok=True)
    while todo := missing(read_runs(output), options.runs):
        storage.note_machine(output, "accuracy")
        for tool, cell in todo:
            number = len(read_runs(output))
            seconds = options.seconds * (FREEZING_FACTOR if cell[0] == FREEZING else 1)
            with scratch_folder() as folder:
                if tool == ASSAY:
                    run = run_assay(cell, seconds, folder, seed=number)
                else:
                    run = run_locust(cell, seconds, folder)
            append_row(output / "runs.jsonl", asdict(run))
            errors = ", ".join(
                f"{name} {run.error(name) * 1e3:+.2f} ms" for name in run.seen
            )
            print(f"{tool}: {cell} {errors}")
    while (number := len(read_tests(output))) < options.tests:
        storage.note_machine(output, "accuracy")
        with scratch_folder() as folder:
            test = run_command(folder, seed=number)
        append_row(output / "tests.jsonl", asdict(test))
        print(f"test {number}: {'; '.join(test.about) or 'no warning'}")


def main() -> None:
    """Measure what is missing, print the page, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each client and rate")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run")
    parser.add_argument("--tests", type=int, default=10, help="whole `assay load`")
    parser.add_argument("--output", type=Path, default=Path("reports/study-accuracy"))
    parser.add_argument(
        "--page", type=Path, nargs="?", const=PAGE, help=f"write {PAGE}"
    )
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    measure(options)
    text = accuracy_page.page(
        read_runs(options.output),
        read_tests(options.output),
        storage.machines(options.output, "accuracy"),
        options.seconds,
    )
    publish(text, options.page)


if __name__ == "__main__":
    main()
