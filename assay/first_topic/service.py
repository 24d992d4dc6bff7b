"""Start the service for `assay init`, and find its ready path and its document."""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import InputError, MeasureError
from assay.experiment.commands import command_environment
from assay.experiment.target import listening
from assay.first_topic.openapi.document import Document, parse
from assay.plan import Target
from assay.system import ports, processes
from assay.system.project_environment import advice_on_missing_module
from assay.wording import one_line

if TYPE_CHECKING:
    import httpx

READY_PATHS = (
    *("/health", "/healthz", "/health/live", "/livez", "/ready", "/readyz", "/ping"),
    *("/api/health", "/api/v1/health", "/status", "/", "/docs"),
)
DOCUMENT_PATHS = (
    *("/openapi.json", "/v1/openapi.json", "/api/openapi.json", "/api/v1/openapi.json"),
    *("/schema/openapi.json", "/openapi/openapi.json", "/schema/", "/api/schema/"),
    *("/swagger.json", "/api/swagger.json", "/v1/swagger.json", "/v2/swagger.json"),
    *("/apispec_1.json", "/api-spec.json", "/static/openapi.json", "/openapi"),
)
START_SECONDS = 60.0
# For this long, a service that answers, but not with 2xx, may still be starting.
SETTLING_SECONDS = 3.0
MAX_DOCUMENT_BYTES = 50_000_000


@dataclass(frozen=True)
class Service:
    """A running service.

    Attributes:
        url: Its base URL, without a slash at its end.
        child: Its process; None if Assay did not start it.
        env: The environment of its process; empty if Assay did not start it.
    """

    url: str
    child: processes.Child | None
    env: Mapping[str, str] = field(default_factory=dict)

    def log(self) -> str:
        """Return the end of its log as part of a message.

        The text is empty if Assay did not start the service.
        """
        if self.child is None:
            return ""
        lines = self.child.last_lines()
        return f"; its last lines:\n{lines}{advice_on_missing_module(lines)}"


@contextlib.contextmanager
def running(
    target: Target, environment: Mapping[str, str], folder: Path
) -> Iterator[Service]:
    """Start the service of a target as runs do, and stop it at the end.

    A service that is given by its URL is neither started nor stopped.

    Args:
        target: The target, with a command or with the URL of a running service.
        environment: Environment variables that are added to those of this process.
        folder: Where the log of the service is written.

    Yields:
        The service, which accepts connections.

    Raises:
        MeasureError: The service cannot be started, or does not listen on its port.
        InputError: Nothing answers at the URL.
    """
    if target.url:
        service = Service(target.url.rstrip("/"), None)
        _await_port(service)
        yield service
        return
    port = ports.free()
    env = command_environment(target.cwd, environment, target.env, {"PORT": str(port)})
    child = processes.start(
        "the service",
        shlex.split((target.command or "").replace("{port}", str(port))),
        log=folder / "service.log",
        cwd=target.cwd,
        env=env,
    )
    try:
        service = Service(f"http://127.0.0.1:{port}", child, env)
        _await_port(service)
        yield service
    finally:
        child.stop()


def ready_path(service: Service, wanted: str, more: Sequence[str] = ()) -> str:
    """Return a path that answers 2xx.

    Args:
        service: The service.
        wanted: The path that the user gave; empty to look for one.
        more: Paths that are tried after the usual ones.

    Raises:
        MeasureError: The service ended while Assay waited for the given path.
        InputError: The given path does not answer 2xx, or none of the tried paths does.
    """
    with _client(service) as client:
        if wanted:
            _await_wanted(service, client, wanted, more)
            return wanted
        until = time.monotonic() + SETTLING_SECONDS
        while True:
            if path := _first_that_answers(client, (*READY_PATHS, *more)):
                return path
            if time.monotonic() > until:
                break
            time.sleep(0.2)
    raise InputError(
        "the service answers, but none of the usual health paths answers 2xx; name "
        f"another: assay init --ready /PATH ...{service.log()}"
    )


def _client(service: Service) -> httpx.Client:
    import httpx

    return httpx.Client(base_url=service.url, trust_env=False, timeout=10.0)


def _await_wanted(
    service: Service, client: httpx.Client, wanted: str, more: Sequence[str]
) -> None:
    """Wait until the path that the user gave answers 2xx.

    While a service is not ready, it answers 5xx or not at all. A status of 3xx or 4xx
    means that the path is wrong, so the wait for it is short.

    Raises:
        MeasureError: The service ended.
        InputError: The path does not answer 2xx.
    """
    began = time.monotonic()
    while problem := _problem(client, wanted):
        if service.child and not service.child.running():
            raise MeasureError(
                f"the service ended with exit code {service.child.exit_code()} before "
                f"GET {wanted} (--ready) answered 2xx{service.log()}"
            )
        is_wrong = problem.startswith(("answered 3", "answered 4"))
        waited = time.monotonic() - began
        if waited > (SETTLING_SECONDS if is_wrong else START_SECONDS):
            break
        time.sleep(0.1)
    else:
        return
    other = _first_that_answers(client, (*READY_PATHS, *more))
    advice = (
        f"{other} answers 2xx; type: assay init --ready {shlex.quote(other)} ..."
        if other
        else "name another path, or leave --ready out, and Assay looks for one"
        + service.log()
    )
    raise InputError(
        f"--ready {wanted}: GET {service.url}{wanted} {problem} for {waited:.0f} s; "
        f"expected 2xx\n  {advice}"
    )


def _first_that_answers(client: httpx.Client, paths: Sequence[str]) -> str:
    """Return the first path that answers 2xx; empty if none does."""
    return next((path for path in paths if not _problem(client, path)), "")


def _problem(client: httpx.Client, path: str) -> str:
    """Return what a path answered instead of 2xx; empty if it answered 2xx."""
    import httpx

    try:
        with client.stream("GET", path) as answer:
            if answer.is_success:
                return ""
            place = one_line(answer.headers.get("location", ""))[:100]
            redirect = f", a redirect to {place}," if place else ""
            return f"answered {answer.status_code}{redirect}"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        detail = one_line(str(error))[:100]
        return f"gave no answer ({type(error).__name__}: {detail})"


def find_document(service: Service, wanted: str, folder: Path) -> Document | None:
    """Return the OpenAPI document of a service.

    Args:
        service: The service.
        wanted: The file or path that the user gave; empty to look for one.
        folder: The working directory, for files.

    Returns:
        The document; None if the user gave none and none of `DOCUMENT_PATHS` has one.

    Raises:
        InputError: The given file or path has no OpenAPI document in JSON.
    """
    if wanted and (not wanted.startswith("/") or os.path.isfile(wanted)):
        return read_document(folder / wanted)
    import httpx

    headers = {"Accept": "application/json, */*;q=0.1"}
    with httpx.Client(
        base_url=service.url, trust_env=False, timeout=10.0, follow_redirects=True
    ) as client:
        for path in (wanted,) if wanted else DOCUMENT_PATHS:
            try:
                answer = client.get(path, headers=headers)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if wanted:
                    raise InputError(f"--openapi {wanted}: {error}") from error
                continue
            if wanted and not answer.is_success:
                raise InputError(
                    f"--openapi: GET {service.url}{wanted} answered "
                    f"{answer.status_code}; expected an OpenAPI document in JSON"
                )
            if answer.is_success:
                try:
                    return parse(answer.content[:MAX_DOCUMENT_BYTES], path)
                except InputError:
                    if wanted:
                        raise
    return None


def read_document(file: Path) -> Document:
    """Return the OpenAPI document in a file.

    Raises:
        InputError: The file cannot be read, or is no OpenAPI document in JSON.
    """
    try:
        return parse(file.read_bytes(), file.name)
    except (OSError, ValueError) as error:
        raise InputError(f"--openapi: {file} cannot be read: {error}") from error


def _await_port(service: Service) -> None:
    """Wait until a service accepts connections.

    Raises:
        MeasureError: The service ended, does not listen in time, listens on another
            port only, or another process listens on its port.
        InputError: Nothing answers at the URL that the user gave.
    """
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(service.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    child = service.child
    until = time.monotonic() + (START_SECONDS if child else 2.0)
    while time.monotonic() < until:
        if child and not child.running():
            raise MeasureError(
                f"the service ended with exit code {child.exit_code()} before it "
                f"answered{service.log()}"
            )
        with contextlib.suppress(OSError):
            socket.create_connection((parts.hostname or "", port), 2.0).close()
            _check_owner(child, port)
            return
        elsewhere = listening(child.pid) - {port} if child else set()
        if elsewhere and time.monotonic() > until - START_SECONDS + 5:
            raise MeasureError(
                f"the service listens on port {min(elsewhere)} and not on {port}: its "
                "command must use {port} or $PORT, for example: assay init --command "
                "'python serve.py --port {port}'"
            )
        time.sleep(0.02 if child else 0.2)
    if child is None:
        raise InputError(
            f"--url: nothing answers at {service.url}; start the service first, or let "
            "Assay start it: assay init --command 'python serve.py {port}'"
        )
    raise MeasureError(
        f"the service did not listen on port {port} within {START_SECONDS:g} s"
        f"{service.log()}"
    )


def _check_owner(child: processes.Child | None, port: int) -> None:
    """Check that the started process listens on its port.

    A service that Assay did not start is not checked.

    Raises:
        MeasureError: Another process listens there.
    """
    if child and port not in listening(child.pid):
        raise MeasureError(
            f"port {port}: another process listens there, and not the service that was "
            f"started (pid {child.pid}): requests would go to the wrong process\n"
            "  If the service's command has a fixed port, put {port} in its place; "
            "otherwise type the same command again, and Assay takes another port"
        )
