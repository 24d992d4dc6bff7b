"""Secrets of many kinds reach the service, and nothing that Assay writes or shows."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.integration import planted, shop
from tests.integration.loads import fine
from tests.integration.scripted import serving

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)

LOCUSTFILE = f"""\
import logging
import os
from locust import FastHttpUser, constant, task

TEXTS = {planted.TEXTS!r}


class Visitor(FastHttpUser):
    wait_time = constant(0)
    number = 0

    @task
    def all_of_them(self):
        text = TEXTS[Visitor.number % len(TEXTS)]
        Visitor.number += 1
        print("printed:", text, os.environ.get("ACCESS_TOKEN"))
        logging.error("logged: %s", text)
        with self.client.get("/", name=f"look {{text}}", catch_response=True) as found:
            if Visitor.number % 2:  # not all may fail in a run
                found.failure(f"it said {{text}}")
        raise ValueError(text)
"""
APP = shop.APP.replace(
    "async def app",
    f"for text in {planted.TEXTS!r}:\n    print(text)\n\n\nasync def app",
)
CLAIMS = shop.CLAIMS.replace(
    'command = "python', f'command = "env API_TOKEN={planted.secret(140)} python'
)


def _claims() -> str:
    env = ", ".join(
        f"{name} = {json.dumps(value)}"
        for name, value in {**planted.VARIANT, **planted.DSN}.items()
    )
    text = CLAIMS.replace('WORK = "6"', f'WORK = "6", {env}')
    says = json.dumps(f"faster than {planted.TEXTS[0]}")
    return text.replace(
        '"A tenth of the work takes less than half of the CPU time"', says
    )


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["tables", "json"])
def test_a_load_test_shows_no_secret(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    with serving(fine) as server:
        host = server.url.replace("//", f"//me:{planted.secret(150)}@")
        done = shop.assay(
            tmp_path,
            *("load", "locustfile.py", "--host", host, "--rate", "60", *words),
            *("--duration", "2s", "--users", "3", "--output", "out"),
            *("--require", f"latency.p99 of GET look {planted.TEXTS[0]} <= 5s"),
            **planted.OWN,
        )
    assert done.returncode in (0, 1, 2, 3), done.stderr
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert sum(row["requests"] for row in found["rows"]) > 60
    assert len(found["rows"]) > 30 and len(found["errors"]) > 15
    assert (tmp_path / "out" / "locust.log").stat().st_size > 1000
    assert planted.found(tmp_path / "out", done.stdout, done.stderr) == []


def test_a_run_shows_no_secret(tmp_path: Path) -> None:
    folder = shop.write(
        tmp_path / "shop",
        claims=_claims(),
        app=APP,
        locustfile=LOCUSTFILE,
        pyproject=shop.PROJECT.replace("[6]", "[1]"),
    )
    done = shop.assay(folder, "run", ".", "--output", "out", **planted.OWN)
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    assert planted.found(folder / "out", done.stdout, done.stderr) == []
    plan = json.loads((folder / "out" / "plan.json").read_text())
    (variant,) = [v for v in plan["topics"][0]["variants"] if v["name"] == "less"]
    assert {variant["env"][name] for name in planted.VARIANT} == {"***"}
    assert variant["env"]["DSN"] == "host=db.example password=*** user=me"
    again = shop.assay(
        folder, "report", "out", "--format", "html,markdown,junit,csv,json"
    )
    assert again.returncode == 0, again.stderr
    assert planted.found(folder / "out", again.stdout, again.stderr) == []


def test_a_target_that_does_not_start_shows_no_secret(tmp_path: Path) -> None:
    # The last twelve lines of its log are quoted, so each start shows some of them.
    for number in range(0, len(planted.TEXTS), 10):
        texts = planted.TEXTS[number : number + 10]
        app = (
            f"for text in {texts!r}:\n    print(text, flush=True)\nraise SystemExit(3)"
        )
        folder = shop.write(tmp_path / str(number), app=app, claims=_claims())
        done = shop.assay(folder, "run", ".", "--output", "out", **planted.OWN)
        assert done.returncode == 4, done.stdout + done.stderr
        assert "its last lines" in done.stderr or "last lines" in done.stderr
        assert planted.found(folder / "out", done.stdout, done.stderr) == []


def test_a_wrong_command_line_shows_no_secret(tmp_path: Path) -> None:
    url = f"http://me:{planted.secret(1)}@127.0.0.1"
    for words in (
        ["load", "x.py", url, url],
        ["run", url],
        ["load", "x.py", "--rate", url],
    ):
        done: subprocess.CompletedProcess[str] = shop.assay(tmp_path, *words)
        assert done.returncode == 2
        assert planted.found(tmp_path, done.stdout, done.stderr) == []
