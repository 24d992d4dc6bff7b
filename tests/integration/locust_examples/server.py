"""A small service for the locustfiles in this folder: `python server.py 12`.

It listens on 12 free ports, each with its own sessions and counts, and prints the ports
as a JSON list. `GET /counted` returns the counts of a port, and is not counted itself.
"""

import asyncio
import itertools
import json
import re
import socket
import sys
import xmlrpc.client
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

import uvicorn

HTML = ("content-type", "text/html")
JSON = ("content-type", "application/json")


@dataclass
class Port:
    """The state of one port.

    Attributes:
        asked: The number of requests by method and path, without the query.
        tokens: The token of the form that each session has received.
        members: The name of each user who is logged in, by session.
        forwarded: All addresses in headers X-Forwarded-For.
        numbers: The next numbers of sessions and orders.
    """

    asked: Counter[str] = field(default_factory=Counter)
    tokens: dict[str, str] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    forwarded: set[str] = field(default_factory=set)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)


@dataclass(frozen=True)
class Asked:
    """One request."""

    port: Port
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def session(self) -> str:
        """The session in the cookie; empty if there is none."""
        cookie = SimpleCookie(self.headers.get("cookie", "")).get("session")
        return cookie.value if cookie else ""

    @property
    def sent(self) -> dict[str, Any]:
        """The body: a JSON object, or the fields of a form."""
        if not self.body:
            return {}
        if "json" in self.headers.get("content-type", ""):
            found = json.loads(self.body)
            return found if isinstance(found, dict) else {"value": found}
        return {name: values[0] for name, values in parse_qs(self.text).items()}

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    body: bytes = b"ok"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


def data(value: Any, status: int = 200, *headers: tuple[str, str]) -> Answer:
    return Answer(json.dumps(value).encode(), status, (JSON, *headers))


def page(*paths: str, body: str = "") -> Answer:
    links = "\n".join(f'<a class="onward" href="{path}">{path}</a>' for path in paths)
    text = f"<html><body>{body}{links}</body></html>"
    return Answer(text.encode(), headers=(HTML,))


def front(asked: Asked) -> Answer:
    return page(*(f"/chapter/{number}" for number in range(1, 4)))


def chapter(asked: Asked, number: str) -> Answer:
    return page(*(f"/chapter/{number}/part/{part}" for part in range(1, 3)))


def part(asked: Asked, chapter: str, part: str) -> Answer:
    return page()


def with_status(asked: Asked, code: str) -> Answer:
    return data({"status": int(code)}, int(code))


def form(asked: Asked) -> Answer:
    number = next(asked.port.numbers)
    session, token = f"s{number}", f"t{number}"
    asked.port.tokens[session] = token
    hidden = f'<form method="post"><input name="guard" value="{token}"></form>'
    shown = page(body=hidden)
    return Answer(shown.body, 200, (HTML, ("set-cookie", f"session={session}")))


def signed_in(asked: Asked) -> Answer:
    token = asked.port.tokens.pop(asked.session, None)
    if token is None or asked.sent.get("guard") != token:
        return page(body="no such form")
    asked.port.members[asked.session] = asked.sent.get("name", "")
    return Answer(b"", 303, (("location", "/home"),))


def login(asked: Asked) -> Answer:
    name, secret = asked.sent.get("name", ""), asked.sent.get("secret")
    if not name or secret != f"{name}-secret":
        return data({"message": "who are you?"}, 401)
    session = f"s{next(asked.port.numbers)}"
    asked.port.members[session] = name
    hello = {"message": f"Hello {name}"}
    return data(hello, 200, ("set-cookie", f"session={session}; Path=/"))


def home(asked: Asked) -> Answer:
    name = asked.port.members.get(asked.session)
    return data({"name": name}, 200 if name else 401)


def order(asked: Asked) -> Answer:
    if not asked.sent.get("item"):
        return data({"error": "nothing was ordered"})
    return data({"number": next(asked.port.numbers)})


def echo(asked: Asked) -> Answer:
    return data({"args": asked.query, "data": asked.sent, "text": asked.text})


def cached(asked: Asked, how: str) -> Answer:
    return Answer(headers=() if how == "none" else (("x-cache", how.upper()),))


def who(asked: Asked) -> Answer:
    address = asked.headers.get("x-forwarded-for", "")
    asked.port.forwarded.add(address)
    return data({"address": address})


def bytes_of(asked: Asked, size: str) -> Answer:
    return Answer(b"x" * int(size))


def remote_call(asked: Asked) -> Answer:
    numbers, name = xmlrpc.client.loads(asked.text)
    told: Any = xmlrpc.client.Fault(4, f"there is no {name}")
    if name == "add":
        told = (sum(int(str(number)) for number in numbers),)
    return Answer(xmlrpc.client.dumps(told, methodresponse=True).encode())


def nothing(asked: Asked) -> Answer:
    return data({"detail": "there is no such page"}, 404)


ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", r"/", front),
    ("GET", r"/chapter/(\d+)", chapter),
    ("GET", r"/chapter/(\d+)/part/(\d+)", part),
    ("GET", r"/(?:hello|world|figures|ping|icon|item|slow/\d+)", front),
    ("GET|POST", r"/status/(\d+)", with_status),
    ("GET", r"/form", form),
    ("POST", r"/form", signed_in),
    ("POST", r"/login", login),
    ("GET", r"/home", home),
    ("POST", r"/orders", order),
    ("GET|POST|PUT", r"/echo", echo),
    ("GET", r"/cached/(hit|miss|none)", cached),
    ("GET", r"/who", who),
    ("GET", r"/bytes/(\d+)", bytes_of),
    ("POST", r"/rpc", remote_call),
]


def answer(asked: Asked) -> Answer:
    """Return the answer to a request."""
    for method, pattern, tell in ROUTES:
        found = re.fullmatch(pattern, asked.path)
        if found and asked.method in method.split("|"):
            return tell(asked, *found.groups())
    return nothing(asked)


ports: dict[int, Port] = defaultdict(Port)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer one request."""
    port, path = ports[scope["server"][1]], scope["path"]
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if path == "/counted":
        told = data({"asked": port.asked, "forwarded": sorted(port.forwarded)})
    else:
        port.asked[f"{scope['method']} {path}"] += 1
        query = parse_qs(scope["query_string"].decode())
        told = answer(
            Asked(
                port,
                scope["method"],
                path,
                {name: values[0] for name, values in query.items()},
                {k.decode(): v.decode("latin-1") for k, v in scope["headers"]},
                body,
            )
        )
        if path.startswith("/slow/"):
            await asyncio.sleep(int(path.rpartition("/")[2]) / 1000)
    headers = [*told.headers, ("content-length", str(len(told.body)))]
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    start = {"type": "http.response.start", "status": told.status}
    await send(start | {"headers": encoded})
    await send({"type": "http.response.body", "body": told.body})


def main(count: int) -> None:
    """Serve on this many free ports until the process is ended."""
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    for each in listening:  # asyncio does not set it, and bodies came 40 ms late
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(json.dumps([each.getsockname()[1] for each in listening]), flush=True)
    config = uvicorn.Config(app, log_level="warning", lifespan="off")
    asyncio.run(uvicorn.Server(config).serve(sockets=listening))


if __name__ == "__main__":
    main(int(sys.argv[1]))
