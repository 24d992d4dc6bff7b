"""A local server that imitates the part of GitHub's API that comments need."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "the-token-of-the-job"
REPOSITORY = "owner/project"
BOT = "github-actions[bot]"
LIMIT = 65_536


@dataclass
class FakeGitHub:
    """The state of the server, and the requests that it has received.

    Attributes:
        comments: The comments of pull request 7, as the API returns them.
        pulls: The pull requests, as the API returns them.
        account: The account of the token; empty if GraphQL is refused.
        forbidden: Whether requests that write are answered with HTTP 403.
        limited: The message with which every request is answered, with HTTP 403 and
            no requests left; empty for none.
        failures: How many of the next requests fail with HTTP 502.
        requests: Method and path of each request with the right token.
        url: The URL of the server.
    """

    comments: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    account: str = BOT
    forbidden: bool = False
    limited: str = ""
    failures: int = 0
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def add(self, body: str, login: str = BOT) -> dict[str, Any]:
        """Add a comment by an account, and return it."""
        number = len(self.comments) + 1
        address = f"https://github.com/{REPOSITORY}/pull/7#issuecomment-{number}"
        comment = {
            "id": number,
            "body": body,
            "user": {"login": login},
            "html_url": address,
        }
        self.comments.append(comment)
        return comment

    def answer(self, method: str, target: str, content: Any) -> tuple[int, Any]:
        """Return the status and the body of the answer to a request."""
        address = urlsplit(target)
        self.requests.append(f"{method} {address.path}")
        path = address.path.removeprefix(f"/repos/{REPOSITORY}/")
        if self.failures:
            self.failures -= 1
            return 502, {"message": "Bad gateway"}
        if self.limited:
            return 403, {"message": self.limited}
        if method == "POST" and address.path == "/graphql":
            if not self.account:
                return 403, {"message": "Resource not accessible"}
            return 200, {"data": {"viewer": {"login": self.account}}}
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        start = (int(query.get("page", 1)) - 1) * int(query.get("per_page", 30))
        part = slice(start, start + int(query.get("per_page", 30)))
        if method == "GET" and path == "issues/7/comments":
            return 200, self.comments[part]
        if method == "GET" and path == "pulls":
            owner, _, branch = query["head"].partition(":")
            found = [
                pull
                for pull in self.pulls
                if pull["head"]["ref"] == branch
                and pull["head"]["repo"]["full_name"].startswith(f"{owner}/")
            ]
            return 200, found[part]
        if self.forbidden:
            return 403, {"message": "Resource not accessible by integration"}
        if content and len(content["body"]) > LIMIT:
            return 422, {"message": "Body is too long (maximum is 65536 characters)"}
        if method == "POST" and path == "issues/7/comments":
            return 201, self.add(content["body"], self.account or BOT)
        if match := re.fullmatch(r"issues/comments/(\d+)", path):
            comment = self.comments[int(match[1]) - 1]
            comment["body"] = content["body"]
            return 200, comment
        return 404, {"message": "Not Found"}


@contextmanager
def fake_github() -> Iterator[FakeGitHub]:
    """Run the server in a thread, and yield its state."""
    state = FakeGitHub()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = json.loads(self.rfile.read(length)) if length else None
            if self.headers.get("Authorization") == f"Bearer {TOKEN}":
                status, answer = state.answer(self.command, self.path, content)
            else:
                status, answer = 401, {"message": "Bad credentials"}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-RateLimit-Remaining", "0" if state.limited else "9")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
