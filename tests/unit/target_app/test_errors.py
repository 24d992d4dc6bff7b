import asyncio

import httpx
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from target_app.core.errors import AppError, setup_error_handlers


def service() -> FastAPI:
    app = FastAPI()
    setup_error_handlers(app)

    @app.get("/app")
    def app_error() -> None:
        raise AppError("No such user", 404, {"user_id": 7})

    @app.get("/http")
    def http_error() -> None:
        raise HTTPException(418, "I am a teapot")

    @app.get("/bug")
    def bug() -> None:
        raise RuntimeError("password=hidden")

    @app.get("/number")
    def number(value: int) -> int:
        return value

    return app


def answer(path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=service(), raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://target"
        ) as client:
            return await client.get(path)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/app", 404, "No such user"),
        ("/http", 418, "I am a teapot"),
        ("/bug", 500, "Internal server error"),
        ("/number?value=many", 422, "Validation error"),
        ("/nowhere", 404, "Not Found"),
    ],
)
def test_every_error_has_one_shape(path: str, status: int, message: str) -> None:
    response = answer(path)
    assert response.status_code == status
    assert set(response.json()) == {"error"}
    assert set(response.json()["error"]) == {"message", "data"}
    assert response.json()["error"]["message"] == message


def test_errors_have_details_and_a_bug_reveals_nothing() -> None:
    assert answer("/app").json()["error"]["data"] == {"user_id": 7}
    details = answer("/number?value=many").json()["error"]["data"]["details"]
    assert details[0]["where"] == ["query", "value"]
    assert "hidden" not in answer("/bug").text
