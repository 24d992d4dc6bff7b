"""The locustfiles run under plain Locust, the benchmarks under plain pytest."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from assay import processes
from target_app.core.config import Settings
from target_app.practices import TOPICS, practice

SCENARIOS = Path(__file__).parents[3] / "scenarios"


@pytest.mark.parametrize("topic", TOPICS)
def test_a_locustfile_runs_under_plain_locust(
    topic: str, seeded: Settings, tmp_path: Path
) -> None:
    port = processes.free_port()
    host = f"http://127.0.0.1:{port}"
    variant = f"{topic}.{list(practice(topic).variants)[-1]}"
    env = {
        **os.environ,
        "DATABASE_URL": str(seeded.database_url),
        "REDIS_URL": str(seeded.redis_url),
        "SQLITE_PATH": str(seeded.sqlite_path),
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
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "locust", "-H", host, "-t", "1s", "-u", "2"),
                *("--headless", "--only-summary", "--json", "--exit-code-on-error=1"),
                *("-f", str(SCENARIOS / topic / "locustfile.py")),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        (entry,) = json.loads(ended.stdout)
        assert entry["name"] == f"/v1/{topic}"
        assert entry["num_requests"] > 0
        assert entry["num_failures"] == 0
        guard = httpx.get(f"{host}/guard").json()
        assert guard["ok"], guard
    finally:
        server.stop()


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


@pytest.mark.parametrize("topic", TOPICS)
def test_claims_name_variants_that_the_target_has(topic: str) -> None:
    import tomllib

    written = tomllib.loads((SCENARIOS / topic / "claims.toml").read_text())
    served = {
        variant["env"]["TARGET_VARIANT"] for variant in written["variants"].values()
    }
    assert served == {f"{topic}.{name}" for name in practice(topic).variants}
    needs = {need for v in practice(topic).variants.values() for need in v.needs}
    services = {"database_url": "postgres", "redis_url": "redis"}
    assert {services[need] for need in needs} == set(written["target"].get("needs", []))
