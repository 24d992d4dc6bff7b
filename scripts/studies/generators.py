"""How much load one core can generate, at what cost, and how punctually.

Closed loop: clients under Assay (each of them recording every request) and
whatever other generators are installed, turn by turn, on the generator's core,
against a server on another core that is no bottleneck. Ratios to FastHttpUser are
of the same round, so that the machine's wandering speed has no say.

Open loop: LeanHttpUser under Assay at several rates, against the same server. Then
what each client's percentiles are worth, beside a server that logs the truth; and
one worker beside two.
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
from typing import Any

import numpy as np

from assay.load import shapes
from assay.load.arrivals import Arrivals
from assay.load.control.fleet import Fleet
from assay.load.control.generator import Generator
from assay.load.control.process import Setup
from assay.load.orders import RunLoad
from assay.system import ports, processes
from scripts.studies import accuracy
from scripts.studies.generator_page import (
    REFERENCE,
    Punctual,
    Seen,
    Study,
    Turn,
    page,
    picture,
)

CONNECTIONS = 16
RATES = (500, 1500, 5000, 10_000)
KINDS: tuple[Arrivals, ...] = ("even", "poisson")

# Nothing but system calls: some 150,000 answers a second.
SERVER = """\
import select, socket, sys

HEAD = b"HTTP/1.1 200 OK\\r\\nConnection: keep-alive\\r\\nContent-Length: 2"
ANSWER = HEAD + b"\\r\\n\\r\\nok"
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
listener.setblocking(False)
epoll = select.epoll()
epoll.register(listener, select.EPOLLIN)
open_ones = {}
print("ready", flush=True)
while True:
    for fd, event in epoll.poll():
        if fd == listener.fileno():
            connection, _ = listener.accept()
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            epoll.register(connection, select.EPOLLIN)
            open_ones[connection.fileno()] = connection
            continue
        connection = open_ones[fd]
        try:
            data = connection.recv(65536)
            if data:
                connection.send(ANSWER * data.count(b"\\r\\n\\r\\n"))
        except OSError:
            data = b""
        if not data:
            epoll.unregister(fd)
            open_ones.pop(fd).close()
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


Take = Callable[[str, float], Turn]


def others(core: Sequence[int]) -> dict[str, Take]:
    """Return the other generators that are installed, with how to run them."""
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
    found: dict[str, Take] = {}
    for name, (words, pattern) in commands.items():
        if path := shutil.which(name):
            found[name] = _command([path, *words], pattern, core)
    return found


def _command(words: Sequence[str], pattern: str, core: Sequence[int]) -> Take:
    def take(url: str, seconds: float) -> Turn:
        command = [word.format(url=url, s=round(seconds)) for word in words]
        before, began = _children(), time.perf_counter()
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, core),
        )
        took, cpu = time.perf_counter() - began, _children() - before
        match = re.search(pattern, done.stdout + done.stderr)
        if not match:
            sys.exit(f"{command[0]} said nothing of its requests:\n{done.stdout}")
        return Turn(int(match[1]), min(took, seconds), cpu)

    return take


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _client(generator: Generator) -> Take:
    def take(url: str, seconds: float) -> Turn:
        generator.attach({"a": url}, {}, (), CONNECTIONS)
        generator.touch("a")
        measured = generator.closed("a", CONNECTIONS, seconds)
        generator.detach()
        if measured.failed:
            sys.exit(f"requests failed: {measured.errors}")
        return Turn(measured.requests, measured.duration, measured.generator_cpu)

    return take


def closed(
    takes: Mapping[str, Take], url: str, seconds: float, rounds: int
) -> dict[str, list[Turn]]:
    """Let the generators take turns; a first round is not counted."""
    turns: dict[str, list[Turn]] = {name: [] for name in takes}
    for number in range(rounds + 1):
        for name, take in takes.items():
            turn = take(url, seconds)
            if number:
                turns[name].append(turn)
            print(f"round {number}, {name}: {turn.rate:,.0f}/s", file=sys.stderr)
    return turns


def open_loop(generator: Generator, url: str, seconds: float) -> list[Punctual]:
    """Send arrivals at several rates."""
    found = []
    for rate in RATES:
        for kind in KINDS:
            generator.attach({"a": url}, {}, (), 64)
            generator.touch("a")
            shape = shapes.constant(rate, seconds)
            generator.load(RunLoad("a", shape=shape, schedule=kind, seed=rate))
            ticks: list[dict[str, Any]] = []
            while not ticks or not ticks[-1].get("last"):
                ticks.append(generator.tick().header)
            generator.detach()
            found.append(_punctual(rate, kind, seconds, ticks))
            print(f"{kind} arrivals at {rate}/s done", file=sys.stderr)
    return found


def _punctual(
    rate: int, kind: Arrivals, seconds: float, ticks: Sequence[Mapping[str, float]]
) -> Punctual:
    last = ticks[-1]
    assert last["planned"] == last["done"] + last["dropped"] + last["unserved"]
    lags = [(tick["lag_p50"], tick["lag_p99"]) for tick in ticks if tick["requests"]]
    return Punctual(
        rate=rate,
        arrivals=kind,
        sent=last["planned"] / last["loaded"] / rate,
        done=int(last["done"]),
        planned=int(last["planned"]),
        late=(
            statistics.median(lag for lag, _ in lags),
            max(lag for _, lag in lags),
        ),
        cpu=sum(tick["generator_cpu"] for tick in ticks) / seconds,
    )


def shared(
    folder: Path, url: str, seconds: float, rounds: int
) -> list[tuple[float, float]]:
    """Return the requests a second of one worker and of two, by turns.

    By FastHttpUser, whose own work is nearly all there is: what the server needs of
    the core that it shares is a tenth of it.
    """
    found = []
    path = folder / REFERENCE / "locustfile.py"
    for number in range(rounds):
        rates = []
        for count in (1, 2):
            fleet = Fleet(Setup(path, path.parent))
            try:
                fleet.hire(count)
                fleet.gather(count, 60.0)
                users = CONNECTIONS * count
                fleet.attach({"a": url}, {}, (), users)
                fleet.pace("a", users, 1.0)
                rates.append(fleet.pace("a", users, seconds))
            finally:
                fleet.close()
        found.append((rates[0], rates[1]))
        print(f"workers, round {number + 1}: {rates}", file=sys.stderr)
    return found


def percentiles(folder: Path, seconds: float) -> list[Seen]:
    """Return what each client saw of a server's service times, beside its log."""
    found = []
    for client in CLIENTS:
        own = folder / f"steady-{client}"
        own.mkdir()
        samples, log = accuracy.with_assay(
            "steady", accuracy.STEADY_RATE, seconds, own, client
        )
        truth = [took for _, took in log["took"]][accuracy.USERS :]
        service = samples["end"] - samples["start"]
        for share in accuracy.SHARES:
            found.append(
                Seen(
                    client,
                    share,
                    float(np.quantile(truth, share)),
                    float(np.quantile(service, share)),
                )
            )
    return found


def main() -> None:
    """Measure, and write the page and the picture."""
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
        takes = {name: _client(generator) for name, generator in generators.items()}
        takes |= others(cores.generator)
        turns = closed(takes, url, options.seconds, options.rounds)
        punctual = open_loop(generators["LeanHttpUser"], url, options.open_seconds)
        while generators:
            generators.popitem()[1].close()
        workers = shared(folder, url, options.seconds, options.rounds)
    finally:
        for generator in generators.values():
            generator.close()
        server.stop()
    seen = percentiles(folder, options.open_seconds)
    return Study(turns, punctual, seen, workers, CONNECTIONS)


if __name__ == "__main__":
    main()
