"""What is a secret in a command line, and what is not."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.system import redaction


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("serve --port 80", "serve --port 80"),
        ("serve  --api-token S3", "serve  --api-token '***'"),
        ("serve --api-token=S3 --port 80", "serve '--api-token=***' --port 80"),
        ("serve --password '' --port 80", "serve --password '***' --port 80"),
        ("serve --no-auth --port 80", "serve --no-auth --port 80"),
        ("serve '--secret=a b'", "serve '--secret=***'"),
        ('serve --secret "a b" c', "serve --secret '***' c"),
        ("serve --secret -dash", "serve --secret '***'"),
        ("API_KEY=S3 serve", "'API_KEY=***' serve"),
        (
            "sh -c 'serve --token \"S3 S3\" -v'",
            """sh -c 'serve --token '"'"'***'"'"' -v'""",
        ),
        ("get http://me:S3@here/x", "get 'http://***@here/x'"),
        ("get http://me:S3@S3@here/x@y", "get 'http://***@here/x@y'"),
        ("get 'http://x/?api_key=S3&page=2'", "get 'http://x/?api_key=***&page=2'"),
        ("get -H 'Authorization: Bearer S3'", "get -H 'Authorization: ***'"),
        # The names of modules are no secrets, though they sound like one.
        ("python -m uvicorn auth.main:app", "python -m uvicorn auth.main:app"),
        ("say it's", "say it's"),
        ("", ""),
    ],
)
def test_secrets_of_a_command(text: str, shown: str) -> None:
    assert redaction.command(text) == shown


@given(st.text(alphabet="ab-'\"\\ =:/@?\n", max_size=30))
def test_any_text_without_a_secret_keeps_its_words(text: str) -> None:
    redacted = redaction.command(text)
    if "://" not in text:
        assert redacted == text


@given(st.text(min_size=4, max_size=20))
def test_no_value_of_a_secret_is_left(value: str) -> None:
    value = f"S3{value}S3"
    for words in (["--api-token", value], [f"--api-token={value}"]):
        assert value not in " ".join(redaction.arguments(words))
        assert "S3" not in redaction.command(shlex.join(words))
