"""Start the variants of a target, wait until they are ready, watch and stop them."""

import contextlib
import os
import random
import shlex
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from assay.errors import MeasureError
from assay.plan import Target, Topic, Variant
from assay.system import ports, processes

POLL_SECONDS = 0.01  # between two checks that a server is ready
GUARD_TIMEOUT = 10.0
# A target is idle if it uses less than this share of a core for so many seconds.
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
        startup: Seconds from start to ready; None if Assay did not start it.
    """

    variant: Variant
    url: str
    child: processes.Child | None
    startup: float | None

    @property
    def pids(self) -> list[int]:
        """The root of the measured process tree; empty if Assay did not start it."""
        return [self.child.pid] if self.child else []

    def pin(self, cores: Sequence[int]) -> None:
        """Pin its processes, if Assay started them; no cores means no pinning."""
        if self.child and cores:
            processes.pin(self.child.pid, cores)

    def check_guard(self, path: str) -> None:
        """Ask the target's guard whether the target did what the variant's name says.

        A variant that silently became another one would be measured, compared and
        reported under the wrong name. Nothing else shows that a cache is off, or that
        eager loading is.

        Args:
            path: The path of the guard; empty if the target has none. A guard answers
                2xx, with JSON in which ``ok`` is true or missing; otherwise ``detail``
                gives the reason.

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
        with contextlib.suppress(ValueError):
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

        A client that gives up leaves its request behind. The target goes on with it,
        and would take CPU time from the variant that is measured next.

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
            if used - before < IDLE_CPU_SHARE * IDLE_SECONDS:
                return

    def _cpu_seconds(self) -> float:
        return sum(
            processes.cpu_seconds(member)
            for pid in self.pids
            for member in processes.tree(pid)
        )

    def check_alive(self) -> None:
        """Raise MeasureError if the process has ended."""
        if self.child and not self.child.running():
            raise MeasureError(
                f"the target of variant {self.variant.name!r} ended with exit code "
                f"{self.child.exit_code()} while it was loaded; its last lines:\n"
                f"{self.child.last_lines()}"
            )


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

    They start in random order and all at once, on every core, and are pinned when all
    are ready: importing takes long, and nothing is measured yet. Only if the start-up
    time is measured do they start one after the other.

    Args:
        topic: The topic of the target.
        variants: The variants to start.
        environment: Environment variables; the target's and the variant's are added.
        folder: Where the log of each variant is written.
        cores: Cores to pin to. Empty means no pinning: the caller can `pin` later,
            when no more work needs every core.
        rng: Draws the order.

    Yields:
        Variant name to running target.

    Raises:
        MeasureError: A variant never became ready; the message has its last lines.
    """
    order = list(variants)
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
                watchers.submit(_await_ready, topic.target, variant, url, child, began)
            )
            if one_by_one:
                watched[-1].result()
        # The first failure fails the launch; the other variants are not waited for.
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


def command_environment(
    base: Mapping[str, str], *additions: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of a target's command.

    `python` and its scripts are found beside Assay's own interpreter, unless a virtual
    environment is active: then the user means its interpreter.
    """
    merged = {**os.environ, **base}
    if "VIRTUAL_ENV" not in merged:
        merged["PATH"] = os.pathsep.join(
            [str(Path(sys.executable).parent), merged.get("PATH", os.defpath)]
        )
    for addition in additions:
        merged.update(addition)
    return merged


def prepare(topic: Topic, environment: Mapping[str, str], folder: Path) -> None:
    """Run the target's `prepare` command, if it has one.

    Raises:
        MeasureError: The command failed; the message has its last lines.
    """
    target = topic.target
    if not target.prepare:
        return
    child = processes.start(
        f"[target] prepare of {topic.file}",
        shlex.split(target.prepare),
        log=folder / "prepare.log",
        cwd=target.cwd,
        env=command_environment(environment, target.env),
    )
    try:
        child.wait(600.0)
        if child.exit_code() != 0:
            raise MeasureError(
                f"{topic.file}: [target] prepare = {target.prepare!r} failed with exit "
                f"code {child.exit_code()}; its last lines:\n{child.last_lines()}"
            )
    finally:
        child.stop()


def _start(
    target: Target, variant: Variant, environment: Mapping[str, str], folder: Path
) -> tuple[str, processes.Child | None, float]:
    url = variant.url or (target.url if not variant.command else None)
    if url:
        return url.rstrip("/"), None, time.perf_counter()
    port = ports.free()
    command = (variant.command or target.command or "").replace("{port}", str(port))
    child = processes.start(
        f"the target of variant {variant.name!r}",
        shlex.split(command),
        log=folder / f"{variant.name}.log",
        cwd=target.cwd,
        env=command_environment(
            environment, target.env, {"PORT": str(port)}, variant.env
        ),
    )
    return f"http://127.0.0.1:{port}", child, time.perf_counter()


def _await_ready(
    target: Target,
    variant: Variant,
    url: str,
    child: processes.Child | None,
    began: float,
) -> RunningTarget:
    """Wait until a target is ready, and check that it is the right process."""
    name = f"the target of variant {variant.name!r}"
    await_answer(
        name, url, target.ready, began, target.ready_timeout, child, "[target]"
    )
    seconds = time.perf_counter() - began
    _check_identity(variant, url, child)
    return RunningTarget(variant, url, child, seconds if child else None)


def await_answer(
    name: str,
    url: str,
    ready: str,
    began: float,
    timeout: float,
    child: processes.Child | None,
    table: str,
) -> None:
    """Wait until a server answers that it is ready.

    Args:
        name: The name of the server in messages.
        url: Its base URL.
        ready: The path that answers 2xx once the server is ready.
        began: `time.perf_counter` when it was started.
        timeout: Seconds after `began` in which it must be ready.
        child: Its process; None if Assay did not start it.
        table: The table of claims.toml that describes it, for messages.

    Raises:
        MeasureError: The server ended, or was not ready in time.
    """
    import httpx

    until = began + timeout
    problem = "it did not accept a connection"
    # The port is tried first, because a TCP connect is cheaper than an HTTP request.
    # Certificates are loaded only for https, since loading takes longer than an answer.
    secure = urlsplit(url).scheme == "https"
    with httpx.Client(trust_env=False, timeout=5.0, verify=secure) as client:
        while time.perf_counter() < until:
            if child and not child.running():
                raise MeasureError(
                    f"{name} ended with exit code {child.exit_code()} before it was "
                    f"ready; its last lines:\n{child.last_lines()}"
                )
            if _accepts(url):
                try:
                    answer = client.get(url + ready)
                except httpx.HTTPError as error:
                    problem = f"{type(error).__name__}: {error}"
                else:
                    if answer.is_success:
                        return
                    problem = f"it answered {answer.status_code}"
            time.sleep(POLL_SECONDS)
    log = f"; its last lines:\n{child.last_lines()}" if child else ""
    raise MeasureError(
        f"{name} was not ready after {timeout:g} s: GET {url}{ready}: {problem}\n"
        f"  expected a 2xx answer; set {table} ready to a path that gives one, or "
        f"ready_timeout to more seconds{log}"
    )


def _accepts(url: str) -> bool:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=2.0).close()
    except OSError:
        return False
    return True


def _check_identity(variant: Variant, url: str, child: processes.Child | None) -> None:
    """Make sure that the process that Assay started answers on the port.

    Raises:
        MeasureError: Another process answers.
    """
    port = urlsplit(url).port
    if child and port not in _listening(child.pid):
        raise MeasureError(
            f"port {port}: the process that answers is not the target of variant "
            f"{variant.name!r} (pid {child.pid}); is another server on that port, or "
            "does the command ignore {port} and $PORT?"
        )


def _listening(pid: int) -> set[int]:
    """Return the ports on which a process tree listens."""
    ports = set()
    for member in processes.tree(pid):
        with contextlib.suppress(psutil.Error):
            for connection in psutil.Process(member).net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    ports.add(connection.laddr.port)
    return ports
