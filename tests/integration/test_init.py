"""`assay init`: the files that it writes work, and its table has every operation."""

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay.inputs import loader
from assay.system import ports
from tests.integration import shop

APPS = Path(__file__).parent / "init_apps"
SECRET = "s3cret"
ROOT = Path(__file__).parents[2]


def project(tmp_path: Path, app: str) -> Path:
    """Return a folder with one of the apps, like a user's project."""
    folder = tmp_path / "a project"
    folder.mkdir()
    shutil.copy(APPS / f"{app}.py", folder)
    return folder


def init(folder: Path, *words: str, **env: str) -> list[dict[str, Any]]:
    """Run the command; return the rows of its table."""
    done = shop.assay(folder, "init", *words, "--json", **env)
    assert done.returncode == 0, done.stdout + done.stderr
    if folder != ROOT:  # processes of other tests run in ROOT
        assert shop.left_behind(folder) == []
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def states(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return what became of each operation."""
    return {f"{row['method']} {row['path']}": row["task"] for row in rows}


def file(folder: Path) -> str:
    """Return the locustfile."""
    return (folder / "perf" / "locustfile.py").read_text(encoding="utf-8")


@contextlib.contextmanager
def served(folder: Path, *words: str, **env: str) -> Iterator[str]:
    """Serve an app until the end of the block; yield its URL."""
    port = ports.free()
    command = [sys.executable, "-m", *words, "--port", str(port)]
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            until = time.monotonic() + 60
            while True:
                with contextlib.suppress(httpx.TransportError):
                    httpx.get(f"http://127.0.0.1:{port}/")
                    break
                assert server.poll() is None and time.monotonic() < until
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def assert_it_runs(folder: Path, url: str, on: set[str], **env: str) -> None:
    """Run the locustfile under both commands: everything that is on succeeds."""
    words = ["perf/locustfile.py", "--host", url, "--users", "1", "--duration", "8s"]
    done = shop.assay(folder, "load", *words, "--output", "out", **env)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((folder / "out" / "results.json").read_text())
    rows = {
        f"{row['method']} {row['name']}": row["failed"]
        for row in found["rows"]
        if row["kind"] == "request" and row["name"]
    }
    assert set(rows) == on
    assert set(rows.values()) == {0}
    plain = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", "perf/locustfile.py", "--headless"),
            *("-u", "1", "-t", "2s", "--host", url, "--only-summary"),
        ],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert plain.returncode == 0, plain.stdout + plain.stderr


LIBRARY = {
    "GET /healthz",
    "GET /v1/books",
    "GET /v1/books/{book_id}",
    "HEAD /v1/books",
    "POST /v1/books",
    "PUT /v1/books/{book_id}",
    "DELETE /v1/books/{book_id}",
    "GET /v1/shelf",
    "GET /v1/stock",
    "GET /v1/settings",
    "GET /v1/broken",
    "GET /v1/away",
    "GET /v1/import",
}


def test_a_fastapi_service_with_secrets_and_hostile_texts(tmp_path: Path) -> None:
    folder = project(tmp_path, "library")
    env = {"API_TOKEN": "s3cret-token", "API_KEY": "s3cret-key"}
    found = states(init(folder, "--with-writes", **env))
    assert set(found) == LIBRARY
    off = {name: state for name, state in found.items() if state != "on"}
    assert off == {
        "DELETE /v1/books/{book_id}": "off: it deletes data",
        "GET /v1/broken": "off: it answered 500",
        "GET /v1/away": "off: it redirects to another host, 192.0.2.1",
    }
    written = file(folder)
    assert SECRET not in written
    for name in off:
        assert f"# Off: {name}: " in written
    with served(folder, "uvicorn", "library:app") as url:
        assert_it_runs(folder, url, LIBRARY - set(off), **env)


def test_without_a_word_only_safe_methods_are_on(tmp_path: Path) -> None:
    folder = project(tmp_path, "library")
    rows = init(folder, "library:app")
    found = states(rows)
    assert set(found) == LIBRARY
    on = {name for name, state in found.items() if state == "on"}
    assert {name.split()[0] for name in on} == {"GET", "HEAD"}
    assert found["POST /v1/books"] == "off: it changes data"
    assert found["GET /v1/shelf"] == "off: API_TOKEN is not set"
    with served(folder, "uvicorn", "library:app") as url:
        assert_it_runs(folder, url, on)


def test_a_request_that_works_only_once_is_off(tmp_path: Path) -> None:
    folder = project(tmp_path, "library")
    found = states(init(folder, "--with-delete"))
    assert found["DELETE /v1/books/{book_id}"].startswith("off: it worked once")


def test_a_flask_factory_with_swagger_2(tmp_path: Path) -> None:
    folder = project(tmp_path, "pets")
    env = {"API_USER": "ada", "API_PASSWORD": "s3cret-pass"}
    found = states(init(folder, "--with-writes", "--with-delete", **env))
    on = {
        "GET /api/pets",
        "POST /api/pets",
        "GET /api/pets/{petId}",
        "DELETE /api/pets/{petId}",
        "POST /api/pets/{petId}/photo",
        "POST /api/search",
        "GET /api/owner",
    }
    assert found == dict.fromkeys(on, "on")
    assert SECRET not in file(folder)
    with served(folder, "flask", "--app", "pets:create_app", "run") as url:
        assert_it_runs(folder, url, on, **env)


def test_a_flask_app_without_a_document_has_its_routes(tmp_path: Path) -> None:
    folder = project(tmp_path, "kiosk")
    found = states(init(folder, "--env", "SHELF=left"))
    on = {"GET /papers/{number}", "GET /sorted/{order}/{where}"}
    assert {name for name, state in found.items() if state == "on"} == on
    off = {"POST /papers", "DELETE /papers/{number}"}  # and no static files
    assert set(found) - on == off
    assert all(found[name].startswith("off: it ") for name in off)
    assert "read from the routes of kiosk:create_app" in file(folder)
    with served(folder, "flask", "--app", "kiosk:create_app", "run", SHELF="x") as url:
        assert_it_runs(folder, url, on)


def record(url: str) -> dict[str, Any]:
    """Use the app `till` as a browser does, and return a recording of it (HAR)."""
    entries: list[dict[str, Any]] = []

    def keep(answer: httpx.Response) -> None:
        answer.read()
        request, body = answer.request, answer.request.content
        text = base64.b64encode(answer.content).decode()
        entry: dict[str, Any] = {
            "request": {
                "method": request.method,
                "url": str(request.url),
                "headers": [
                    {"name": n, "value": v} for n, v in request.headers.items()
                ],
            },
            "response": {
                "status": answer.status_code,
                "headers": [
                    {"name": n, "value": v} for n, v in answer.headers.multi_items()
                ],
                "content": {
                    "mimeType": answer.headers.get("content-type", ""),
                    "text": text,
                    "encoding": "base64",
                },
            },
        }
        if body:
            kind = request.headers["content-type"]
            entry["request"]["postData"] = {"mimeType": kind, "text": body.decode()}
        entries.append(entry)

    with httpx.Client(
        base_url=url, event_hooks={"response": [keep]}, follow_redirects=True
    ) as client:
        client.get("/")
        client.get("/style.css")
        login = {"user": "ada", "password": "s3cret-pass"}
        token = client.post("/login", json=login).json()["auth"]["access_token"]
        headers = {
            "Authorization": f"Bearer {token}",
            "X-CSRF-Token": client.cookies["csrftoken"],
        }
        order = {"lines": [{"item": 3, "quantity": 2}]}
        number = client.post("/orders", json=order, headers=headers).json()["id"]
        client.get(f"/orders/{number}", headers=headers)
        client.post("/pay", data={"order_id": str(number)}, headers=headers)
        client.delete(f"/orders/{number}", headers=headers)
    entries.append(
        {
            "request": {
                "method": "GET",
                "url": "https://tracker.example/?token=s3cret",
            },
            "response": {"status": 200, "content": {"mimeType": "text/html"}},
        }
    )
    return {"log": {"version": "1.2", "entries": entries}}


def test_a_recording_becomes_a_journey(tmp_path: Path) -> None:
    folder = project(tmp_path, "till")
    with served(folder, "uvicorn", "till:app") as url:
        recording = record(url)
        (folder / "visit.har").write_text(json.dumps(recording))
        done = shop.assay(
            folder, "init", "--from-har", "visit.har", PASSWORD="s3cret-pass"
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        assert "1 of other hosts, 1 of static assets, 1 that redirects lead to" in said
        written = file(folder)
        sent = json.dumps(recording)
        secrets = re.findall(r"[0-9a-f]{16,}", sent)
        assert secrets and not [one for one in secrets if one in written]
        assert SECRET not in written
        on = {"GET /", "POST /login", "POST /orders", "GET /orders/{orders_id}"}
        assert "# Off: DELETE /orders/{orders_id}: it deletes data" in written
        assert_it_runs(folder, url, {*on, "POST /pay"}, PASSWORD="s3cret-pass")


def test_a_secure_cookie_is_said_to_be_the_reason(tmp_path: Path) -> None:
    folder = project(tmp_path, "till")
    with served(folder, "uvicorn", "till:app") as url:
        (folder / "visit.har").write_text(json.dumps(record(url)))
    rows = init(
        folder,
        "--from-har",
        "visit.har",
        "--env",
        "SECURE=1",
        PASSWORD="s3cret-pass",
    )
    assert [row["task"].split(":")[0] for row in rows] == ["on"] * 2 + ["off"] * 4
    assert "the cookie session over HTTP" in rows[2]["advice"]


def test_the_shop_of_the_reference_service(
    services: dict[str, str], tmp_path: Path
) -> None:
    words = [
        "--env",
        "TARGET_VARIANT=shop",
        "--prepare",
        "python -m target_app.shop_seed",
    ]
    rows = init(
        ROOT,
        "target_app.main:app",
        *words,
        "--output",
        str(tmp_path / "perf"),
        **services,
    )
    from target_app.core.config import Settings
    from target_app.main import create_app

    document = create_app(
        Settings(
            database_url="postgresql://nowhere/none",
            redis_url="redis://nowhere/0",
            target_variant="shop",
        )
    ).openapi()
    operations = {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method in item
    }
    found = states(rows)
    assert set(found) == operations
    on = {name for name, state in found.items() if state == "on"}
    assert {"GET /health", "GET /api/v1/items", "GET /api/v1/items/{item_id}"} <= on
    env = {**os.environ, **services, "TARGET_VARIANT": "shop"}
    port = ports.free()
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "target_app.main:app", "--port", str(port)],
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 60
            while time.monotonic() < until:
                with contextlib.suppress(httpx.TransportError):
                    if httpx.get(f"{url}/health").is_success:
                        break
                time.sleep(0.05)
            assert_it_runs(tmp_path, url, on)
        finally:
            server.kill()


def test_what_it_writes_is_a_topic_once_variants_are_added(tmp_path: Path) -> None:
    folder = project(tmp_path, "library")
    init(folder)
    claims = folder / "perf" / "claims.toml"
    head, _, example = claims.read_text().partition("# `assay run`")
    lines = example.splitlines()[1:]
    uncommented = "\n".join(line.removeprefix("#").strip() for line in lines)
    claims.write_text(head + uncommented)
    plan = loader.load([str(folder / "perf")], {}, "", folder)
    (topic,) = plan.topics
    assert topic.title == 'The "library" of \\ Ωmega'
    assert topic.target.cwd == folder
    assert [claim.expect.text for claim in topic.claims] == ["<= 0.5"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "exists already; type --output DIR for another folder, or --force"),
        (["--output", "b", "nowhere:app"], "assay init library:app"),
        (["--output", "b", "--url", "http://192.0.2.1:80"], "on this machine"),
        (["--output", "b", "--url", "http://127.0.0.1:9"], "nothing answers at"),
        (["--output", "b", "--command", "python 'x"], "expected a command line"),
        (["--output", "b", "--env", "API_TOKEN=x"], "looks like a secret"),
        (["--output", "b", "--ready", "health"], "a path that begins with /"),
        (["--output", "b", "--ready", "/no"], "type: assay init --ready /healthz"),
        (["--output", "b", "--openapi", "none.json"], "none.json cannot be read"),
        (["--output", "b", "--openapi", "/none"], "/none answered 404"),
        (["--output", "b", "--openapi", "api.yaml"], "it looks like YAML"),
        (["--output", "b", "--from-har", "cut.har"], "line 1, column 9"),
        (["--output", "b", "--from-har", "cut.har", "--openapi", "/x"], "give either"),
        (["--output", "b", "library:app", "--command", "x"], "in one way only"),
    ],
)
def test_bad_input_says_what_to_type(
    tmp_path: Path, words: list[str], said: str
) -> None:
    folder = project(tmp_path, "library")
    (folder / "perf").mkdir()
    (folder / "perf" / "claims.toml").write_text("title = 'mine'")
    (folder / "api.yaml").write_text("openapi: 3.1.0\n")
    (folder / "cut.har").write_text('{"log": ')
    done = shop.assay(folder, "init", *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert (folder / "perf" / "claims.toml").read_text() == "title = 'mine'"
    assert not (folder / "b").exists()
    assert shop.left_behind(folder) == []


def test_a_service_that_ends_at_once_shows_its_last_words(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "import sys; print('no tea'); sys.exit(7)"]
    command = " ".join(f"'{word}'" if " " in word else word for word in words)
    command = command.replace("'no tea'", '"no tea"')
    done = shop.assay(tmp_path, "init", "--command", command)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "ended with exit code 7" in done.stderr and "no tea" in done.stderr
    assert not (tmp_path / "perf").exists()


def test_an_app_without_a_document_gets_one_request(tmp_path: Path) -> None:
    folder = project(tmp_path, "till")
    assert states(init(folder)) == {"GET /": "on"}
    with served(folder, "uvicorn", "till:app") as url:
        assert_it_runs(folder, url, {"GET /"})


def test_the_command_names_no_environment_of_this_checkout(tmp_path: Path) -> None:
    """`assay compare` runs it in checkouts, which have no .venv."""
    folder = project(tmp_path, "library")
    (folder / ".venv").symlink_to(sys.prefix)
    done = shop.assay(folder, "init", VIRTUAL_ENV="")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "served by uvicorn of the project's .venv" in done.stderr
    assert "start it: .venv/bin/python -m uvicorn library:app" in done.stderr
    (topic,) = loader.load_for_sides(
        [folder / "perf" / "claims.toml"], {}, "", folder
    ).topics
    assert (topic.target.command or "").startswith("python -m uvicorn library:app")
