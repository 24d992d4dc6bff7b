"""What a target calls: companions, and services behind a network of some length."""

import socket
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from assay.errors import MeasureError
from assay.experiment.companions import running_dependencies
from assay.plan import Companion, Scenario, Target, Topic, Variant

WEATHER = """\
import http.server, json, os, sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"redis": os.environ.get("REDIS_URL", "")}).encode()
        self.send_response(200 if self.path == "/ready" else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def topic(folder: Path, **target: object) -> Topic:
    (folder / "weather.py").write_text(WEATHER)
    return Topic(
        name="it",
        title="",
        file=folder / "claims.toml",
        target=Target(cwd=folder, command="true", **target),
        companions=(
            Companion(
                name="weather",
                command="python weather.py {port}",
                variable="WEATHER_URL",
                ready="/ready",
                ready_timeout=20.0,
            ),
        ),
        scenario=Scenario(locustfile=folder / "locustfile.py"),
        variants=(Variant(name="a"),),
    )


def asked(url: str) -> float:
    """Ask a Redis-protocol server twice; return the seconds of the second time."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as server:
        seconds = 0.0
        for _ in range(2):
            began = time.perf_counter()
            server.sendall(b"AUTH default %s\r\n" % (parts.password or "").encode())
            assert server.recv(100).startswith(b"+OK")
            seconds = time.perf_counter() - began
    return seconds


def test_companions_run_beside_services_that_are_far_away(tmp_path: Path) -> None:
    far = topic(tmp_path, needs=("redis",), round_trip={"redis": 0.02})
    with running_dependencies(far, tmp_path, ()) as environment:
        assert asked(environment["REDIS_URL"]) >= 0.02
        url = environment["WEATHER_URL"]
        with urllib.request.urlopen(f"{url}/ready") as answer:
            # The companion finds the service by the same way as the target.
            assert environment["REDIS_URL"] in answer.read().decode()
    with pytest.raises(OSError):
        urllib.request.urlopen(f"{url}/ready", timeout=2)
    words = [
        " ".join(process.cmdline())
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"]
    ]
    assert not [line for line in words if str(tmp_path) in line]


def test_a_companion_that_is_never_ready_is_named(tmp_path: Path) -> None:
    never = topic(tmp_path)
    (companion,) = never.companions
    slow = companion.model_copy(update={"ready": "/never", "ready_timeout": 1.5})
    never = never.model_copy(update={"companions": (slow,)})
    with pytest.raises(MeasureError, match="'weather' was not ready") as caught:
        with running_dependencies(never, tmp_path, ()):
            pass
    assert "[companions] weather ready" in str(caught.value)
    assert "404" in str(caught.value)
