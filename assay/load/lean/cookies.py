"""Cookies, at no cost for users who have none."""

import time
from email.message import Message
from http.cookiejar import Cookie, CookieJar
from typing import Any, cast
from urllib.request import Request

from assay.load.lean.response import Headers

CACHE_TIME = 1.0  # seconds; an expired cookie may be sent for this long
CACHE_SIZE = 1000  # URLs


class Jar(CookieJar):
    """A cookie jar that counts its changes."""

    def __init__(self) -> None:
        """Begin without cookies."""
        super().__init__()
        self.changes = 0
        # For each URL: the count of changes, the time and the header.
        self._headers: dict[str, tuple[int, float, str]] = {}

    def set_cookie(self, cookie: Cookie) -> None:
        """Add a cookie."""
        self.changes += 1
        super().set_cookie(cookie)

    def clear(
        self,
        domain: str | None = None,
        path: str | None = None,
        name: str | None = None,
    ) -> None:
        """Remove cookies."""
        self.changes += 1
        super().clear(domain, path, name)

    def header(self, url: str) -> str:
        """Return the Cookie header for a URL; empty if there is none to send."""
        if not self.changes:
            return ""
        changes, since, text = self._headers.get(url, (0, 0.0, ""))
        now = time.monotonic()
        if changes != self.changes or now - since > CACHE_TIME:
            request = Request(url)
            self.add_cookie_header(request)
            text = request.get_header("Cookie") or ""
            if len(self._headers) > CACHE_SIZE:
                self._headers.clear()
            self._headers[url] = self.changes, now, text
        return text

    def store(self, url: str, headers: Headers) -> None:
        """Store the cookies that came with an answer."""
        message = Message()
        for value in headers.getlist("set-cookie"):
            message["Set-Cookie"] = value
        self.extract_cookies(cast(Any, _Response(message)), Request(url))


class _Response:
    """The part of a response that http.cookiejar reads."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def info(self) -> Message:
        return self._message
