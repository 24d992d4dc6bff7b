"""Start the variants of a target, wait until they are ready, watch and stop them."""

import contextlib
import random
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from assay.errors import MeasureError
from assay.experiment import copies, shared_state
from assay.experiment.commands import command_environment
from assay.experiment.readiness import await_answer
from assay.plan import Target, Topic, Variant
from assay.system import ports, processes

GUARD_TIMEOUT = 10.0
# A target is idle if it uses less than IDLE_CPU_SHARE of a core for IDLE_SECONDS.
IDLE_CPU_SHARE = 0.1
IDLE_SECONDS = 0.05
MAX_SETTLE_SECONDS = 3.0


@dataclass(frozen=True)
class RunningTarget:
    """One variant that is ready.

    Attributes:
        variant: The variant.
        url: Base URL without a trailing slash.
        child: Its process; None if Assay did not start it.
        startup: Seconds from its start until it was ready; None if Assay did not start
            it.
    """

    variant: Variant
    url: str
    child: processes.Child | None
    startup: float | None

    @property
    def pids(self) -> list[int]:
        """The pid of the measured process tree's root; empty if Assay started none."""
        return [self.child.pid] if self.child else []

    def pin(self, cores: Sequence[int]) -> None:
        """Pin its processes, if Assay started them; no cores means no pinning."""
        if self.child and cores:
            processes.pin(self.child.pid, cores)

    def check_guard(self, path: str) -> None:
        """Ask the target's guard whether the target did what the variant's name says.

        The guard is an endpoint of the target. Without it, a variant named `cached`
        whose cache is off for some reason would still be measured, compared and
        reported under that name.

        Args:
            path: The path of the guard; empty if the target has none. If all is well,
                the guard answers 2xx, and ``ok`` in its JSON is true or missing.
                Otherwise ``detail`` gives the reason.

        Raises:
            MeasureError: The target did something else, or the guard does not answer.
        """
        if not path:
            return
        import httpx

        url = self.url + path
        try:
            answer = httpx.get(url, trust_env=False, timeout=GUARD_TIMEOUT)
        except httpx.HTTPError as error:
            raise MeasureError(f"{url}: the guard does not answer: {error}") from error
        content: object = None
        with contextlib.suppress(ValueError, RecursionError):
            content = answer.json()
        fields = content if isinstance(content, dict) else {}
        if answer.is_success and fields.get("ok", True):
            return
        detail = str(fields.get("detail") or f"it answered {answer.status_code}")
        raise MeasureError(
            f"variant {self.variant.name!r} does not do what its name says: "
            f"{detail[:300]}\n"
            f"  asked: GET {url}; the measurements of this launch are discarded"
        )

    def settle(self, max_seconds: float = MAX_SETTLE_SECONDS) -> None:
        """Wait until the target has finished the requests that were given up.

        When a client gives up, the target still works on its request. That work would
        take CPU time from the variant that is measured next.

        Args:
            max_seconds: Maximum seconds to wait.
        """
        if self.child is None:
            return
        until = time.monotonic() + min(max_seconds, MAX_SETTLE_SECONDS)
        used = self._cpu_seconds()
        while time.monotonic() < until:
            time.sleep(IDLE_SECONDS)
            before, used = used, self._cpu_seconds()
            is_idle = used - before < IDLE_CPU_SHARE * IDLE_SECONDS
            if is_idle and not self._is_runnable():
                return

    def _is_runnable(self) -> bool:
        """Say whether a process has work to do, even if it currently has no core."""
        for pid in self.pids:
            for member in processes.tree(pid):
                with contextlib.suppress(psutil.Error):
                    if psutil.Process(member).status() == psutil.STATUS_RUNNING:
                        return True
        return False

    def _cpu_seconds(self) -> float:
        return sum(
            processes.cpu_seconds(member)
            for pid in self.pids
            for member in processes.tree(pid)
        )

    def check_alive(self) -> None:
        """Raise MeasureError if the process has ended."""
        if self.child and not self.child.running():
            text = (
                f"the target of variant {self.variant.name!r} ended with exit code "
                f"{self.child.exit_code()} while it was loaded; its last lines:\n"
                f"{self.child.last_lines()}"
            )
            raise MeasureError(copies.as_written(text, self.variant))


@contextlib.contextmanager
def launched(
    topic: Topic,
    variants: Sequence[Variant],
    environment: Mapping[str, str],
    folder: Path,
    cores: Sequence[int],
    rng: random.Random,
) -> Iterator[dict[str, RunningTarget]]:
    """Start fresh processes of some variants, and stop them at the end.

    The copies that variants run in are restored first. All variants start at the same
    time, in random order and on every core, because importing takes long and nothing is
    measured yet. They are pinned once all are ready. If the start-up time is measured,
    they start one after the other instead.

    Args:
        topic: The topic of the target.
        variants: The variants to start.
        environment: Environment variables; the target's and the variant's are added.
        folder: Folder for the log and the copy of each variant.
        cores: Cores to pin to. If empty, nothing is pinned: the caller can `pin` later,
            when no more work needs every core.
        rng: Draws the order.

    Yields:
        The running targets, by the names of their variants.

    Raises:
        MeasureError: A variant never became ready (the message has the last lines of
            its log), another process answers on its port, or its copy cannot be made.
    """
    order = [copies.restored(variant, folder) for variant in variants]
    rng.shuffle(order)
    one_by_one = "startup" in topic.metrics()
    children: list[processes.Child] = []
    # Each variant has its own watcher thread, so that its start-up time does not depend
    # on a slower variant.
    watchers = ThreadPoolExecutor(len(order))
    try:
        watched = []
        for variant in order:
            url, child, began = _start(topic.target, variant, environment, folder)
            children += [child] if child else []
            watched.append(
                watchers.submit(_await_ready, topic, variant, url, child, began)
            )
            if one_by_one:
                watched[-1].result()
        # The first failure fails the launch, without waiting for the other variants.
        done = wait(watched, return_when=FIRST_EXCEPTION).done
        ready = [watcher.result() for watcher in watched if watcher in done]
        running = {target.variant.name: target for target in ready}
        for target in running.values():
            target.pin(cores)
        yield running
    finally:
        watchers.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.terminate()  # all at once, because each takes a while to shut down
        for child in children:
            child.stop()


def _start(
    target: Target, variant: Variant, environment: Mapping[str, str], folder: Path
) -> tuple[str, processes.Child | None, float]:
    url = variant.url or (target.url if not variant.command else None)
    if url:
        return url.rstrip("/"), None, time.perf_counter()
    port = ports.free()
    command = (variant.command or target.command or "").replace("{port}", str(port))
    cwd = variant.cwd or target.cwd
    child = processes.start(
        f"the target of variant {variant.name!r}",
        shlex.split(command),
        log=folder / f"{variant.name}.log",
        cwd=cwd,
        env=command_environment(
            cwd,
            environment,
            target.env,
            {"PORT": str(port)},
            variant.env,
            is_copy=variant.original is not None,
        ),
    )
    return f"http://127.0.0.1:{port}", child, time.perf_counter()


def _await_ready(
    topic: Topic,
    variant: Variant,
    url: str,
    child: processes.Child | None,
    began: float,
) -> RunningTarget:
    """Wait until a target is ready, and check that it is the right process."""
    name, target = f"the target of variant {variant.name!r}", topic.target
    try:
        await_answer(
            name, url, target.ready, began, target.ready_timeout, child, "[target]"
        )
    except MeasureError as error:
        text = f"{error}{shared_state.hint(topic, variant, child)}"
        raise MeasureError(copies.as_written(text, variant)) from error
    seconds = time.perf_counter() - began
    _check_identity(variant, url, child)
    return RunningTarget(variant, url, child, seconds if child else None)


def _check_identity(variant: Variant, url: str, child: processes.Child | None) -> None:
    """Make sure that the process that Assay started answers on the port.

    Raises:
        MeasureError: Another process answers.
    """
    port = urlsplit(url).port
    if child and port not in listening(child.pid):
        raise MeasureError(
            f"port {port}: the process that answers is not the target of variant "
            f"{variant.name!r} (pid {child.pid}); is another server on that port, or "
            "does the command ignore {port} and $PORT?"
        )


def listening(pid: int) -> set[int]:
    """Return the ports on which a process tree listens."""
    ports = set()
    for member in processes.tree(pid):
        with contextlib.suppress(psutil.Error):
            for connection in psutil.Process(member).net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    ports.add(connection.laddr.port)
    return ports
