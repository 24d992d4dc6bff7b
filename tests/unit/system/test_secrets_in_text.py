"""What is a secret in free text, and what is ordinary text that must stay."""

import json
import subprocess
import sys
from collections.abc import Iterator

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
    # The same within the text of somebody else, and within JSON.
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
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redaction.text(text) == text


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
    # Within a longer word it is another word; the name of a topic is no secret.
    for text in ("b7Q-1f2", "shop-v1", "3600s0"):
        assert redaction.text(text) == text


@pytest.mark.parametrize(
    "value",
    ["short", "postgres", "change-me", "Production", "127.0.0.1", "localhost:8000"]
    + ["/run/secrets/db", "http://auth:8000/x9", "3.12.13", "us-east.example", ""],
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
              "Cookie:", "'", "password:'", "-----BEGIN PRIVATE KEY-----", "--a ", "@"):
    redaction.text(piece * (200_000 // len(piece)))
"""


def test_hostile_text_takes_no_long_time() -> None:
    # With one pattern of quadratic cost, this takes hours.
    subprocess.run([sys.executable, "-c", HOSTILE], check=True, timeout=120)


def test_few_tags_are_secrets() -> None:
    tags = {"author": "ada", "monkey": "1", "api_key": "k3y", "see": "http://a:b@c/"}
    hidden = redaction.tags(tags)
    assert hidden == {**tags, "api_key": "***", "see": "http://***@c/"}
