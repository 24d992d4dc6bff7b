"""How much load can one core generate, at what cost, and how punctually?

In a closed loop, three clients under Assay and all other installed generators take
turns on one core. The server has another core and is not the bottleneck. The clients
under Assay record every request. Ratios to FastHttpUser are taken within one round, so
changes of the machine's speed do not matter.

In an open loop, LeanHttpUser under Assay sends arrivals at several rates to the same
server.

The study also compares each client's percentiles with the log of a server, and the
throughput of one worker with that of two.
"""

import argparse
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from assay.load import shapes
from assay.load.arrivals import Arrivals
from assay.load.control.fleet import Fleet
from assay.load.control.generator import Generator
from assay.load.control.process import Setup
from assay.load.orders import RunLoad
from assay.load.ticks import Tick
from assay.system import ports, processes
from scripts.studies import accuracy
from scripts.studies.generator_page import (
    REFERENCE,
    ClientPercentile,
    Punctuality,
    Study,
    Turn,
    page,
    picture,
)

CONNECTIONS = 16
RATES = (500, 1500, 5000, 10_000)
SCHEDULES: tuple[Arrivals, ...] = ("even", "poisson")

# This server does little but system calls, and gives about 150,000 answers per second.
SERVER = """\
import select, socket, sys

HEAD = b"HTTP/1.1 200 OK\\r\\nConnection: keep-alive\\r\\nContent-Length: 2"
ANSWER = HEAD + b"\\r\\n\\r\\nok"
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
listener.setblocking(False)
epoll = select.epoll()
epoll.register(listener, select.EPOLLIN)
connections = {}
print("ready", flush=True)
while True:
    for fd, event in epoll.poll():
        if fd == listener.fileno():
            connection, _ = listener.accept()
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            epoll.register(connection, select.EPOLLIN)
            connections[connection.fileno()] = connection
            continue
        connection = connections[fd]
        try:
            data = connection.recv(65536)
            if data:
                connection.send(ANSWER * data.count(b"\\r\\n\\r\\n"))
        except OSError:
            data = b""
        if not data:
            epoll.unregister(fd)
            connections.pop(fd).close()
"""

LOCUSTFILE = """\
from locust import FastHttpUser, HttpUser, task
from assay.load import LeanHttpUser


class Visitor({client}):
    @task
    def look(self):
        self.client.get("/")
"""
CLIENTS = ("LeanHttpUser", "FastHttpUser", "HttpUser")

TakeTurn = Callable[[str, float], Turn]  # gets the server's URL, and seconds


def other_generators(core: Sequence[int]) -> dict[str, TakeTurn]:
    """Return the other installed generators, each with a function that takes a turn."""
    commands: dict[str, tuple[list[str], str]] = {
        "wrk": (["-t1", f"-c{CONNECTIONS}", "-d{s}s", "{url}"], r"(\d+) requests in"),
        "hey": (
            ["-z", "{s}s", "-c", str(CONNECTIONS), "-cpus", "1", "{url}"],
            r"\[200\]\s+(\d+) responses",
        ),
        "ab": (
            ["-q", "-k", f"-c{CONNECTIONS}", "-t{s}", "-n100000000", "{url}/"],
            r"Complete requests:\s+(\d+)",
        ),
        "oha": (
            ["--no-tui", "-c", str(CONNECTIONS), "-z", "{s}s", "{url}"],
            r"\[200\] (\d+) responses",
        ),
        "autocannon": (
            ["-c", str(CONNECTIONS), "-d", "{s}", "-j", "{url}"],
            r'"2xx":(\d+)',
        ),
    }
    installed: dict[str, TakeTurn] = {}
    for name, (arguments, pattern) in commands.items():
        if path := shutil.which(name):
            installed[name] = _turn_of_command([path, *arguments], pattern, core)
    return installed


def _turn_of_command(
    template: Sequence[str], pattern: str, core: Sequence[int]
) -> TakeTurn:
    def take_turn(url: str, seconds: float) -> Turn:
        command = [word.format(url=url, s=round(seconds)) for word in template]
        cpu_before, began = _cpu_of_children(), time.perf_counter()
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, core),
        )
        duration = time.perf_counter() - began
        cpu = _cpu_of_children() - cpu_before
        match = re.search(pattern, ended.stdout + ended.stderr)
        if not match:
            sys.exit(f"{command[0]} did not print its requests:\n{ended.stdout}")
        return Turn(int(match[1]), min(duration, seconds), cpu)

    return take_turn


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _turn_of_client(generator: Generator) -> TakeTurn:
    def take_turn(url: str, seconds: float) -> Turn:
        generator.attach({"a": url}, {}, (), CONNECTIONS)
        generator.touch("a")
        measured = generator.closed("a", CONNECTIONS, seconds)
        generator.detach()
        if measured.failed:
            sys.exit(f"requests failed: {measured.errors}")
        return Turn(measured.requests, measured.duration, measured.generator_cpu)

    return take_turn


def closed_loop(
    generators: Mapping[str, TakeTurn], url: str, seconds: float, rounds: int
) -> dict[str, list[Turn]]:
    """Let the generators take turns; the first round is a warm-up and is left out."""
    turns: dict[str, list[Turn]] = {name: [] for name in generators}
    for number in range(rounds + 1):
        for name, take_turn in generators.items():
            turn = take_turn(url, seconds)
            if number:
                turns[name].append(turn)
            print(f"round {number}, {name}: {turn.rate:,.0f}/s", file=sys.stderr)
    return turns


def open_loop(generator: Generator, url: str, seconds: float) -> list[Punctuality]:
    """Send arrivals at several rates, even and Poisson."""
    runs = []
    for rate in RATES:
        for schedule in SCHEDULES:
            generator.attach({"a": url}, {}, (), 64)
            generator.touch("a")
            shape = shapes.constant(rate, seconds)
            generator.load(RunLoad("a", shape=shape, schedule=schedule, seed=rate))
            ticks: list[Tick] = []
            while not ticks or not ticks[-1].last:
                ticks.append(generator.tick())
            generator.detach()
            runs.append(_punctuality(rate, schedule, seconds, ticks))
            print(f"{schedule} arrivals at {rate}/s done", file=sys.stderr)
    return runs


def _punctuality(
    rate: int, schedule: Arrivals, seconds: float, ticks: Sequence[Tick]
) -> Punctuality:
    last = ticks[-1]
    counts = last.counts
    assert counts.planned == counts.done + counts.dropped + counts.unserved
    lags = [(tick.lag_p50, tick.lag_p99) for tick in ticks if tick.requests]
    return Punctuality(
        rate=rate,
        arrivals=schedule,
        sent=counts.planned / last.loaded / rate,
        done=counts.done,
        planned=counts.planned,
        late=(
            statistics.median(lag for lag, _ in lags),
            max(lag for _, lag in lags),
        ),
        cpu=sum(tick.generator_cpu for tick in ticks) / seconds,
    )


def worker_rates(
    folder: Path, url: str, seconds: float, rounds: int
) -> list[tuple[float, float]]:
    """Return the requests per second of one worker and of two, for each round.

    The client is FastHttpUser, because it costs much more CPU time than the server. So
    the server needs only a tenth of the core that it shares with a worker.
    """
    rates_of_rounds = []
    path = folder / REFERENCE / "locustfile.py"
    for number in range(rounds):
        rates = []
        for count in (1, 2):
            fleet = Fleet(Setup(path, path.parent))
            try:
                fleet.start_workers(count)
                fleet.wait_for_workers(count, 60.0)
                users = CONNECTIONS * count
                fleet.attach({"a": url}, {}, (), users)
                fleet.closed_loop_rate("a", users, 1.0)
                rates.append(fleet.closed_loop_rate("a", users, seconds))
            finally:
                fleet.close()
        rates_of_rounds.append((rates[0], rates[1]))
        print(f"workers, round {number + 1}: {rates}", file=sys.stderr)
    return rates_of_rounds


def client_percentiles(folder: Path, seconds: float) -> list[ClientPercentile]:
    """Return percentiles of each client's response times, beside the server's log."""
    percentiles = []
    for client in CLIENTS:
        client_folder = folder / f"steady-{client}"
        client_folder.mkdir()
        samples, log = accuracy.load_with_assay(
            "steady", accuracy.STEADY_RATE, seconds, client_folder, client
        )
        truth = [took for _, took in log["took"]][accuracy.USERS :]
        service = samples["end"] - samples["start"]
        for share in accuracy.SHARES:
            percentiles.append(
                ClientPercentile(
                    client,
                    share,
                    float(np.quantile(truth, share)),
                    float(np.quantile(service, share)),
                )
            )
    return percentiles


def main() -> None:
    """Measure and print the page; write it with its picture if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--open-seconds", type=float, default=10.0)
    parser.add_argument("--page", type=Path, help="write the page here, with a picture")
    options = parser.parse_args()
    cores = processes.split_cores()
    with tempfile.TemporaryDirectory(prefix="assay-study-") as name:
        folder = Path(name)
        with processes.guarded([folder]):
            study = _study(folder, cores, options)
    text = page(study)
    print(text)
    if options.page:
        options.page.parent.mkdir(parents=True, exist_ok=True)
        options.page.write_text(text, encoding="utf-8")
        picture(study, options.page.with_suffix(".png"))


def _study(folder: Path, cores: processes.Cores, options: argparse.Namespace) -> Study:
    (folder / "server.py").write_text(SERVER)
    port = ports.free()
    url = f"http://127.0.0.1:{port}"
    server = processes.start(
        "the server",
        [sys.executable, str(folder / "server.py"), str(port)],
        log=folder / "server.log",
        cores=cores.target,
    )
    generators: dict[str, Generator] = {}
    try:
        while "ready" not in server.log.read_text():
            assert server.running(), server.last_lines()
            time.sleep(0.01)
        for client in CLIENTS:
            path = folder / client / "locustfile.py"
            path.parent.mkdir()
            path.write_text(LOCUSTFILE.format(client=client))
            generators[client] = Generator(Setup(path, path.parent), cores.generator)
        take_turn = {
            name: _turn_of_client(generator) for name, generator in generators.items()
        }
        take_turn |= other_generators(cores.generator)
        turns = closed_loop(take_turn, url, options.seconds, options.rounds)
        punctuality = open_loop(generators["LeanHttpUser"], url, options.open_seconds)
        while generators:
            generators.popitem()[1].close()
        workers = worker_rates(folder, url, options.seconds, options.rounds)
    finally:
        for generator in generators.values():
            generator.close()
        server.stop()
    percentiles = client_percentiles(folder, options.open_seconds)
    return Study(turns, punctuality, percentiles, workers, CONNECTIONS)


if __name__ == "__main__":
    main()
