"""Cookies, at no cost where there are none."""

import time
from email.message import Message
from http.cookiejar import Cookie, CookieJar
from typing import Any, cast
from urllib.request import Request

from assay.load.lean.response import Headers

REMEMBERED = 1.0  # seconds: a cookie that expires is sent for so long at most


class Jar(CookieJar):
    """A cookie jar that says when it was changed."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self.changes = 0
        self._headers: dict[str, tuple[int, float, str]] = {}

    def set_cookie(self, cookie: Cookie) -> None:
        """Put one in."""
        self.changes += 1
        super().set_cookie(cookie)

    def clear(
        self,
        domain: str | None = None,
        path: str | None = None,
        name: str | None = None,
    ) -> None:
        """Take some out."""
        self.changes += 1
        super().clear(domain, path, name)

    def header(self, url: str) -> str:
        """Return the Cookie header for an address; empty if there is none to send."""
        if not self.changes:
            return ""
        changes, since, text = self._headers.get(url, (0, 0.0, ""))
        now = time.monotonic()
        if changes != self.changes or now - since > REMEMBERED:
            request = Request(url)
            self.add_cookie_header(request)
            text = request.get_header("Cookie") or ""
            if len(self._headers) > 1000:
                self._headers.clear()
            self._headers[url] = self.changes, now, text
        return text

    def take(self, url: str, headers: Headers) -> None:
        """Take the cookies that came with an answer."""
        message = Message()
        for value in headers.getlist("set-cookie"):
            message["Set-Cookie"] = value
        self.extract_cookies(cast(Any, _Answered(message)), Request(url))


class _Answered:
    """What http.cookiejar asks of a response."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def info(self) -> Message:
        return self._message
