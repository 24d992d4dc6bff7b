"""Bad input and failures end with a message and an exit code, and leave nothing."""

import json
import socket
from pathlib import Path

import pytest

from tests.integration import shop


def refused(folder: Path, code: int, *said: str, words: tuple[str, ...] = ()) -> str:
    """Run the topic and check how it ends."""
    done = shop.assay(folder, "run", ".", "--output", "out", *words)
    output = done.stdout + done.stderr
    assert done.returncode == code, output
    assert "Traceback" not in done.stderr, output
    for text in said:
        assert text in output
    assert shop.left_behind(folder) == []
    return output


@pytest.mark.parametrize(
    ("locustfile", "said"),
    [
        ("import nowhere\n", "line 1: ModuleNotFoundError: No module named 'nowhere'"),
        ("x = 1\ndef f(:\n", "line 2: SyntaxError"),
        ("x = 1\n", "it has no User class"),
        (
            "from locust import FastHttpUser\nclass V(FastHttpUser):\n    pass\n",
            "V has no task",
        ),
    ],
)
def test_a_locustfile_that_cannot_be_used(
    tmp_path: Path, locustfile: str, said: str
) -> None:
    folder = shop.write(tmp_path / "shop", locustfile=locustfile)
    refused(folder, 2, str(folder / "locustfile.py"), said)


def test_another_machine_is_loaded_only_if_it_is_named(tmp_path: Path) -> None:
    """192.0.2.0/24 belongs to nobody."""
    started = 'more = { env = { WORK = "60" } }'
    claims = shop.CLAIMS.replace(started, 'more = { url = "http://192.0.2.7" }')
    folder = shop.write(tmp_path / "shop", claims=claims)
    said = "192.0.2.7 is another machine, and a load can harm it"
    refused(folder, 2, said, "--allow-host 192.0.2.7")
    assert not (folder / "out").exists()
    (folder / "locustfile.py").write_text(
        "from locust import HttpUser, task\nclass Visitor(HttpUser):\n"
        '    host = "https://192.0.2.8:8443"\n    @task\n    def t(self):\n'
        "        self.client.get('/')\n"
    )
    words = ["locustfile.py", "--users", "1", "--duration", "1s", "--output", "load"]
    for more, text in (
        ([], "Visitor: 192.0.2.8 is another machine"),
        (["--allow-host", "192.0.2.7"], "--allow-host 192.0.2.8"),
        (["--workers", "2"], "Visitor: 192.0.2.8 is another machine"),
        (["--host", "http://192.0.2.9"], "--allow-host 192.0.2.9"),
    ):
        done = shop.assay(folder, "load", *words, *more)
        assert done.returncode == 2 and text in done.stderr, done.stderr
        assert "Traceback" not in done.stderr


def test_an_unknown_key(tmp_path: Path) -> None:
    claims = shop.CLAIMS.replace("title =", "titel =")
    folder = shop.write(tmp_path / "shop", claims=claims)
    refused(folder, 2, "claims.toml:1: titel: unknown key; did you mean 'title'?")
    assert not (folder / "out").exists()


def test_an_output_directory_that_is_not_empty(tmp_path: Path) -> None:
    folder = shop.write(tmp_path / "shop")
    (folder / "out").mkdir()
    (folder / "out" / "thesis.txt").write_text("mine")
    refused(folder, 2, "already exists and is not empty")
    assert (folder / "out" / "thesis.txt").read_text() == "mine"


def test_a_target_that_never_gets_ready(tmp_path: Path) -> None:
    claims = shop.CLAIMS.replace(
        "[target]\n", '[target]\nready = "/"\nready_timeout = 10\n'
    )
    app = shop.APP.replace("200", "503")
    folder = shop.write(tmp_path / "shop", claims=claims, app=app)
    refused(folder, 4, "was not ready after 10 s", "it answered 503", "ready_timeout")


def test_a_target_that_ends_at_once_shows_its_last_words(tmp_path: Path) -> None:
    app = "import sys\nprint('no such tea', flush=True)\nsys.exit(7)\n"
    folder = shop.write(tmp_path / "shop", app=app)
    refused(folder, 4, "ended with exit code 7 before it was ready", "no such tea")


def test_a_target_without_its_packages_is_told_where_python_is_from(
    tmp_path: Path,
) -> None:
    folder = shop.write(tmp_path / "shop", app="import no_such_package\n")
    refused(folder, 4, "no module 'no_such_package'", "active environment", ".venv")


GUARD = """\
    if scope["path"] == "/guard":
        import json
        said = {"ok": WORK == 6, "detail": "work: %d per request, exactly 6" % WORK}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(said).encode()})
        return
    served += 1
"""


def test_a_variant_that_its_guard_finds_to_be_another(tmp_path: Path) -> None:
    claims = shop.CLAIMS.replace("[target]\n", '[target]\nguard = "/guard"\n')
    app = shop.APP.replace("    served += 1\n", GUARD)
    folder = shop.write(tmp_path / "shop", claims=claims, app=app)
    said = "does not do what its name says: work: 60 per request, exactly 6"
    refused(folder, 4, said, "/guard")
    results = json.loads((folder / "out" / "results.json").read_text())
    assert results["partial"]
    assert all(found["launches"] == 0 for found in results["comparisons"])


def test_a_guard_that_is_not_there(tmp_path: Path) -> None:
    claims = shop.CLAIMS.replace("[target]\n", '[target]\nguard = "/guard"\n')
    app = shop.APP.replace("    served += 1\n", GUARD.replace("200", "404"))
    app = app.replace("WORK == 6", "True")
    folder = shop.write(tmp_path / "shop", claims=claims, app=app)
    refused(folder, 4, "does not do what its name says")


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    claims = shop.CLAIMS.replace("python -m uvicorn", "pythom -m uvicorn")
    folder = shop.write(tmp_path / "shop", claims=claims)
    refused(folder, 4, "cannot start 'pythom'")


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        claims = shop.CLAIMS.replace("{port}", str(port)).replace(
            "[target]\n", "[target]\nready_timeout = 20\n"
        )
        folder = shop.write(tmp_path / "shop", claims=claims)
        refused(folder, 4, "address already in use")


def test_a_target_that_dies_under_load(tmp_path: Path) -> None:
    claims = shop.CLAIMS.replace('{ WORK = "6" }', '{ WORK = "6", DIE_AFTER = "200" }')
    folder = shop.write(tmp_path / "shop", claims=claims)
    refused(
        folder,
        4,
        "the target of variant 'less' ended with exit code 3 while it was loaded",
        "the shop is on fire",
    )
    assert shop.results(folder / "out")["partial"] is True


def test_a_path_that_the_target_does_not_have(tmp_path: Path) -> None:
    app = shop.APP.replace("served += 1", "served += scope['path'] != '/'").replace(
        "200", "200 if scope['path'] == '/' else 404"
    )
    locustfile = shop.LOCUSTFILE.replace('get("/")', 'get("/tea")')
    folder = shop.write(tmp_path / "shop", app=app, locustfile=locustfile)
    refused(folder, 4, "every request to variant", "404", "/tea")


def test_a_user_that_fails_in_on_start(tmp_path: Path) -> None:
    locustfile = shop.LOCUSTFILE + (
        "\n    def on_start(self):\n        raise RuntimeError('wrong password')\n"
    )
    folder = shop.write(tmp_path / "shop", locustfile=locustfile)
    refused(folder, 4, "stopped in its on_start", "wrong password")


def test_a_report_of_what_is_not_a_run(tmp_path: Path) -> None:
    done = shop.assay(tmp_path, "report", ".")
    assert done.returncode == 2
    assert "not a run directory" in done.stderr
    done = shop.assay(tmp_path, "report", ".", "--format", "htm")
    assert done.returncode == 2
    assert "no format 'htm'" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "python -m uvicorn",
            "python '",
            "claims.toml:4: target.command: expected a c",
        ),
        (
            "[scenario]",
            'ready = "up"\n[scenario]',
            "target.ready: expected a path that",
        ),
        (
            "utilisation = 0.4",
            "arrival_rate = inf",
            "arrival_rate: input should be a f",
        ),
        (
            "command =",
            'url = "127.0.0.1:8000"\ncommand =',
            "target.url: expected a URL of http:// or https://",
        ),
        (
            'expect    = "<= 0.5"',
            'expect = "<= 0.5"\nprofiles = ["../cpu"]',
            "no preset '../cpu': expected the name of a file",
        ),
        (
            "command =",
            'url = "http://127.0.0.1:8000"\n# ',
            "'more' is a server that runs already: profiles need a process",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_starts(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    claims = shop.CLAIMS.replace(old, new)
    if "profiles" not in claims:
        claims += 'profiles = ["cpu"]\n'
    folder = shop.write(tmp_path / "shop", claims=claims)
    refused(folder, 2, said)
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [("tool = 3", "tool: expected a table"), ("[tool.assay]\nlooks = []", "looks: ")],
)
def test_a_pyproject_that_says_nothing_of_use(
    tmp_path: Path, text: str, said: str
) -> None:
    folder = shop.write(tmp_path / "shop", pyproject=text)
    refused(folder, 2, "pyproject.toml:", said)
