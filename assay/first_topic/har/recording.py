"""Read a HAR file, and keep only the requests to the service itself."""

import base64
import binascii
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from assay.errors import InputError
from assay.first_topic.openapi.document import mapping, read_json
from assay.first_topic.request import Json
from assay.wording import counted, one_line

MAX_PROBLEMS = 20
ASSET_KINDS = frozenset({"image", "stylesheet", "script", "font", "media", "manifest"})
ASSET_TYPES = ("image/", "font/", "video/", "audio/", "text/css", "application/wasm")
ASSET_SCRIPTS = ("javascript", "ecmascript", "x-font", "manifest+json")
ASSET_ENDINGS = (
    *(".js", ".mjs", ".css", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico"),
    *(".webp", ".avif", ".woff", ".woff2", ".ttf", ".otf", ".eot", ".mp4", ".webm"),
    *(".mp3", ".wasm", ".webmanifest"),
)


@dataclass(frozen=True)
class Part:
    """A field or a file of a form."""

    name: str
    value: str
    file_name: str = ""
    media_type: str = ""


@dataclass(frozen=True)
class Entry:
    """One request of a recording, and its answer.

    Attributes:
        method: The method, in capitals.
        url: The URL, without a user and a password.
        headers: Names and values, as they were sent.
        body: The body as text; empty if the recording has none.
        media_type: The media type of the body; empty if it is unknown.
        parts: The fields and files of a form, if the recording has them.
        status: The status of the answer; 0 if there was none.
        answer: The JSON of the answer; None if it was not JSON.
        set_cookies: The values of the cookies that the answer sets, by name.
        location: The URL that the answer redirects to; empty if it does not redirect.
        is_asset: Whether the answer is a static asset, such as an image or a script.
    """

    method: str
    url: SplitResult
    headers: tuple[tuple[str, str], ...]
    body: str
    media_type: str
    parts: tuple[Part, ...]
    status: int
    answer: Json
    set_cookies: Mapping[str, str]
    location: str
    is_asset: bool


@dataclass(frozen=True)
class Recording:
    """What is kept of a HAR file.

    Attributes:
        host: Host and port of the service.
        entries: The requests to the service, in their order.
        left_out: The kinds of entries that were left out, with their numbers, as text;
            empty if nothing was left out.
    """

    host: str
    entries: tuple[Entry, ...]
    left_out: str


def read(file: Path, host: str = "") -> Recording:
    """Return the requests of a recording that go to one service.

    Args:
        file: The HAR file.
        host: Host and port of the service, if it is known. If the recording has no
            request to it, the service is the host with the most requests.

    Raises:
        InputError: The file cannot be read or is no HAR file, an entry has a mistake,
            or no request is left.
    """
    try:
        content = read_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"--from-har: {file} cannot be read: {error}") from error
    except ValueError as error:
        raise InputError(
            f"{file}: expected a HAR file, which is JSON: {error}; was the whole file "
            "saved?"
        ) from error
    written = mapping(mapping(content).get("log")).get("entries")
    if not isinstance(written, list):
        raise InputError(
            f"{file}: log.entries: expected a list of requests; a HAR file is what the "
            "network tab of a browser saves with all content"
        )
    problems: list[str] = []
    entries = [
        entry
        for index, one in enumerate(written)
        if (entry := _Reader(one, f"log.entries[{index}]", problems).entry())
    ]
    if problems:
        more = len(problems) - MAX_PROBLEMS
        lines = [f"{file}: {problem}" for problem in problems[:MAX_PROBLEMS]]
        lines += [f"and {counted(more, 'more mistake')}"] if more > 0 else []
        raise InputError("\n".join(lines))
    return _of_service(entries, len(written) - len(entries), host, file)


def _of_service(
    entries: Sequence[Entry], no_http: int, host: str, file: Path
) -> Recording:
    hosts = Counter(entry.url.netloc for entry in entries if not entry.is_asset)
    if not hosts:
        raise InputError(
            f"{file}: no request is left: all of its "
            f"{counted(len(entries), 'entry', 'entries')} are static assets; record "
            "while the service is used"
        )
    chosen = host if host in hosts else max(hosts, key=lambda one: hosts[one])
    to_host = [entry for entry in entries if entry.url.netloc == chosen]
    kept = [entry for entry in to_host if not entry.is_asset]
    answered = [entry for entry in kept if entry.status > 0]
    asked = [entry for entry in answered if entry.method not in ("OPTIONS", "CONNECT")]
    final = _without_redirected(asked)
    counts = {
        "of other hosts": len(entries) - len(to_host),
        "of static assets": len(to_host) - len(kept),
        "without an answer": len(kept) - len(answered),
        "preflights": len(answered) - len(asked),
        "that redirects lead to": len(asked) - len(final),
        "that are not HTTP": no_http,
    }
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    if not final:
        raise InputError(f"{file}: no request is left; left out: {', '.join(parts)}")
    return Recording(chosen, tuple(final), ", ".join(parts))


def _without_redirected(entries: Sequence[Entry]) -> list[Entry]:
    """Leave out requests that the client makes itself when it follows a redirect."""
    kept: list[Entry] = []
    expected = ""
    for entry in entries:
        url = entry.url._replace(fragment="").geturl()
        if not (expected and entry.method in ("GET", "HEAD") and url == expected):
            kept.append(entry)
        location = urljoin(url, entry.location) if entry.location else ""
        expected = location.partition("#")[0]
    return kept


class _Reader:
    """Reads one entry, and adds its mistakes to a list of problems."""

    def __init__(self, content: object, place: str, problems: list[str]) -> None:
        self._content = mapping(content)
        self._place = place
        self._problems = problems

    def entry(self) -> Entry | None:
        """Return the entry; None if it is no HTTP request, or has problems."""
        before = len(self._problems)
        request = mapping(self._content.get("request"))
        response = mapping(self._content.get("response"))
        url = self._url(request.get("url"))
        method = request.get("method")
        if not isinstance(method, str) or not method.isalpha():
            self._problem("request.method", "expected a method such as GET", method)
        body, media_type, parts = self._body(mapping(request.get("postData")))
        headers = self._headers(request.get("headers"), "request.headers")
        answer = self._answer(mapping(response.get("content")))
        answered = self._headers(response.get("headers"), "response.headers")
        if len(self._problems) > before or url is None:
            return None
        status = response.get("status")
        location = next((v for n, v in answered if n.lower() == "location"), "")
        return Entry(
            method=str(method).upper(),
            url=url,
            headers=headers,
            body=body,
            media_type=media_type,
            parts=parts,
            status=status if isinstance(status, int) else 0,
            answer=answer,
            set_cookies=_set_cookies(answered, response.get("cookies")),
            location=location if status in (301, 302, 303, 307, 308) else "",
            is_asset=self._is_asset(url, mapping(response.get("content"))),
        )

    def _url(self, written: object) -> SplitResult | None:
        if not isinstance(written, str):
            self._problem("request.url", "expected a URL", written)
            return None
        try:
            url = urlsplit(written)
            _ = url.port
        except ValueError:
            self._problem("request.url", "expected a URL", written)
            return None
        if url.scheme not in ("http", "https"):
            return None  # data:, blob:, WebSockets, extensions of the browser
        if not url.hostname:
            self._problem("request.url", "expected a URL with a host", written)
            return None
        host = url.netloc.rpartition("@")[2]  # a user and a password are secrets
        return url._replace(netloc=host)

    def _body(self, data: Mapping[str, Any]) -> tuple[str, str, tuple[Part, ...]]:
        text, media_type = data.get("text"), data.get("mimeType")
        written = data.get("params")
        parts = tuple(
            Part(
                name=str(one.get("name")),
                value=str(one.get("value") or ""),
                file_name=str(one.get("fileName") or ""),
                media_type=str(one.get("contentType") or ""),
            )
            for one in (written if isinstance(written, list) else ())
            if isinstance(one, dict)
        )
        body = text if isinstance(text, str) else ""
        if body and data.get("encoding") == "base64":
            body = self._decoded(body, "request.postData.text").decode("latin-1")
        return body, media_type if isinstance(media_type, str) else "", parts

    def _answer(self, content: Mapping[str, Any]) -> Json:
        text = content.get("text")
        if not isinstance(text, str):
            return None
        raw: str | bytes = text
        if content.get("encoding") == "base64":
            raw = self._decoded(text, "response.content.text")
        try:
            return read_json(raw)
        except ValueError:
            return None  # HTML, or cut off by the browser

    def _decoded(self, text: str, key: str) -> bytes:
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            self._problems.append(
                f"{self._place}.{key}: expected base64, as its `encoding` says: {error}"
            )
            return b""

    def _headers(self, written: object, key: str) -> tuple[tuple[str, str], ...]:
        if written is None:
            return ()
        if not isinstance(written, list):
            self._problem(key, "expected a list of headers", written)
            return ()
        return tuple(
            (one["name"], one["value"])
            for one in written
            if isinstance(one, dict)
            and isinstance(one.get("name"), str)
            and isinstance(one.get("value"), str)
        )

    def _is_asset(self, url: SplitResult, content: Mapping[str, Any]) -> bool:
        """Return whether the entry is a static asset.

        The entry's resource type, the answer's media type or the path shows it.
        """
        kind = str(self._content.get("_resourceType", "")).lower()
        media_type = str(content.get("mimeType", "")).lower()
        return (
            kind in ASSET_KINDS
            or media_type.startswith(ASSET_TYPES)
            or any(word in media_type for word in ASSET_SCRIPTS)
            or url.path.lower().endswith(ASSET_ENDINGS)
        )

    def _problem(self, key: str, expected: str, written: object) -> None:
        got = "nothing" if written is None else one_line(repr(written))[:60]
        self._problems.append(f"{self._place}.{key}: {expected}, got {got}")


def _set_cookies(headers: Sequence[tuple[str, str]], written: object) -> dict[str, str]:
    """Return the cookies that an answer sets, by its headers and its cookie list."""
    cookies = {
        str(one.get("name")): str(one.get("value"))
        for one in (written if isinstance(written, list) else ())
        if isinstance(one, dict)
    }
    for name, value in headers:
        if name.lower() == "set-cookie":
            # Firefox puts several cookies into one header, each on its own line.
            for line in value.splitlines():
                pair = line.partition(";")[0]
                key, equals, content = pair.partition("=")
                if equals:
                    cookies[key.strip()] = content.strip()
    return cookies
