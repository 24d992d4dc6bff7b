"""Fixtures for tests that need real servers; servers are started once for all tests."""

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from assay.system import ports, processes
from target_app.core.config import Settings
from target_app.seed import seed_postgres, seed_sqlite

# Without a deadline, so that no test fails because the machine was busy for a moment.
hypothesis.settings.register_profile("assay", deadline=None)
hypothesis.settings.load_profile("assay")

# Runs the services until its standard input is closed, after the last test or when
# pytest ends.
_KEEPER = """
import json, sys
from assay.system import processes
from assay.services import running
with processes.guarded(), running(["postgres", "redis"]) as urls:
    print(json.dumps(urls), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="session")
def services() -> Iterator[dict[str, str]]:
    """Yield DATABASE_URL and REDIS_URL of servers that run until the last test.

    A separate process starts the servers. When a test leaves `processes.guarded()`,
    everything that its own process has started ends; these servers must not.
    """
    with subprocess.Popen(
        [sys.executable, "-c", _KEEPER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as keeper:
        assert keeper.stdin and keeper.stdout
        urls: dict[str, str] = json.loads(keeper.stdout.readline() or "{}")
        assert urls, "the services did not start; the reason is above"
        yield urls
        keeper.stdin.close()


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield an empty folder that ASSAY_CACHE names; no URL of a service is set."""
    # Not tmp_path: if root runs the tests, servers run as an account that cannot enter
    # the parent folders of tmp_path.
    folder = Path(tempfile.mkdtemp(prefix="assay-test-", dir="/var/tmp"))
    monkeypatch.setenv("ASSAY_CACHE", str(folder))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    with processes.guarded():
        yield folder
    shutil.rmtree(folder)


_DOWNSTREAM = """
import sys, uvicorn
from target_app.downstream import app
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
"""


@pytest.fixture(scope="session")
def downstream() -> Iterator[str]:
    """Yield the URL of the downstream service, which runs until the last test."""
    port = ports.free()
    with subprocess.Popen([sys.executable, "-c", _DOWNSTREAM, str(port)]) as server:
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            assert server.poll() is None, "the service downstream did not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        server.terminate()


@pytest.fixture(scope="session")
def seeded(
    services: dict[str, str],
    downstream: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Return settings of the target, after its databases have been seeded."""
    settings = Settings(
        database_url=services["DATABASE_URL"],
        redis_url=services["REDIS_URL"],
        downstream_url=downstream,
        sqlite_path=tmp_path_factory.mktemp("sqlite") / "shop.sqlite3",
        target_variant="",
    )
    seed_sqlite(settings.sqlite_path)
    seed_postgres(settings)
    return settings
