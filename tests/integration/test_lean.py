"""`LeanHttpUser` against servers that are scripted byte by byte."""

import gzip
import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.integration.scripted import (
    CLOSE,
    RESET,
    Scripted,
    Step,
    answer,
    ask,
    serving,
)

MUCH = 100 * 1024 * 1024

READ = """
response = client.get("/")
found["status"] = response.status_code
found["text"] = response.text
found["error"] = str(response.error or "")
again = client.get("/")
found["again"] = again.text
"""


def fixed(*steps: Step) -> Any:
    """Return a script that gives the same answer to every request."""
    return lambda number, request: steps


def asked(code: str, *steps: Step, **settings: Any) -> tuple[dict[str, Any], Scripted]:
    """Run code against a server that always gives the same answer."""
    with serving(fixed(*steps)) as server:
        return ask(server.url, code, **settings), server


def test_a_connection_is_kept_and_used_again() -> None:
    found, server = asked(READ, answer(b"hello"))
    assert (found["status"], found["text"], found["again"]) == (200, "hello", "hello")
    assert (server.connections, found["reconnects"]) == (1, 0)
    request = server.requests[0].decode()
    assert request.startswith("GET / HTTP/1.1\r\nHost: 127.0.0.1:")
    assert "Accept-Encoding: gzip, deflate" in request
    assert [event["length"] for event in found["events"]] == [5, 5]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("steps", "text", "connections"),
    [
        ([CHUNKED, b"3\r\nhel", 0.01, b"\r\n2", b"\r\nlo\r\n0\r\n\r\n"], "hello", 1),
        (
            [b"HTTP/1.1 200", 0.01, b" OK\r\ncontent-LENGTH:5\r", b"\n\r\nhello"],
            "hello",
            1,
        ),
        ([answer(b"hel", length=False), b"lo", CLOSE], "hello", 2),
        ([answer(b"hello", "200 OK", "Connection: close"), CLOSE], "hello", 2),
        ([b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", CLOSE], "hello", 2),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", answer(b"hello")], "hello", 1),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], "", 1),
        (
            [answer(gzip.compress(b"hello"), "200 OK", "Content-Encoding: gzip")],
            "hello",
            1,
        ),
        (
            [
                answer(
                    "grün".encode("latin-1"),
                    "200",
                    "Content-Type: text/x; charset=latin-1",
                )
            ],
            "grün",
            1,
        ),
        (
            [answer("grün".encode(), "200", "Content-Type: text/x; charset=no-such")],
            "grün",
            1,
        ),
    ],
)
def test_answers_are_read_as_they_are_meant(
    steps: Sequence[Step], text: str, connections: int
) -> None:
    found, server = asked(READ, *steps)
    assert [event["error"] for event in found["events"]] == ["", ""]
    assert (found["text"], found["again"]) == (text, text)
    assert server.connections == connections


VERBS = """
for verb in ("get", "head", "options", "delete", "post", "put", "patch", "trace"):
    found[verb] = getattr(client, verb)("/" + verb).status_code
"""


def test_all_verbs() -> None:
    def script(number: int, request: bytes) -> Sequence[Step]:
        head = answer(b"ok")
        return [head[:-2] if request.startswith(b"HEAD") else head]

    with serving(script) as server:
        found = ask(server.url, VERBS)
    for request in server.requests:
        verb, path = request.split()[:2]
        assert path == b"/" + verb.lower()
        assert found[path[1:].decode()] == 200
    assert len(server.requests) == 8 and server.connections == 1


SENDING = """
client.post("/json", json={"a": 1}, name="as json")
client.post("/form", data={"a": "1 2", "b": ["x", "y"]})
client.put("/text", "grün", headers={"content-type": "text/plain", "X-One": 1})
client.get("/query", params={"q": "a&b", "n": [1, 2]}, auth=("me", "secret"))
with client.rename_request("all of them"):
    client.get("/1")
    client.get("/2", name="its own")
"""


def test_what_is_sent() -> None:
    found, server = asked(SENDING, answer(), default_headers={"X-All": "yes"})
    as_json, form, text, query = (request.decode() for request in server.requests[:4])
    assert as_json.endswith('\r\n\r\n{"a": 1}')
    assert "Content-Type: application/json\r\n" in as_json
    assert form.endswith("\r\n\r\na=1+2&b=x&b=y")
    assert "content-type: text/plain\r\n" in text and "X-One: 1\r\n" in text
    assert text.endswith("\r\n\r\ngrün") and "Content-Length: 5\r\n" in text
    assert query.startswith("GET /query?q=a%26b&n=1&n=2 HTTP/1.1\r\n")
    assert "Authorization: Basic bWU6c2VjcmV0\r\n" in query
    assert all(b"X-All: yes\r\n" in request for request in server.requests)
    names = [event["name"] for event in found["events"]]
    assert names == ["as json", "/form", "/text", "/query", "all of them", "its own"]


CATCHING = """
with client.get("/bad", catch_response=True) as response:
    assert not response.ok
    response.success()
with client.get("/fine", catch_response=True) as response:
    response.failure("too short")
with client.get("/bad", catch_response=True) as response:
    pass
try:
    with client.get("/fine", catch_response=True) as response:
        raise RuntimeError("a bug")
except RuntimeError:
    found["raised"] = True
try:
    client.get("/fine").success()
except Exception as error:
    found["refused"] = str(error)
with user.rest("GET", "/json") as response:
    found["js"] = response.js
with user.rest("GET", "/fine") as response:
    pass
"""


def test_a_task_can_judge_for_itself() -> None:
    def script(number: int, request: bytes) -> Sequence[Step]:
        if b"/bad" in request:
            return [answer(b"no", "500 Oh")]
        return [answer(b'{"a": 1}' if b"GET /json" in request else b"ok")]

    with serving(script) as server:
        found = ask(server.url, CATCHING)
    errors = [event["error"] for event in found["events"]]
    assert errors[:4] == ["", "too short", "status 500", ""]
    assert found["raised"] and "catch_response=True" in found["refused"]
    assert found["js"] == {"a": 1}
    assert errors[4] == "" and errors[5].startswith("Could not parse response as JSON")


COOKIES = """
client.get("/login")
client.get("/")
client.get("/deep/page")
client.get("/logout")
client.get("/")
"""


def test_cookies_are_kept_and_sent_where_they_belong() -> None:
    def script(number: int, request: bytes) -> Sequence[Step]:
        if b"/login" in request:
            set_them = ["Set-Cookie: id=7; Path=/", "set-cookie: deep=1; Path=/deep"]
            return [answer(b"in", "200 OK", *set_them)]
        if b"/logout" in request:
            return [answer(b"out", "200 OK", "Set-Cookie: id=; Max-Age=0; Path=/")]
        return [answer()]

    with serving(script) as server:
        ask(server.url, COOKIES)
    sent = [
        sorted(line.decode().split(": ", 1)[1].split("; "))
        for request in server.requests
        for line in [
            next(
                (x for x in request.split(b"\r\n") if x.startswith(b"Cookie: ")), b"-: "
            )
        ]
    ]
    assert sent == [[""], ["id=7"], ["deep=1", "id=7"], ["id=7"], [""]]


def test_redirects_are_followed_as_one_request() -> None:
    def script(number: int, request: bytes) -> Sequence[Step]:
        if b"/start" in request:
            return [answer(b"", "302 Found", "Location: /middle?x=1")]
        if b"/middle" in request:
            return [answer(b"", "307 Again", "Location: end")]
        return [answer(b"there")]

    code = """
found["text"] = client.post("/start", data={"a": "1"}).text
found["kept"] = client.put("/middle", "body").text
found["stopped"] = client.get("/start", allow_redirects=False).status_code
"""
    with serving(script) as server:
        found = ask(server.url, code)
    assert (found["text"], found["kept"], found["stopped"]) == ("there", "there", 302)
    lines = [request.split(b" HTTP")[0] for request in server.requests]
    assert lines == [
        *(b"POST /start", b"GET /middle?x=1", b"GET /end"),
        *(b"PUT /middle", b"PUT /end", b"GET /start"),
    ]
    assert server.requests[4].endswith(b"\r\n\r\nbody")
    assert [e["name"] for e in found["events"]] == ["/start", "/middle", "/start"]


@pytest.mark.parametrize("where", ["call", "host", "headers"])
def test_a_password_does_not_follow_to_another_server(where: str) -> None:
    settings: dict[str, Any] = {}
    code = 'found["text"] = client.get("/").text'

    def there(number: int, request: bytes) -> Sequence[Step]:
        onward = answer(b"", "302 Found", "Location: /y")
        return [onward if b"GET /x" in request else answer(b"there")]

    with serving(there) as other:
        onward = answer(b"", "302 Found", f"Location: {other.url}/x")
        with serving(fixed(onward)) as server:
            url = server.url
            if where == "call":
                code = code.replace('"/"', '"/", auth=("a", "b")')
            elif where == "host":
                url = url.replace("//", "//a:b@")
            else:
                settings["default_headers"] = {"authorization": "Bearer abc"}
            found = ask(url, code, **settings)
    assert found["text"] == "there"
    assert b"authorization" in server.requests[0].lower()
    assert len(other.requests) == 2
    assert not any(b"authorization" in one.lower() for one in other.requests)


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("/", "TooManyRedirectsError"),
        ("ftp://elsewhere/", "BadResponseError"),
        ("http://[", "BadResponseError"),
    ],
)
def test_redirects_that_lead_nowhere(location: str, kind: str) -> None:
    found, _ = asked(
        'client.get("/")',
        answer(b"", "301 Moved", f"Location: {location}"),
        max_redirects=3,
    )
    assert [event["kind"] for event in found["events"]] == [kind]


HOSTILE: list[tuple[str, Sequence[Step], str]] = [
    ("nothing at all", [CLOSE], "ConnectionClosedError"),
    ("a reset", [RESET], "ConnectionClosedError"),
    ("half a head", [b"HTTP/1.1 200 OK\r\nConte", CLOSE], "IncompleteResponseError"),
    ("half a body", [answer(b"hello")[:-2], CLOSE], "IncompleteResponseError"),
    ("a reset within", [answer(b"hello")[:-2], 0.05, RESET], "ConnectionResetError"),
    ("half a chunk", [CHUNKED + b"5\r\nhel", CLOSE], "IncompleteResponseError"),
    ("another protocol", [b"SSH-2.0-OpenSSH_9.2\r\n"], "BadResponseError"),
    ("no status", [b"HTTP/1.1 abc\r\n\r\n"], "BadResponseError"),
    (
        "a length of words",
        [b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n"],
        "BadResponseError",
    ),
    (
        "a negative length",
        [b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n"],
        "BadResponseError",
    ),
    ("more than its length", [answer(b"ok") + b"more"], "BadResponseError"),
    (
        "endless headers",
        [b"HTTP/1.1 200 OK\r\n", *[b"X-A: " + b"a" * 1000 + b"\r\n"] * 200],
        "BadResponseError",
    ),
    (
        "an endless line",
        [b"HTTP/1.1 200 OK\r\nX: ", *[b"a" * 1000] * 200],
        "BadResponseError",
    ),
    ("silence", [5.0], "NetworkTimeoutError"),
    ("silence within", [answer(b"hello")[:-2], 5.0], "NetworkTimeoutError"),
    (
        "slow bytes",
        [byte for x in answer(b"hello" * 20) for byte in (bytes([x]), 0.02)],
        "NetworkTimeoutError",
    ),
    (
        "slow to the end",
        [answer(b"x", length=False), *[0.1, b"x"] * 30],
        "NetworkTimeoutError",
    ),
]


@pytest.mark.parametrize(
    ("steps", "kind"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE]
)
def test_whatever_a_server_does_is_counted_by_kind(
    steps: Sequence[Step], kind: str
) -> None:
    code = """
found["status"] = client.post("/").status_code
found["content"] = client.post("/").content
"""
    # Only the slow case has a short timeout, because a busy machine is slow, too.
    patience = 0.5 if kind == "NetworkTimeoutError" else 30.0
    found, server = asked(code, *steps, network_timeout=patience)
    assert [event["kind"] for event in found["events"]] == [kind, kind]
    # Errors of one kind have the same message, so they can be counted together.
    assert len({event["error"] for event in found["events"]}) == 1
    assert (found["status"], found["content"]) == (0, None)
    assert server.connections == 2
    assert all(event["ms"] < 3000 for event in found["events"])


def test_nobody_there_is_counted_too() -> None:
    with serving(fixed()) as server:
        pass
    found = ask(server.url, 'found["status"] = client.get("/").status_code')
    assert found["status"] == 0
    assert found["events"][0]["kind"] == "ConnectionRefusedError"


LARGE = """
response = client.get("/")
found["length"] = response.length
try:
    response.content
except Exception as error:
    found["refused"] = str(error)
"""


@pytest.mark.parametrize("coding", ["length", "chunked", "to the end"])
def test_a_huge_body_is_counted_and_not_kept(coding: str) -> None:
    piece = b"x" * (MUCH // 100)
    if coding == "length":
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MUCH
        steps: list[Step] = [head, *[piece] * 100]
    elif coding == "chunked":
        chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
        steps = [CHUNKED, *[chunk] * 100, b"0\r\n\r\n"]
    else:
        steps = [b"HTTP/1.1 200 OK\r\n\r\n", *[piece] * 100, CLOSE]
    length = 100 * len(piece)
    before, _ = asked(LARGE, answer())
    found, _ = asked(LARGE, *steps)
    assert found["length"] == length == found["events"][0]["length"]
    assert "keep_body" in found["refused"]
    assert found["peak"] - before["peak"] < 40 * 1024 * 1024


def test_a_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    code = """
found["first"] = client.post("/").text
time.sleep(0.7)
found["second"] = client.post("/").text
"""
    found, server = asked(code, answer(b"hello"), CLOSE)
    assert (found["first"], found["second"]) == ("hello", "hello")
    assert (server.connections, found["reconnects"]) == (2, 1)
    assert len(server.requests) == 2


def test_only_what_does_no_harm_is_sent_twice() -> None:
    def script(number: int, request: bytes) -> Sequence[Step]:
        # The server closes a connection silently after one answer.
        return [answer(b"hello")] if number % 2 else [CLOSE]

    code = """
found["texts"] = [client.get("/").text, client.get("/").text]
found["status"] = client.post("/").status_code
"""
    with serving(script) as server:
        found = ask(server.url, code)
    assert found["texts"] == ["hello", "hello"]
    assert found["status"] == 0
    assert [e["kind"] for e in found["events"]] == ["", "", "ConnectionClosedError"]
    assert found["reconnects"] == 1
    verbs = [request.split()[0] for request in server.requests]
    assert verbs == [b"GET", b"GET", b"GET", b"POST"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ('client.get("/", stream=True)', "stream="),
        ('client.post("/", files={"a": "b"})', "files="),
        ('client.get("/", timeout=3)', "network_timeout"),
        ('client.get("/", what=3)', "no option 'what'"),
        ('client.get("ftp://x/")', "not an http"),
        ('client.get("/", headers={"X": "a\\r\\nEvil: 1"})', "line break"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(call: str, words: str) -> None:
    code = f"""
try:
    {call}
except Exception as error:
    found["refused"] = str(error)
"""
    found, server = asked(code, answer())
    assert words in found["refused"]
    assert server.requests == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody vouches for, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is needed to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        + ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
        check=True,
        capture_output=True,
    )
    return folder


def test_certificates_are_verified_unless_one_says_not(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trusting = f"""
import ssl
def trust():
    return ssl.create_default_context(cafile={str(certificate / "cert.pem")!r})
Visitor.ssl_context_factory = trust
client = Visitor(environment).client
{READ}
"""
    with serving(fixed(answer(b"hello")), context) as server:
        refused = ask(server.url, READ)
        insecure = ask(server.url, READ, insecure=True)
        connections = server.connections
        trusted = ask(server.url, trusting)
    assert refused["events"][0]["kind"] == "SSLCertVerificationError"
    assert (insecure["text"], insecure["again"]) == ("hello", "hello")
    assert (trusted["text"], trusted["again"]) == ("hello", "hello")
    assert server.connections == connections + 1


def test_silence_over_tls_is_a_timeout(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with serving(fixed(5.0), context) as server:
        found = ask(server.url, 'client.get("/")', insecure=True, network_timeout=0.3)
    assert found["events"][0]["kind"] == "NetworkTimeoutError"


def test_it_works_under_plain_locust(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(
        "from locust import constant, task\n"
        "from assay.load import LeanHttpUser\n\n\n"
        "class Visitor(LeanHttpUser):\n"
        "    wait_time = constant(0.01)\n\n"
        "    @task\n"
        "    def look(self):\n"
        '        self.client.get("/")\n'
    )
    with serving(fixed(answer())) as server:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "locust",
                "-f",
                "locustfile.py",
                "--headless",
                "-u",
                "2",
                "-r",
                "2",
            ]
            + ["-t", "2s", "--host", server.url, "--json"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    # When Locust stops, it loses the requests in flight: one of each user.
    assert 10 < row["num_requests"] <= len(server.requests) <= row["num_requests"] + 2
    assert row["num_failures"] == 0
