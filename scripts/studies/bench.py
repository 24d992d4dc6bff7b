"""A test bench for the studies: launches of a small service, measured by Assay."""

import contextlib
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.experiment import calibration, launch, target
from assay.load.control.generator import Generator
from assay.load.control.process import Setup
from assay.plan import Load, Scenario, Target, Topic, Variant
from assay.system import processes

COMMAND = (
    "python -m uvicorn app:app --port {port} --log-level warning --no-access-log "
    "--lifespan off --timeout-keep-alive 120"
)

LOCUSTFILE = """\
from locust import FastHttpUser, constant, task


class Visitor(FastHttpUser):
    wait_time = constant(1)

    @task
    def work(self):
        self.client.get("/")
"""

# The burner logs when it burned, so that the studies know which slices it hit.
BURNER = """\
import random, sys, time
on, off = [float(x) for x in sys.argv[1:3]], [float(x) for x in sys.argv[3:5]]
print("ready", flush=True)
while True:
    began = time.perf_counter()
    until = began + random.uniform(*on)
    while time.perf_counter() < until:
        pass
    print(f"[{began}, {time.perf_counter()}]", flush=True)
    time.sleep(random.uniform(*off))
"""

Span = tuple[float, float]


@dataclass
class Bench:
    """A service and its load generator, on separate cores.

    Attributes:
        schedule: The schedule of the last launch; None before the first launch. The
            next launch uses it again if it contains all variants of that next launch.
        pids: The processes of the servers of the current launch, and their children.
    """

    folder: Path
    generator: Generator
    cores: processes.Cores
    rng: random.Random = field(default_factory=random.Random)
    schedule: calibration.Schedule | None = None
    pids: Sequence[int] = ()

    def launch(
        self,
        variants: Sequence[Variant],
        load: Load,
        pairs: Sequence[tuple[str, str]] = (),
        disturbance: contextlib.AbstractContextManager[object] | None = None,
    ) -> launch.Launch:
        """Start fresh servers of variants and measure one launch of them.

        Args:
            variants: Variants of the service.
            load: The load to put on them.
            pairs: The pairs to compare. By default the first variant is compared with
                each other one, or with itself if it is the only one.
            disturbance: A context that is active while slices are measured. The servers
                already run when it is entered.
        """
        topic = Topic(
            name="arms",
            title="",
            file=self.folder / "claims.toml",
            target=Target(command=COMMAND, cwd=self.folder),
            scenario=Scenario(locustfile=self.folder / "locustfile.py", load=load),
            variants=tuple(variants),
        )
        names = [variant.name for variant in variants]
        with target.launched(topic, variants, {}, self.folder, (), self.rng) as running:
            order = list(running.values())
            self.rng.shuffle(order)
            self.pids = [
                pid
                for server in order
                for parent in server.pids
                for pid in processes.tree(parent)
            ]
            self.generator.attach(
                {server.variant.name: server.url for server in order},
                {server.variant.name: server.pids for server in order},
                self.cores.target,
                max(load.users, load.connections),
            )
            for server in order:
                server.pin(self.cores.target)
            calibration.warm_up(self.generator, topic, order)
            if not (self.schedule and set(names) <= set(self.schedule.closed_seconds)):
                self.schedule = calibration.calibrate(self.generator, topic, names)
            with disturbance or contextlib.nullcontext():
                measured = launch.measure(
                    self.generator,
                    running,
                    self.schedule,
                    pairs or topic.pairs() or ((names[0], names[0]),),
                    self.cores.target,
                    self.rng,
                )
            self.generator.detach()
        return measured


@contextlib.contextmanager
def open_bench(folder: Path, app: str, cores: processes.Cores) -> Iterator[Bench]:
    """Write a service into a folder, and start a load generator for it."""
    write_service(folder, app)
    generator = Generator(Setup(folder / "locustfile.py", folder), cores.generator)
    try:
        yield Bench(folder, generator, cores)
    finally:
        generator.close()


def write_service(folder: Path, app: str) -> None:
    """Write a service and its locustfile."""
    (folder / "app.py").write_text(app)
    (folder / "locustfile.py").write_text(LOCUSTFILE)


@contextlib.contextmanager
def burner(folder: Path, cores: Sequence[int], on: Span, off: Span) -> Iterator[Path]:
    """Keep cores busy part of the time.

    Args:
        folder: Where the log is written.
        cores: The cores to burn.
        on: Shortest and longest time of burning, in seconds; each is drawn at random.
        off: Shortest and longest pause, in seconds; also drawn at random.

    Yields:
        The path of the log, which has the start and the end of each burning.
    """
    log = folder / "burner.log"
    log.unlink(missing_ok=True)
    seconds = [str(end) for end in (*on, *off)]
    child = processes.start(
        "the burner", [sys.executable, "-c", BURNER, *seconds], log=log, cores=cores
    )
    try:
        while "ready" not in log.read_text():
            assert child.running(), child.last_lines()
            time.sleep(0.01)
        yield log
    finally:
        child.stop()
