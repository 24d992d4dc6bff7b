"""The locustfiles run under plain Locust, the benchmarks under plain pytest."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay.system import ports, processes
from target_app.core.config import Settings
from target_app.practices import TOPICS, load_practice

SCENARIOS = Path(__file__).parents[3] / "scenarios"
# Seconds of each try. While a cache is filling, its guard can see too few hits; and on
# a slow machine the log-ins of a user take long.
TRIES = (1, 4, 16)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_locustfile_runs_under_plain_locust(
    topic: str, seeded: Settings, tmp_path: Path
) -> None:
    port = ports.free()
    host = f"http://127.0.0.1:{port}"
    variant = f"{topic}.{list(load_practice(topic).variants)[-1]}"
    env = {
        **os.environ,
        "DATABASE_URL": str(seeded.database_url),
        "REDIS_URL": str(seeded.redis_url),
        "SQLITE_PATH": str(seeded.sqlite_path),
        "DOWNSTREAM_URL": str(seeded.downstream_url),
        "TARGET_VARIANT": variant,
    }
    command = f"{sys.executable} -m uvicorn target_app.main:app --port {port}"
    server = processes.start(
        variant, command.split(), log=tmp_path / "target.log", env=env
    )
    try:
        while True:
            try:
                assert httpx.get(f"{host}/health").json()["variant"] == variant
                break
            except httpx.TransportError:
                assert server.running(), server.last_lines()
                time.sleep(0.05)
        for seconds in TRIES:
            entries = _plain_locust(topic, host, seconds)
            assert all(name.startswith(f"/v1/{topic}") for name in entries)
            served = f"/v1/{topic}" in entries
            assert not any(entry["num_failures"] for entry in entries.values())
            guard = httpx.get(f"{host}/guard").json()
            if served and guard["ok"]:
                break
        assert served, f"no answer in {seconds} s"
        assert guard["ok"], guard
    finally:
        server.stop()


def _plain_locust(topic: str, host: str, seconds: int) -> dict[str, Any]:
    """Load a server with two users; return Locust's rows by name."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-H", host, "-u", "2"),
            *("-t", f"{seconds}s"),
            "--stop-timeout=30",  # an answer may take longer than the test
            *("--headless", "--only-summary", "--json", "--exit-code-on-error=1"),
            *("-f", str(SCENARIOS / topic / "locustfile.py")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return {entry["name"]: entry for entry in json.loads(ended.stdout)}


def test_benchmarks_run_under_plain_pytest() -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "--benchmark-disable"),
            str(SCENARIOS / "serialisation" / "bench_serialisation.py"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert "4 passed" in ended.stdout


# Variants that their practice's topic leaves out; its claims.toml says why.
ELSEWHERE = {
    "authentication.password",
    "background_tasks.background_threads",
    "downstream_calls.client_per_call",
    "pagination.cursor",
}


@pytest.mark.parametrize("topic", TOPICS)
def test_claims_name_variants_that_the_target_has(topic: str) -> None:
    import tomllib

    written = tomllib.loads((SCENARIOS / topic / "claims.toml").read_text())
    served = {
        variant["env"]["TARGET_VARIANT"] for variant in written["variants"].values()
    }
    assert (
        served | ELSEWHERE
        == {f"{topic}.{name}" for name in load_practice(topic).variants} | ELSEWHERE
    )
    assert not served & ELSEWHERE
    needs = {need for v in load_practice(topic).variants.values() for need in v.needs}
    services = {"postgres": "database_url", "redis": "redis_url"}
    given = {services[name] for name in written["target"].get("needs", [])}
    for companion in written.get("companions", {}).values():
        given.add(companion["variable"].lower())
    assert given == needs
