"""The service that `assay init` starts and examines."""

import http.server
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.errors import InputError, MeasureError
from assay.first_topic import service
from assay.first_topic.service import Service
from assay.plan import Target
from assay.system import ports


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers what the path says: /503 is always busy, /health is well."""

    STATUS = {"/health": 200, "/moved": 307, "/503": 503}

    def do_GET(self) -> None:  # noqa: N802
        self.send_response(self.STATUS.get(self.path, 404))
        if self.path == "/moved":
            self.send_header("Location", "/moved/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Serve until the end of the test."""
    monkeypatch.setattr(service, "SETTLING_SECONDS", 0.2)
    monkeypatch.setattr(service, "START_SECONDS", 0.5)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Service(f"http://127.0.0.1:{server.server_port}", None)
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/none", "answered 404 for"),
        ("/503", "answered 503 for"),
        ("/moved", "answered 307, a redirect to /moved/, for"),
    ],
)
def test_a_ready_path_that_does_not_answer_is_named(
    running: Service, path: str, said: str
) -> None:
    with pytest.raises(InputError) as refused:
        service.ready_path(running, path)
    message = str(refused.value)
    assert f"--ready {path}: GET {running.url}{path} {said}" in message
    assert "/health answers 2xx; type: assay init --ready /health" in message


def test_a_ready_path_may_be_missing(
    running: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "READY_PATHS", ("/nowhere",))
    with pytest.raises(InputError, match="or leave --ready out"):
        service.ready_path(running, "/none")
    with pytest.raises(InputError, match="assay init --ready /PATH"):
        service.ready_path(running, "")
    assert service.ready_path(running, "", ["/health"]) == "/health"


def test_a_ready_path_that_answers_is_taken(running: Service) -> None:
    assert service.ready_path(running, "/health") == "/health"
    assert service.ready_path(running, "") == "/health"


def test_a_stranger_on_the_port_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        monkeypatch.setattr(ports, "free", lambda: port)
        command = f"{sys.executable} -c 'import time; time.sleep(60)'"
        target = Target(command=command, cwd=tmp_path)
        with pytest.raises(MeasureError, match=f"port {port}: another process listens"):
            with service.running(target, {}, tmp_path):
                raise AssertionError("a stranger was taken for the service")


def test_the_service_itself_is_not_refused(tmp_path: Path) -> None:
    command = f"{sys.executable} -m http.server {{port}} --bind 127.0.0.1"
    target = Target(command=command, cwd=tmp_path)
    with service.running(target, {}, tmp_path) as started:
        assert service.ready_path(started, "/") == "/"
