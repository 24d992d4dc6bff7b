"""Ids that exist, from the answers of a service."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from assay.first_topic import trial
from assay.first_topic.ids import MAX_ID, with_ids
from assay.first_topic.request import Request, Task, text


def get(name: str, path: str, *query: str) -> Request:
    return Request("GET", text(path, *query), name)


@pytest.mark.parametrize(
    ("answers", "path"),
    [
        ({"/items": [{"id": 7, "name": "a"}, {"id": 8}]}, "/items/7/parts"),
        (
            {"/items/": {"total": 2, "items": [{"item_id": "x/1"}]}},
            "/items/x%2F1/parts",
        ),
        ({"/items": ["red", "blue"]}, "/items/red/parts"),
        # A field of the same name in any answer.
        ({"/shop": {"best": {"item_id": 3}}}, "/items/3/parts"),
        # An id of something else is none of an item.
        ({"/users": [{"id": 7}]}, None),
        ({"/items": []}, None),
        ({"/items": [{"id": True}, {"id": 7}]}, None),
        ({"/items": [{"id": "x" * (MAX_ID + 1)}]}, None),
        ({"/items": [{"id": 1}]}, None),  # the value that was tried
        ({"/items": None, "/shop": 5}, None),
    ],
)
def test_an_id_is_the_first_of_the_list_above(
    answers: dict[str, Any], path: str | None
) -> None:
    request = with_ids(get("/items/{item_id}/parts", "/items/1/parts"), answers)
    assert (request and request.path.parts) == (path and (path,))


def test_each_parameter_has_its_own_id_and_the_query_stays() -> None:
    request = get("/a b/{x}/c/{y}", "/a%20b/1/c/2", "?q=", "5")
    answers = {"/a b": [{"id": 4}], "/a b/{x}/c": [{"id": 9}]}
    other = with_ids(request, answers)
    assert other and other.path.parts == ("/a%20b/4/c/9", "?q=", "5")
    only_one = with_ids(request, {"/a b": [{"id": 4}]})
    assert only_one and only_one.path.parts[0] == "/a%20b/4/c/2"
    assert with_ids(get("/a", "/a"), answers) is None


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
