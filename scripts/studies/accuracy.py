"""Assay's percentiles against the server's own log, with Locust's beside them.

Two servers, each of which knows the truth:

* `steady` answers after service times that it draws itself, and logs how long
  each request really took on its side. What a client sees is longer by the way
  through the kernel and both event loops.
* `freezing` answers at once but stops for 500 ms every 5 s, and logs when. The
  ideal open-loop latency follows from the arrivals and that log alone.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay import ports, processes
from assay.load.remote import Generator

SHARES = (0.5, 0.9, 0.95, 0.99)
STEADY_RATE, FREEZING_RATE = 300.0, 400.0
SECONDS = 30.0
USERS = 32

SERVER = """\
import asyncio, atexit, json, os, random, signal, sys, time

KIND, PORT, LOG = sys.argv[1], int(sys.argv[2]), sys.argv[3]
ANSWER = b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok"
draw = random.Random(3)
took, frozen = [], []


class Server(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.buffer = b""

    def data_received(self, data):
        self.buffer += data
        while b"\\r\\n\\r\\n" in self.buffer:
            _, self.buffer = self.buffer.split(b"\\r\\n\\r\\n", 1)
            began = time.perf_counter()
            if KIND == "steady":
                seconds = min(0.1, draw.lognormvariate(-5.3, 0.6))
                asyncio.get_running_loop().call_later(seconds, self.answer, began)
            else:
                self.answer(began)

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


asyncio.run(main())
"""

LOCUSTFILE = """\
from locust import FastHttpUser, constant_throughput, task


class Visitor(FastHttpUser):
    wait_time = constant_throughput(RATE / 32)

    @task
    def get(self):
        self.client.get("/")
"""

Floats = NDArray[np.float64]


class Server:
    """One of the two servers, and afterwards its log."""

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


def with_assay(
    kind: str, rate: float, seconds: float, folder: Path, client: str = "FastHttpUser"
) -> tuple[dict[str, Floats], dict[str, Any]]:
    """Load a server by Assay and a client; return the samples and the server's log."""
    cores = processes.split_cores()
    locustfile = folder / "locustfile.py"
    text = LOCUSTFILE.replace("RATE", str(rate)).replace("FastHttpUser", client)
    if client == "LeanHttpUser":
        text = text.replace("import LeanHttpUser, ", "import ")
        text = f"from assay.load import LeanHttpUser\n{text}"
    locustfile.write_text(text)
    server = Server(kind, folder, cores)
    generator = Generator(locustfile, folder, cores.generator)
    try:
        generator.attach({kind: server.url}, {kind: [server.child.pid]}, (), USERS)
        generator.touch(kind)
        taken = generator.open(kind, rate, seconds, seed=1)
        print(
            f"{kind}: planned {taken.planned} = done {taken.done} + dropped "
            f"{taken.dropped} + unserved {taken.unserved}; generator lag p99 "
            f"{taken.lag_p99 * 1e3:.2f} ms",
            flush=True,
        )
        return dict(taken.columns), server.stop()
    finally:
        generator.close()
        server.child.stop()


def with_locust(
    kind: str, rate: float, seconds: float, folder: Path
) -> tuple[dict[float, float], dict[str, Any]]:
    """Load a server by Locust alone; return its CSV's percentiles and the log."""
    cores = processes.split_cores()
    server = Server(kind, folder, cores)
    command = [sys.executable, "-m", "locust", "-f", str(folder / "locustfile.py")]
    command += ["--headless", "-u", "32", "-r", "32", "-t", f"{seconds:.0f}s"]
    command += ["--host", server.url, "--csv", str(folder / kind), "--only-summary"]
    subprocess.run(command, capture_output=True, env={**os.environ}, check=False)
    log = server.stop()
    with (folder / f"{kind}_stats.csv").open() as file:
        total = list(csv.DictReader(file))[-1]
    return {share: float(total[f"{share:.0%}"]) / 1e3 for share in SHARES}, log


def ideal(scheduled: Floats, frozen: list[list[float]]) -> Floats:
    """Return what each arrival must wait if only the freezes delay it."""
    wait = np.zeros(len(scheduled))
    for began, ended in frozen:
        inside = (scheduled >= began) & (scheduled < ended)
        wait[inside] = ended - scheduled[inside]
    return wait


def rows(seconds: float, folder: Path) -> list[tuple[str, float, float, float, float]]:
    """Measure; return (what, share, truth, Assay's, Locust's), in seconds."""
    found = []
    samples, log = with_assay("steady", STEADY_RATE, seconds, folder)
    csv_steady, log_locust = with_locust("steady", STEADY_RATE, seconds, folder)
    truth = np.array([took for _, took in log["took"]])[USERS:]  # without the touches
    locust_truth = np.array([took for _, took in log_locust["took"]])
    service = samples["end"] - samples["start"]
    for share in SHARES:
        true = float(np.quantile(truth, share))
        # Locust met other draws of the same distribution: its error is taken
        # against the log of its own run.
        error = csv_steady[share] - float(np.quantile(locust_truth, share))
        seen = float(np.quantile(service, share))
        found.append(("steady: service time", share, true, seen, true + error))

    samples, log = with_assay("freezing", FREEZING_RATE, seconds, folder)
    csv_freezing, _ = with_locust("freezing", FREEZING_RATE, seconds, folder)
    truth = ideal(samples["scheduled"], log["frozen"])
    latency = samples["end"] - samples["scheduled"]
    for share in SHARES:
        found.append(
            (
                "freezing: latency",
                share,
                float(np.quantile(truth, share)),
                float(np.quantile(latency, share)),
                csv_freezing[share],
            )
        )
    return found


def table(found: list[tuple[str, float, float, float, float]]) -> str:
    """Return the result as a Markdown table, in milliseconds."""
    lines = [
        "| server | percentile | truth, ms | Assay, ms | off by | Locust CSV, ms | "
        "off by |",
        "|---|---|---|---|---|---|---|",
    ]
    for what, share, true, seen, csv_value in found:
        cells = [f"{true * 1e3:.2f}"]
        for value in (seen, csv_value):
            off = value - true
            part = f" ({off / true:+.1%})" if true > 0.002 else ""
            cells += [f"{value * 1e3:.2f}", f"{off * 1e3:+.2f} ms{part}"]
        lines.append(f"| {what} | p{share * 100:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure both servers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each load")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        with processes.guarded([Path(name)]):
            found = rows(options.seconds, Path(name))
    report = table(found)
    folder = Path("reports/study-accuracy")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(report + "\n")
    print("\n" + report)


if __name__ == "__main__":
    main()
