"""Limits of the generator's own machine: Assay raises them if it can, or names them."""

import resource
import subprocess
from pathlib import Path

import pytest

from tests.integration.loads import command, fine, results
from tests.integration.scripted import serving

HTTP = """\
from locust import HttpUser, task


class Visitor(HttpUser):
    @task
    def look(self):
        self.client.get("/look")
"""
LOGIN = HTTP.replace(
    "    @task",
    "    def on_start(self):\n        self.client.get('/login')\n\n    @task",
)


def limited(
    folder: Path, soft: int, hard: int, text: str, *words: str
) -> "subprocess.CompletedProcess[str]":
    """Load a server with a command that may open only so many files."""
    (folder / "locustfile.py").write_text(text)
    with serving(fine) as server:
        return subprocess.run(
            command(server, *words),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=90,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
        )


def test_the_soft_limit_is_raised(tmp_path: Path) -> None:
    words = ("--users", "150", "--duration", "1s")
    done = limited(tmp_path, 120, 4096, HTTP, *words)
    assert done.returncode == 0, done.stderr
    assert results(tmp_path)["rows"][0]["failed"] == 0


@pytest.mark.parametrize("text", [HTTP, LOGIN])
def test_descriptors_that_are_used_up_are_no_failure_of_the_server(
    tmp_path: Path, text: str
) -> None:
    words = ("--users", "150", "--duration", "2s", "--require", "errors <= 1%")
    done = limited(tmp_path, 120, 120, text, *words)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "file descriptor" in done.stderr and "120" in done.stderr
    assert "Traceback" not in done.stderr
    assert "holds" not in done.stdout
