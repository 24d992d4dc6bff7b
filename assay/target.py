"""Start, await, watch and stop the variants of a target."""

import contextlib
import os
import random
import shlex
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from assay import processes
from assay.errors import MeasureError
from assay.plan import Target, Topic, Variant

POLL = 0.01


@dataclass(frozen=True)
class RunningTarget:
    """One variant that is ready.

    Attributes:
        url: Base URL without a trailing slash.
        child: Its process; None where it ran already.
        startup: Seconds from start to ready; None where it ran already.
    """

    variant: Variant
    url: str
    child: processes.Child | None
    startup: float | None

    @property
    def pids(self) -> list[int]:
        """The process whose family is measured, if it is ours."""
        return [self.child.pid] if self.child else []

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

    They start at once and in random order, on every core, and are pinned when
    all are ready: importing is what takes long, and nothing is measured yet.

    Args:
        topic: Whose target it is.
        variants: Which to start.
        environment: Of the processes, before the target's and variant's own.
        folder: Takes one log for each variant.
        cores: Cores to pin to; empty leaves them free.
        rng: Draws the order.

    Yields:
        Variant name to running target.

    Raises:
        MeasureError: One never got ready; the message has its last lines.
    """
    order = list(variants)
    rng.shuffle(order)
    started: list[tuple[Variant, str, processes.Child | None, float]] = []
    try:
        for variant in order:
            started.append(_start(topic.target, variant, environment, folder))
        running = {
            variant.name: RunningTarget(
                variant, url, child, _await_ready(topic.target, variant, url, child, at)
            )
            for variant, url, child, at in started
        }
        for target in running.values():
            if target.child and cores:
                processes.pin(target.child.pid, cores)
        yield running
    finally:
        children = [child for _, _, child, _ in started if child]
        for child in children:
            child.terminate()  # all at once: each takes its time to shut down
        for child in children:
            child.stop()


def command_environment(
    base: Mapping[str, str], *additions: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of a target's command.

    `python` and its scripts are found beside Assay's own interpreter, unless a
    virtual environment is active: then that is the one the user means.
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
        MeasureError: It failed; the message has its last lines.
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
) -> tuple[Variant, str, processes.Child | None, float]:
    url = variant.url or (target.url if not variant.command else None)
    if url:
        return variant, url.rstrip("/"), None, time.perf_counter()
    port = processes.free_port()
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
    return variant, f"http://127.0.0.1:{port}", child, time.perf_counter()


def _await_ready(
    target: Target,
    variant: Variant,
    url: str,
    child: processes.Child | None,
    began: float,
) -> float | None:
    """Wait until the target answers; return the seconds since it was started."""
    import httpx

    deadline = began + target.ready_timeout
    said = "it did not accept a connection"
    # The port is watched first: a TCP connect is cheaper than an HTTP client.
    with httpx.Client(trust_env=False, timeout=5.0) as client:
        while time.perf_counter() < deadline:
            if child and not child.running():
                raise MeasureError(
                    f"the target of variant {variant.name!r} ended with exit code "
                    f"{child.exit_code()} before it was ready; its last lines:\n"
                    f"{child.last_lines()}"
                )
            if _accepts(url):
                try:
                    answer = client.get(url + target.ready)
                except httpx.HTTPError as error:
                    said = f"{type(error).__name__}: {error}"
                else:
                    if answer.is_success:
                        seconds = time.perf_counter() - began
                        _check_identity(variant, url, child, answer)
                        return seconds if child else None
                    said = f"it answered {answer.status_code}"
            time.sleep(POLL)
    log = f"; its last lines:\n{child.last_lines()}" if child else ""
    raise MeasureError(
        f"the target of variant {variant.name!r} was not ready after "
        f"{target.ready_timeout:g} s: GET {url}{target.ready}: {said}\n"
        f"  expected a 2xx answer; set [target] ready to a path that gives one, or "
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


def _check_identity(
    variant: Variant, url: str, child: processes.Child | None, answer: object
) -> None:
    """Make sure that it is our process that answers, as the variant expected."""
    port = urlsplit(url).port
    if child and port not in _listening(child.pid):
        raise MeasureError(
            f"port {port}: the process that answers is not the target of variant "
            f"{variant.name!r} (pid {child.pid}); is another server on that port, or "
            "does the command ignore {port} and $PORT?"
        )
    expected = variant.env.get("TARGET_VARIANT")
    with contextlib.suppress(ValueError, AttributeError):
        said = answer.json().get("variant")  # type: ignore[attr-defined]
        if expected and said and said != expected:
            raise MeasureError(
                f"{url} says that it is {said!r}, but variant {variant.name!r} "
                f"expects {expected!r}"
            )


def _listening(pid: int) -> set[int]:
    """Return the ports on which a family of processes listens."""
    ports = set()
    for member in processes.family(pid):
        with contextlib.suppress(psutil.Error):
            for connection in psutil.Process(member).net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    ports.add(connection.laddr.port)
    return ports
