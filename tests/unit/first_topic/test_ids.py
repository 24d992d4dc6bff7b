"""Ids that exist, from the answers of a service."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from assay.first_topic import trial
from assay.first_topic.ids import MAX_BYTES, MAX_ID, MAX_OBJECTS, Ids
from assay.first_topic.request import Request, Task, text


def get(name: str, path: str, *query: str) -> Request:
    return Request("GET", text(path, *query), name)


def path_with_ids(request: Request, answers: dict[str, Any]) -> object:
    """Return the path of a request after these answers; None if it stays."""
    ids = Ids()
    for name, content in answers.items():
        ids.learn(get(name, name), json.dumps(content).encode())
    other = ids.put_into(request)
    return other and other.path.parts


@pytest.mark.parametrize(
    ("answers", "path"),
    [
        ({"/items": [{"id": 7, "name": "a"}, {"id": 8}]}, "/items/7/parts"),
        (
            {"/items/": {"total": 2, "items": [{"item_id": "x/1"}]}},
            "/items/x%2F1/parts",
        ),
        ({"/items": ["red", "blue"]}, "/items/red/parts"),
        ({"/items": {"tags": ["red"], "items": [{"id": 5}]}}, "/items/5/parts"),
        # A field of the same name in any answer.
        ({"/shop": {"best": {"item_id": 3}}}, "/items/3/parts"),
        ({"/items": [{"id": 7}], "/shop": {"item_id": "x"}}, "/items/x/parts"),
        # An id of something else is none of an item.
        ({"/users": [{"id": 7}]}, None),
        ({"/items": []}, None),
        ({"/items": [{"id": True}, {"id": 7}]}, None),
        ({"/items": [{"id": "x" * (MAX_ID + 1)}]}, None),
        ({"/items": [{"id": 1}]}, None),  # the value that was tried
        ({"/items": None, "/shop": 5}, None),
        ({"/items": [{"id": "\ud800"}]}, None),
        ({"/items": [{"id": ".."}]}, None),
        ({"/items": [{"id": "a\r\nb"}]}, None),
    ],
)
def test_an_id_is_the_first_of_the_list_above(
    answers: dict[str, Any], path: str | None
) -> None:
    request = get("/items/{item_id}/parts", "/items/1/parts")
    assert path_with_ids(request, answers) == (path and (path,))


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("/reset/{token}", {"/me": {"token": "s3cr3t-live-9a8b7c6d5e4f"}}),
        ("/keys/{key_id}", {"/keys": [{"id": "sk-live-9a8b7c6d5e4f3a2b1c0d"}]}),
        ("/keys/{api_key}", {"/keys": [{"api_key": "abc"}]}),
    ],
)
def test_a_secret_is_no_id(name: str, answers: dict[str, Any]) -> None:
    request = get(name, name.partition("{")[0] + "1")
    assert path_with_ids(request, answers) is None


def test_each_parameter_has_its_own_id_and_the_query_stays() -> None:
    request = get("/a b/{id}/c/v{id}", "/a%20b/1/c/v2", "?q=", "5")
    answers = {"/a b": [{"id": 4}], "/a b/{id}/c": [{"id": 9}]}
    assert path_with_ids(request, answers) == ("/a%20b/4/c/v9", "?q=", "5")
    only_one = {"/a b": [{"key": 0, "name": "x"}]}
    assert path_with_ids(request, only_one) == ("/a%20b/x/c/v2", "?q=", "5")
    assert path_with_ids(get("/a", "/a"), answers) is None
    # The name and the path of a hostile document may not agree.
    many = "/" + "".join(f"{{{n}}}" for n in range(20))
    assert path_with_ids(get(many, "/" + "x" * 60), answers) is None
    assert path_with_ids(get("/a/{id}", "/a/1/2"), {"/a": [{"id": 4}]}) is None


def test_a_large_answer_is_searched_only_in_part() -> None:
    deep: Any = {"item_id": 3}
    for _ in range(200):
        deep = {"a": deep}
    request = get("/items/{item_id}", "/items/1")
    assert path_with_ids(request, {"/": deep}) == ("/items/3",)
    wide = {str(n): {"x": n} for n in range(2 * MAX_OBJECTS)} | {"y": {"item_id": 3}}
    assert path_with_ids(request, {"/": wide}) is None
    assert path_with_ids(request, {"/": ["x" * MAX_BYTES, {"item_id": 3}]}) is None


def client_of(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(answer), base_url="http://shop")


def shop(request: httpx.Request) -> httpx.Response:
    """Answer the list of users, the orders of user 4, and order 9 of that user."""
    answers: dict[str, Any] = {
        "/users": [{"id": 4}],
        "/users/4/orders": {"orders": [{"id": 9}]},
        "/users/4/orders/9": {"total": 5},
    }
    if request.url.path in answers:
        return httpx.Response(200, json=answers[request.url.path])
    return httpx.Response(404, json={"detail": "unknown"})


def test_ids_are_found_from_list_to_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_client", lambda url: client_of(shop))
    one = "/users/{user_id}/orders/{order_id}"
    requests = [
        get("/users", "/users"),
        get("/users/{user_id}/orders", "/users/1/orders"),
        get(one, "/users/1/orders/1"),
        get("/stock/{stock_id}", "/stock/1"),
    ]
    tasks = [Task(x.name, "", x.name, x) for x in requests]
    tried = trial.run("http://shop", tasks, in_order=False)
    assert [task.status for task in tried] == ["200", "200", "200", "404"]
    assert [bool(task.off) for task in tried] == [False, False, False, True]
    assert tried[2].request and tried[2].request.path.parts == ("/users/4/orders/9",)


def test_what_changes_data_is_not_sent_to_an_id_that_exists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        sent.append(f"{request.method} {request.url.path}")
        is_list = request.url.path == "/users"
        return httpx.Response(200 if is_list else 404, json=[{"id": 4}])

    monkeypatch.setattr(trial, "_client", lambda url: client_of(refuse))
    requests = [
        get("/users", "/users"),
        Request("DELETE", text("/users/1"), "/users/{user_id}"),
    ]
    trial.run("http://shop", [Task(x.name, "", x.name, x) for x in requests], False)
    assert sent[:2] == ["GET /users", "DELETE /users/1"] and "/4" not in "".join(sent)


def test_what_the_writes_delete_was_read_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = False

    def shop(request: httpx.Request) -> httpx.Response:
        nonlocal gone
        gone = gone or request.method == "POST"
        if request.url.path == "/users":
            return httpx.Response(200, json=[] if gone else [{"id": 4}])
        found = request.url.path == "/reset" or (
            request.url.path == "/users/4" and not gone
        )
        return httpx.Response(200 if found else 404, json={})

    monkeypatch.setattr(trial, "_client", lambda url: client_of(shop))
    requests = [
        Request("POST", text("/reset"), "/reset"),
        get("/users/{user_id}", "/users/1"),
        get("/users", "/users"),
    ]
    tasks = [Task(x.name, "", x.name, x) for x in requests]
    tried = trial.run("http://shop", tasks, in_order=False)
    assert tried[1].off == "it worked once; the second time it answered 404"
