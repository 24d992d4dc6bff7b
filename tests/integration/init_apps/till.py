"""A Starlette service without an OpenAPI document, with a login and orders."""

import json
import os
import secrets
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

SECURE = os.environ.get("SECURE") == "1"
SESSIONS: dict[str, str] = {}
TOKENS: set[str] = set()
ORDERS: dict[int, str] = {}


async def home(request: Request) -> Response:
    """Return a page, and a cookie against forged requests."""
    answer = PlainTextResponse("<h1>Till</h1>", media_type="text/html")
    answer.set_cookie("csrftoken", secrets.token_hex(8))
    return answer


async def style(request: Request) -> Response:
    """Return a static asset."""
    return PlainTextResponse("h1 {}", media_type="text/css")


async def login(request: Request) -> Response:
    """Log in: the answer has a token, and sets a session."""
    form = await request.json()
    if form != {"user": "ada", "password": "s3cret-pass"}:
        return Response(status_code=401)
    session, token = secrets.token_hex(16), secrets.token_hex(20)
    SESSIONS[session] = "ada"
    TOKENS.add(token)
    answer = JSONResponse({"auth": {"access_token": token}, "name": "ada"})
    answer.set_cookie("session", session, secure=SECURE)
    return answer


def _allowed(request: Request) -> bool:
    return (
        request.cookies.get("session") in SESSIONS
        and request.headers.get("authorization", "").removeprefix("Bearer ") in TOKENS
    )


async def order(request: Request) -> Response:
    """Place an order, if the request has a login and the right CSRF token."""
    same = request.headers.get("x-csrf-token") == request.cookies.get("csrftoken")
    if not _allowed(request) or not same:
        return Response(status_code=403)
    number = 1000 + len(ORDERS) * 7
    ORDERS[number] = json.dumps(await request.json())
    return JSONResponse({"id": number}, status_code=201)


async def read(request: Request) -> Response:
    """Return an order."""
    number = int(request.path_params["number"])
    if not _allowed(request) or number not in ORDERS:
        return Response(status_code=404)
    return JSONResponse({"id": number})


async def pay(request: Request) -> Response:
    """Pay an order with a form, and redirect to it."""
    form = dict(parse_qsl((await request.body()).decode()))
    if not _allowed(request) or int(form["order_id"]) not in ORDERS:
        return Response(status_code=404)
    return RedirectResponse(f"/orders/{form['order_id']}", status_code=303)


async def forget(request: Request) -> Response:
    """Delete an order."""
    ORDERS.pop(int(request.path_params["number"]), None)
    return Response(status_code=204)


app = Starlette(
    routes=[
        Route("/", home),
        Route("/style.css", style),
        Route("/login", login, methods=["POST"]),
        Route("/orders", order, methods=["POST"]),
        Route("/orders/{number}", read),
        Route("/orders/{number}", forget, methods=["DELETE"]),
        Route("/pay", pay, methods=["POST"]),
    ]
)
