"""Requests that `assay init` tries."""

from collections.abc import Sequence
from dataclasses import replace

import httpx
import pytest

from assay.first_topic import create, trial
from assay.first_topic.openapi.document import Document
from assay.first_topic.request import Body, Gap, Request, Task, filled, text
from assay.first_topic.service import Service

PIN = text(Gap("PIN", "environment", "number"))
SHARE = text(Gap("SHARE", "environment", "decimal"))


def answers(request: httpx.Request) -> httpx.Response:
    """Redirect /2 to /1 and /1 to /0, which answers 200."""
    left = int(request.url.path[1:])
    if left:
        return httpx.Response(302, headers={"Location": f"/{left - 1}"})
    return httpx.Response(200, json={})


@pytest.mark.parametrize(
    ("redirects", "status"),
    [
        (0, "200"),
        (trial.MAX_REDIRECTS, "200"),
        (trial.MAX_REDIRECTS + 1, "no answer"),
    ],
)
def test_as_many_redirects_as_it_says_are_followed(redirects: int, status: str) -> None:
    client = httpx.Client(
        transport=httpx.MockTransport(answers), base_url="http://shop"
    )
    request = Request("GET", text(f"/{redirects}"), "/")
    assert trial.send(client, request, {}).status == status


def test_a_prefix_under_which_nothing_answers_is_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(url: str, tasks: Sequence[Task], in_order: bool) -> tuple[Task, ...]:
        paths = [task.request.path.filled({}) for task in tasks if task.request]
        return tuple(
            replace(task, status="no answer" if path.startswith("/api/") else "200")
            for task, path in zip(tasks, paths, strict=True)
        )

    monkeypatch.setattr(trial, "run", run)
    content = {
        "openapi": "3.1.0",
        "servers": [{"url": "/api"}],
        "paths": {"/items": {"get": {}}},
    }
    assert create._prefix(Document(content, "x"), Service("http://x", None)) == ""


def test_numbers_from_the_environment_stay_numbers() -> None:
    values = {"PIN": "0042", "SHARE": "0.5"}
    assert filled({"pin": PIN, "share": [SHARE]}, values) == {"pin": 42, "share": [0.5]}


def test_a_secret_that_is_no_number_is_not_shown() -> None:
    request = Request("POST", text("/"), "/", body=Body("json", {"pin": PIN}))
    client = httpx.Client(base_url="http://shop")
    answer = trial.send(client, request, {"PIN": "hunter2x"})
    assert answer.status == "not sent"
    assert "PIN: expected a whole number" in answer.problem
    assert "hunter2x" not in f"{answer.problem} {answer.advice}"
