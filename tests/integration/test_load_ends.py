"""What a load test leaves behind if it ends early or cannot begin."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.loads import LOOK, fine, load, results
from tests.integration.scripted import Step, answer, serving
from tests.integration.shop import ASSAY
from tests.repeated import repeated


@pytest.mark.parametrize(
    ("words", "file", "key"),
    [
        (
            ["--find-capacity", "--slo", "p50 <= 1s", "--most", "500"],
            "capacity.json",
            "probes",
        ),
        (["--sweep", "1,2,3,4"], "sweep.json", "points"),
    ],
    ids=["search", "sweep"],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_many_trials_that_are_ended_keep_what_was_measured(
    tmp_path: Path, words: list[str], file: str, key: str, number: signal.Signals
) -> None:
    (tmp_path / "locustfile.py").write_text(LOOK)
    path = tmp_path / "out" / file
    with serving(fine) as server:
        process = subprocess.Popen(
            [
                *(*ASSAY, "load", "locustfile.py", "--host", server.url),
                *("--output", "out", "--duration", "1s", *words),
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + 60
        while not (path.exists() and json.loads(path.read_text())[key]):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
    found = json.loads(path.read_text())
    assert found["partial"] and len(found[key]) >= 1
    # If no trial missed the objective, there is no upper end.
    missed = [one["rate"] for one in found[key] if not one.get("held", True)]
    assert found.get("high") == (min(missed) if missed else None)
    if number == signal.SIGINT:
        assert process.returncode == 4, errors
        assert "ended early" in out
    done = subprocess.run(
        [*ASSAY, "report", "out", "--format", "markdown,junit,csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "ended early" in (tmp_path / "out" / "summary.md").read_text()
    assert "Load test of" not in (tmp_path / "out" / "summary.md").read_text()
    assert (tmp_path / "out" / "trials.csv").is_file()


@pytest.mark.parametrize("words", [[], ["--find-capacity", "--slo", "p50 <= 1s"]])
def test_a_locustfile_that_cannot_be_imported_leaves_nothing(
    tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "locustfile.py").write_text("import nothing_of_that_name")
    done = subprocess.run(
        [
            *(*ASSAY, "load", "locustfile.py", "--host", "http://127.0.0.1:1"),
            *(words or ["--rate", "5"]),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "nothing_of_that_name" in done.stderr and "wrote" not in done.stderr
    assert not done.stdout and not (tmp_path / "reports").exists()


SECRETIVE = """\
from locust import events, task
from assay.load import LeanHttpUser


@events.init_command_line_parser.add_listener
def options(parser):
    parser.add_argument("--api-token")


class Visitor(LeanHttpUser):
    @task
    def look(self):
        token = self.environment.parsed_options.api_token
        self.client.get("/look", headers={"X-Token": token})
"""


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["table", "json"])
def test_a_reader_that_leaves_changes_no_exit_code(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "locustfile.py").write_text(LOOK)
    read, write = os.pipe()
    os.close(read)
    with serving(fine) as server:
        done = subprocess.run(
            [
                *(*ASSAY, "load", "locustfile.py", "--host", server.url, *words),
                *("--output", "out", "--rate", "20", "--duration", "1s"),
            ],
            cwd=tmp_path,
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    os.close(write)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert (tmp_path / "out" / "index.html").exists()


def test_secrets_reach_the_service_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(SECRETIVE)
    with serving(fine) as server:
        host = server.url.replace("//", "//me:S3CRET@")
        done = subprocess.run(
            [
                *(*ASSAY, "load", "locustfile.py", "--host", host, "--rate", "20"),
                *("--duration", "1s", "--users", "3", "--output", "out"),
                *("--", "--api-token", "S3CRET"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    asked = server.requests[-1].lower()
    assert b"x-token: s3cret" in asked and b"authorization: basic" in asked
    kept = [path for path in (tmp_path / "out").rglob("*.*") if path.is_file()]
    texts = [path.read_bytes().decode("latin-1") for path in kept]
    for text in (*texts, done.stdout, done.stderr):
        assert "S3CRET" not in text
    assert any("***@127.0.0.1" in text for text in texts)


@repeated
def test_requests_that_hang_are_in_flight_until_the_end(tmp_path: Path) -> None:
    def hangs(number: int, request: bytes) -> list[Step]:
        return [answer()] if number <= 3 else [20.0]

    words = ("--users", "5", "--duration", "3s", "--drain", "0.1s")
    with serving(hangs) as server:
        load(tmp_path, server, *words, text=LOOK)
    found = results(tmp_path)
    assert (found["done"], found["unserved"]) == (3, 5)
    in_flight = found["timeline"]["in_flight"]
    assert len(in_flight) == 3 and in_flight[1:] == [pytest.approx(5, abs=0.1)] * 2
