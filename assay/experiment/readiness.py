"""Wait until a server answers that it is ready."""

import socket
import time
from urllib.parse import urlsplit

from assay.errors import MeasureError
from assay.system import processes
from assay.system.project_environment import advice_on_missing_module

POLL_SECONDS = 0.01  # seconds between two checks that a server is ready


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
        began: `time.perf_counter` when the server was started.
        timeout: Seconds after `began` in which the server must be ready.
        child: Its process; None if Assay did not start it.
        table: The table of claims.toml that describes it, for messages.

    Raises:
        MeasureError: The server ended, or was not ready in time.
    """
    import httpx

    until = began + timeout
    problem = "it did not accept a connection"
    # The port is tried first, because a TCP connect is cheaper than an HTTP request.
    # Certificates are loaded only for https: loading them takes longer than a request.
    secure = urlsplit(url).scheme == "https"
    with httpx.Client(trust_env=False, timeout=5.0, verify=secure) as client:
        while time.perf_counter() < until:
            if child and not child.running():
                lines = child.last_lines()
                raise MeasureError(
                    f"{name} ended with exit code {child.exit_code()} before it was "
                    f"ready; its last lines:\n{lines}{advice_on_missing_module(lines)}"
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
        f"  expected a 2xx answer; in {table}, set ready to a path that gives one, or "
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
