"""What a target calls: companions, and services with a longer network round trip."""

import socket
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import redis

from assay.errors import MeasureError
from assay.experiment import commands
from assay.experiment.companions import running_dependencies
from assay.plan import Companion, Scenario, Target, Topic, Variant
from assay.services import running

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
    """Send two commands to a Redis-protocol server; return the second one's seconds."""
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
    with running_dependencies(far, tmp_path, ()) as called:
        environment = called.urls
        assert asked(environment["REDIS_URL"]) >= 0.02
        url = environment["WEATHER_URL"]
        with urllib.request.urlopen(f"{url}/ready") as answer:
            # The companion reaches the service by the same URL as the target.
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
    slow = companion.model_copy(update={"ready": "/never", "ready_timeout": 6.0})
    never = never.model_copy(update={"companions": (slow,)})
    with pytest.raises(MeasureError, match="'weather' was not ready") as caught:
        with running_dependencies(never, tmp_path, ()):
            pass
    assert "in [companions.weather], set ready to a path" in str(caught.value)
    assert "404" in str(caught.value)


# The migrations of the two commits: BASE has a price, HEAD has a tax.
MIGRATION = """\
import os
import psycopg, redis

with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("CREATE TABLE items ({column} integer)")
client = redis.Redis.from_url(os.environ["REDIS_URL"])
assert client.set("column", "{column}", nx=True)
client.close()
"""
COLUMNS = {"base": "price", "head": "tax"}


def two_commits(folder: Path, **keys: object) -> Topic:
    """Return a topic of two commits whose migrations conflict."""
    variants = []
    for side, column in COLUMNS.items():
        (folder / side).mkdir()
        script = MIGRATION.format(column=column)
        (folder / side / "migrate.py").write_text(script)
        variants.append(Variant(name=side, cwd=folder / side))
    keys = {"needs": ("postgres", "redis"), "prepare": "python migrate.py", **keys}
    update = {"variants": tuple(variants), "companions": ()}
    return topic(folder, **keys).model_copy(update=update)


@pytest.mark.parametrize("round_trip", [{}, {"postgres": 0.001, "redis": 0.001}])
def test_two_commits_are_prepared_each_in_a_database_of_its_own(
    cache: Path, tmp_path: Path, round_trip: dict[str, float]
) -> None:
    commits = two_commits(tmp_path, round_trip=round_trip)
    with running_dependencies(commits, tmp_path, ()) as called:
        used = called.used_by(commits)
        assert called.shared(used) == []
        commands.prepare(used, called.urls, tmp_path)
        for variant in used.variants:
            column = COLUMNS[variant.name]
            with psycopg.connect(variant.env["DATABASE_URL"]) as connection:
                connection.execute(f"SELECT {column} FROM items".encode())
            with redis.Redis.from_url(variant.env["REDIS_URL"]) as client:
                assert client.get("column") == column.encode()


def test_two_commits_share_a_server_that_is_given(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = two_commits(tmp_path)
    with running(["postgres", "redis"]) as urls:
        monkeypatch.setenv("DATABASE_URL", urls["DATABASE_URL"])
        with running_dependencies(commits, tmp_path, ()) as called:
            used = called.used_by(commits)
            assert called.urls["DATABASE_URL"] == urls["DATABASE_URL"]
            assert called.shared(used) == ["postgres"]
            with pytest.raises(MeasureError, match='"items" already exists') as caught:
                commands.prepare(used, called.urls, tmp_path)
    assert "copy = true" not in str(caught.value)


def test_a_companion_of_two_commits_uses_the_database_of_head(
    cache: Path, tmp_path: Path
) -> None:
    both = two_commits(tmp_path)
    both = both.model_copy(update={"companions": topic(tmp_path).companions})
    with running_dependencies(both, tmp_path, ()) as called:
        url = called.own["head"]["REDIS_URL"]
        assert url.endswith("/2")
        with urllib.request.urlopen(f"{called.urls['WEATHER_URL']}/ready") as answer:
            assert url in answer.read().decode()
