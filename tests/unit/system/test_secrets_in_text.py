"""What is a secret in free text, and what is ordinary text that must stay."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.system import redaction
from tests.integration import planted


@pytest.fixture(autouse=True)
def knowing_nothing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start each test without known secrets, and forget those of the test."""
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    yield


@pytest.mark.parametrize("text", planted.TEXTS[:-1])
def test_a_planted_secret_is_found_without_knowing_it(text: str) -> None:
    shown = redaction.text(text)
    assert planted.WORD not in shown and redaction.HIDDEN in shown
    assert redaction.text(shown) == shown
    # The secret is also found inside a longer text, and inside JSON.
    assert redaction.text(f"GET /look: {text}").endswith(shown)
    inside = redaction.json_text(json.dumps({text: [text, 1.5, "token"]}))
    assert json.loads(inside) == {shown: [shown, 1.5, "token"]}


@pytest.mark.parametrize(
    "text",
    [
        "GET /v1/password-reset",
        "POST /v1/auth/token: 401 Unauthorized",
        "/password: 404 Not Found",
        "GET /i18n/key/home.title",
        "i18n_key=home.title",
        "answered with max_tokens=512, tokens: 17 and token=3",
        "KeyError: 'user_id'",
        "KeyError: b2d7",
        "unexpected token: }",
        "Bearer authentication is missing, Basic authorization too",
        "in hash_password (app/password.py:31)",
        "password.py:31",
        "verify_password:31",
        "python -m uvicorn app.auth.token:create --port 8000",
        "SELECT * FROM users WHERE password = ? AND token = $1 AND pin = %s",
        "login(user=user, password=form.password, token=new_token(user))",
        "GET /reset?page=2&sort=name",
        "http://127.0.0.1:8000/look@home",
        "redis://127.0.0.1:6379/0",
        "postgresql://localhost:5432/shop",
        "mailto:jane@example.com and jane@example.com",
        "image:1.2@sha256:0123456789abcdef",
        "PWD=/home/me/shop",
        "the cache key: user:17",
        "primary_key=17, sort_key=price",
        "shipping=3 spin: 4",
        "a claim: latency.p99 <= 50ms",
        "2026-11-23T10:15:02+00:00",
        "look (app.py:31);app.py:3 17",
        "tests/test_login.py::test_it[password=a b]",
        "password: ***",
        "token = None",
        "api_key={key}",
        "POST /webhooks/stripe/v1",
        "POST /webhooks/github/v1/order-2026",
        "GET /look?keyword=shoes&author=ada-1&passengers=2&page_key=17",
        "GET /look?key=products2",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redaction.text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "\x1b[36mpassword\x1b[0m=\x1b[35mhunter2x9\x1b[0m of me",
            "password=*** of me",
        ),
        ("\x1b[1;32mghp_a1b2c3d4e5f6g7h8i9\x1b[0m is no token", "*** is no token"),
        ("\\x1b[36mapi_key\\x1b[0m: 'x9'", "api_key: '***'"),
        ("\\u001b[36mBearer a1b2c3d4\\u001b[0m", "Bearer ***"),
        (r"begin\npassword=hunter2x9 end", r"begin\npassword=*** end"),
        (r"begin\r\n\tdb_password: hunter2x9", r"begin\r\n\tdb_password: ***"),
        (r"begin\token=hunter2x9", r"begin\token=***"),
        (r"begin\nAuthorization: Basic a1b2c3", r"begin\nAuthorization: ***"),
        (r"begin\nBearer a1b2c3d4", r"begin\nBearer ***"),
        (r"begin\nAKIAABCDEFGHIJKLMNOP\nend", r"begin\n***\nend"),
        (r"begin\n--password hunter2x9", r"begin\n--password ***"),
        ("POST /webhooks/in/a1b2c3d4e5f6g7h8?a=1", "POST /webhooks/***?a=1"),
        ("GET /x?key=a1b2c3d4e5f6g7h8", "GET /x?key=***"),
        ("GET /x?user%5Bpassword%5D=x", "GET /x?user%5Bpassword%5D=***"),
    ],
)
def test_a_secret_in_coloured_or_escaped_text(text: str, shown: str) -> None:
    assert redaction.text(text) == shown


def test_a_known_value_in_coloured_or_escaped_text() -> None:
    redaction.learn({"API_KEY": "k9-dL2x"})
    for text in ("\x1b[31mk9-dL2x\x1b[0m", r"\x1b[31mk9-dL2x\x1b[0m"):
        assert redaction.text(f"a {text} b") == "a *** b"
    assert redaction.text(r"a\nk9-dL2x\nb") == r"a\n***\nb"


def test_values_of_names_that_only_sound_secret_are_not_known() -> None:
    line = "serve --keyspace app_v2 --max-tokens 128000 --ssl-keyfile=certs/server1.pem"
    assert redaction.command(line).count(redaction.HIDDEN) == 3
    redaction.learn(
        commands=[line, "http://127.0.0.1/?key=products2"],
        words=["--tag", "author=jenkins-2", "--keyspace", "app_v3"],
    )
    text = "app_v2 128000 certs/server1.pem products2 jenkins-2 app_v3"
    assert redaction.text(text) == text


def test_names_of_the_user_and_of_folders_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shop-v7"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", "/home/jenkins-2")
    monkeypatch.setenv("LOGNAME", "runner-3")
    urls = [f"redis://{name}@cache" for name in ("jenkins-2", "shop-v7", "runner-3")]
    redaction.learn(commands=[*urls, "redis://other-9@cache"])
    text = "/home/jenkins-2/shop-v7/app.py by runner-3"
    assert redaction.text(f"{text} or other-9") == f"{text} or ***"
    folder.rmdir()
    redaction.learn(commands=urls)  # in a folder that is gone


@pytest.mark.parametrize(
    "value", ["/x9Yk3Lm0Qz1r", "/aB3d+fGh1JkL/mN0pQrStUvWx/yZ12345678ab=="]
)
def test_a_secret_may_begin_with_a_slash(value: str) -> None:
    assert redaction.text(f"Server=db;Pwd={value};") == "Server=db;Pwd=***;"
    redaction.learn({"SECRET_KEY": value})
    assert redaction.text(f"no such key: {value}") == "no such key: ***"


def test_the_id_of_a_test_is_shown_though_it_has_a_known_value() -> None:
    redaction.learn({"API_KEY": "dev-key-1"})
    for test in ("test_x.py", "a+b/größe@2/test_x.py"):
        assert redaction.text(f"{test}::test_get[dev-key-1]") == (
            f"{test}::test_get[dev-key-1]"
        )
    assert redaction.text("test_x.py: dev-key-1") == "test_x.py: ***"


@given(st.text(alphabet="ab:=@/?&'\"\\ \n-.", max_size=60))
def test_hiding_twice_is_hiding_once(text: str) -> None:
    text = text.replace("a", "password").replace("b", "Bearer x9Yz12")
    once = redaction.text(text)
    assert redaction.text(once) == once


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_json_stays_json(value: object) -> None:
    hidden = json.loads(redaction.json_text(json.dumps(value)))
    assert type(hidden) is type(value)
    plain = json.loads(redaction.json_text(json.dumps(value, ensure_ascii=False)))
    assert plain == hidden


def test_known_values_are_hidden_wherever_they_are() -> None:
    redaction.learn(
        {"DB_PWD": "k9-dL/2x", "JWT_SECRET": "shop-v1", "TOKEN_TTL": "3600s0"},
        commands=["serve --api-key 'Yw 7/2' redis://:n0t-s0@cache:6379"],
        words=["--login-token", "b7Q-1f"],
        ordinary=["shop-v1"],
    )
    shown = redaction.text("a k9-dL/2x b k9-dL%2F2x c n0t-s0 d b7Q-1f e Yw 7/2 f")
    assert shown == "a *** b *** c *** d *** e *** f"
    # Part of a longer word is no match, and the name of a topic is no secret.
    for text in ("b7Q-1f2", "shop-v1", "3600s0"):
        assert redaction.text(text) == text


@pytest.mark.parametrize(
    "value",
    ["short", "postgres", "change-me", "Production", "127.0.0.1", "localhost:8000"]
    + [
        "/run/secrets/db",
        "/Users/Jane/project2/app.key",
        "http://auth:8000/x9",
        "3.12.13",
        "us-east.example",
        "",
    ],
)
def test_a_value_that_says_nothing_is_no_known_secret(value: str) -> None:
    redaction.learn({"DB_PASSWORD": value})
    assert redaction.text(f"in {value} there is {value}") == (
        f"in {value} there is {value}"
    )


@pytest.mark.parametrize(
    "name",
    ["DB_PWD", "JWT", "COOKIE", "BEARER", "PIN", "SALT", "dbPwd", "SLACK_WEBHOOK"],
)
def test_a_variable_of_a_secret(name: str) -> None:
    assert redaction.environment({name: "x"}) == {name: "***"}


@pytest.mark.parametrize(
    "name", ["PWD", "OLDPWD", "SHIPPING", "SPINS", "PATH", "SIGNAL"]
)
def test_a_variable_of_no_secret(name: str) -> None:
    assert redaction.environment({name: "x"}) == {name: "x"}


HOSTILE = """
from assay.system import redaction
for piece in ("://", "://a:", "password=", "&", "?a", "eyJ-", "sk-1", "/webhook/", "a:",
              "Cookie:", "'", "password:'", "-----BEGIN PRIVATE KEY-----", "--a ", "@",
              "\\\\", "\\x1b[", "\\\\n", "/webhooks/a1", "a\\\\n--a="):
    redaction.text(piece * (200_000 // len(piece)))
"""


def test_hostile_text_takes_no_long_time() -> None:
    # With one pattern of quadratic cost, this takes hours.
    subprocess.run([sys.executable, "-c", HOSTILE], check=True, timeout=120)


def test_few_tags_are_secrets() -> None:
    tags = {"author": "ada", "monkey": "1", "api_key": "k3y", "see": "http://a:b@c/"}
    hidden = redaction.tags(tags)
    assert hidden == {**tags, "api_key": "***", "see": "http://***@c/"}
