"""Assay's percentiles against the server's own log, with Locust's beside them.

Three servers, each of which knows the truth:

* `constant` answers after 5 ms of a timer, and logs how long each request really
  took on its side. What a client sees is longer by the way through the kernel.
* `steady` does the same with service times that it draws itself.
* `freezing` answers at once but stops for 500 ms every 5 s, and logs when. The
  ideal open-loop latency follows from the arrivals and that log alone.

Each client at each rate is measured several times, one after the other in rounds,
and beside them whole tests of the command. What is done is kept in files, so the
study can be stopped and continued.
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
from scripts.studies import accuracy_page, verdicts
from scripts.studies.accuracy_page import ASSAY, CELLS, FREEZING, LOCUST, Cell, Run
from scripts.studies.kept import keep, rows, workshop
from scripts.studies.pages import put

SHARES = (0.5, 0.9, 0.95, 0.99)
STEADY_RATE = 300.0
USERS = 32
LONGER = 2.5  # times as long is the freezing server loaded: it freezes every 5 s
MOST = 2  # times as many runs as are wanted, if some are disturbed
TEST_SECONDS = 6
SLACK = 60.0  # seconds that a command may take beyond its load
PAGE = Path("reports/reference/accuracy.md")

SERVER = """\
import asyncio, json, random, selectors, signal, sys, time

KIND, PORT, LOG = sys.argv[1], int(sys.argv[2]), sys.argv[3]
ANSWER = b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok"
draw = random.Random(3)
took, frozen = [], []


class Selector(selectors.DefaultSelector):
    def select(self, timeout=None):
        found = super().select(timeout)
        self.woke = time.perf_counter()  # what came in is known from now on
        return found


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
# Users of Locust that begin together stay in step, and wait for each other.
OUT_OF_STEP = """
    def on_start(self):
        import random, time
        time.sleep(random.random() / PACE)
"""

Floats = NDArray[np.float64]


class Server:
    """One of the servers, and afterwards its log."""

    def __init__(self, kind: str, folder: Path, cores: processes.Cores) -> None:
        """Start it and wait until it accepts."""
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
        """Stop it and return its log."""
        self.child.stop()
        read: dict[str, Any] = json.loads(self.log.read_text())
        return read


def write_locustfile(folder: Path, client: str, pace: float, more: str = "") -> Path:
    """Write a locustfile: `pace` is the requests a second of one closed user."""
    text = (LOCUSTFILE + more).replace("PACE", str(pace)).replace("CLIENT", client)
    if client == "LeanHttpUser":
        text = text.replace("import LeanHttpUser, ", "import ")
        text = f"from assay.load import LeanHttpUser\n{text}"
    path = folder / "locustfile.py"
    path.write_text(text)
    return path


def with_assay(
    kind: str, rate: float, seconds: float, folder: Path, client: str = "FastHttpUser"
) -> tuple[dict[str, Floats], dict[str, Any]]:
    """Load a server by Assay and a client; return the samples and the server's log."""
    taken, log = loaded(kind, rate, seconds, folder, client)
    print(
        f"{kind}: planned {taken.planned} = done {taken.done} + dropped "
        f"{taken.dropped} + unserved {taken.unserved}; generator lag p99 "
        f"{taken.lag_p99 * 1e3:.2f} ms",
        flush=True,
    )
    return dict(taken.columns), log


def loaded(
    kind: str, rate: float, seconds: float, folder: Path, client: str, seed: int = 1
) -> tuple[Slice, dict[str, Any]]:
    """Load a server by one slice of Assay; return that and the server's log."""
    cores = processes.split_cores()
    locustfile = write_locustfile(folder, client, rate / USERS)
    server = Server(kind, folder, cores)
    generator = Generator(Setup(locustfile, folder), cores.generator)
    try:
        generator.attach({kind: server.url}, {kind: [server.child.pid]}, (), USERS)
        generator.touch(kind)
        taken = generator.open(kind, rate, seconds, seed=seed)
        return taken, server.stop()
    finally:
        generator.close()
        server.child.stop()


def latencies(taken: Slice) -> Floats:
    """Return the latency of each request, of one without an answer at least so long."""
    columns = taken.columns
    found = columns["end"] - columns["start"] + columns["waited"]
    lost = np.isnan(found)
    found[lost] = taken.ended - columns["scheduled"][lost]
    return np.asarray(found, dtype=float)


def ideal(scheduled: Floats, frozen: list[list[float]]) -> Floats:
    """Return what each arrival must wait if only the freezes delay it."""
    wait = np.zeros(len(scheduled))
    for began, ended in frozen:
        inside = (scheduled >= began) & (scheduled < ended)
        wait[inside] = ended - scheduled[inside]
    return wait


def by_assay(cell: Cell, seconds: float, folder: Path, seed: int) -> Run:
    """Load a server once by Assay."""
    kind, client, rate = cell
    taken, log = loaded(kind, rate, seconds, folder, client, seed)
    truth = np.array([took for began, took in log["took"] if began >= taken.began])
    if kind == FREEZING:
        truth = ideal(taken.columns["scheduled"], log["frozen"])
    names = "stall run_delay generator_run_delay generator_cpu duration lag_p50 lag_p99"
    return Run(
        ASSAY,
        *cell,
        truth=_percentiles(kind, truth),
        seen=_percentiles(kind, latencies(taken)),
        machine={name: float(getattr(taken, name)) for name in names.split()},
        counts={
            name: int(getattr(taken, name)) for name in ("planned", "done", "failed")
        },
    )


def by_locust(cell: Cell, seconds: float, folder: Path) -> Run:
    """Load a server once by Locust alone, and read its CSV."""
    kind, client, rate = cell
    users = max(10, rate // 10)  # several times as many as wait at once
    file = write_locustfile(folder, client, rate / users, OUT_OF_STEP)
    cores = processes.split_cores()
    server = Server(kind, folder, cores)
    command = ["locust", "-f", str(file), "--headless", "--only-summary"]
    command += ["-u", str(users), "-r", str(users), "-t", f"{math.ceil(seconds)}s"]
    command += ["--host", server.url, "--csv", str(folder / kind)]
    try:
        _run(command, folder, seconds, cores.generator)
        log = server.stop()
    finally:
        server.child.stop()
    truth = np.array([took for _, took in log["took"]])
    if kind == FREEZING:
        moments = [began for began, _ in log["took"]]
        even = np.arange(moments[0], moments[-1], 1 / rate)
        truth = ideal(even, log["frozen"])
    with (folder / f"{kind}_stats.csv").open() as file_of_csv:
        total = list(csv.DictReader(file_of_csv))[-1]
    seen = {
        f"p{share * 100:g}": float(total[f"{share:.0%}"]) / 1e3
        for share in _shares(kind)
    }
    return Run(LOCUST, *cell, truth=_percentiles(kind, truth), seen=seen)


def by_command(folder: Path, seed: int) -> accuracy_page.Ended:
    """Do one whole `assay load` with HttpUser at 50/s."""
    file = write_locustfile(folder, "HttpUser", 1)
    server = Server("constant", folder, processes.split_cores())
    command = ["assay", "load", str(file), "--host", server.url, "--rate", "50"]
    command += ["--duration", f"{TEST_SECONDS}s", "--seed", str(seed)]
    try:
        code = _run([*command, "--output", str(folder / "out")], folder, TEST_SECONDS)
    finally:
        server.child.stop()
    results = json.loads((folder / "out" / "results.json").read_text())
    return accuracy_page.Ended(accuracy_page.about_generator(results), code)


def _run(
    module: Sequence[str], folder: Path, seconds: float, cores: Sequence[int] = ()
) -> int:
    """Run a Python module as a command, and return its exit code."""
    child = processes.start(
        module[0],
        [sys.executable, "-m", *module],
        log=folder / "command.log",
        cwd=folder,
        cores=cores,
    )
    ended = child.wait(seconds + SLACK)
    child.stop()
    if not ended:
        sys.exit(f"{module[0]} did not end; its last lines:\n{child.last_lines()}")
    return child.exit_code() or 0


def _shares(kind: str) -> tuple[float, ...]:
    return (0.95, 0.99) if kind == FREEZING else (0.5, 0.99)


def _percentiles(kind: str, values: Floats) -> dict[str, float]:
    return {f"p{s * 100:g}": float(np.quantile(values, s)) for s in _shares(kind)}


def read_runs(output: Path) -> list[Run]:
    """Return the runs that were kept."""
    return [Run(**row) for row in rows(output / "runs.jsonl")]


def read_tests(output: Path) -> list[accuracy_page.Ended]:
    """Return how the whole tests that were kept ended."""
    return [
        accuracy_page.Ended(tuple(row["about"]), row["exit_code"])
        for row in rows(output / "tests.jsonl")
    ]


def missing(runs: Sequence[Run], wanted: int) -> list[tuple[str, Cell]]:
    """Return which tool still needs a run of which cell."""
    found = []
    for cell in CELLS:
        for tool in (ASSAY, LOCUST):
            if tool == LOCUST and cell[1] == "LeanHttpUser":
                continue  # it is Assay's own
            tried = len(accuracy_page.of_cell(runs, tool, cell))
            fine = len(accuracy_page.chosen(runs, tool, cell))
            if fine < wanted and tried < MOST * wanted:
                found.append((tool, cell))
    return found


def measure(options: argparse.Namespace) -> None:
    """Measure what is missing, in rounds over all cells, and keep it."""
    output: Path = options.output
    output.mkdir(parents=True, exist_ok=True)
    while todo := missing(read_runs(output), options.runs):
        verdicts.note_machine(output, "accuracy")
        for tool, cell in todo:
            number = len(read_runs(output))
            seconds = options.seconds * (LONGER if cell[0] == FREEZING else 1)
            with workshop() as folder:
                if tool == ASSAY:
                    run = by_assay(cell, seconds, folder, seed=number)
                else:
                    run = by_locust(cell, seconds, folder)
            keep(output / "runs.jsonl", asdict(run))
            off = ", ".join(
                f"{name} {run.off(name) * 1e3:+.2f} ms" for name in run.seen
            )
            print(f"{tool}: {cell} {off}")
    while (number := len(read_tests(output))) < options.tests:
        verdicts.note_machine(output, "accuracy")
        with workshop() as folder:
            ended = by_command(folder, seed=number)
        keep(output / "tests.jsonl", asdict(ended))
        print(f"test {number}: {'; '.join(ended.about) or 'no warning'}")


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
        verdicts.machines(options.output, "accuracy"),
        options.seconds,
    )
    put(text, options.page)


if __name__ == "__main__":
    main()
