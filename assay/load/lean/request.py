"""Turn the request of a task into the bytes that are sent."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode, urlsplit

# Characters that a request target may contain; all others are percent-encoded.
_SAFE = "!#$%&'()*+,/:;=?@[]~-._"
_PORTS = {"http": 80, "https": 443}

Auth = tuple[str | bytes, str | bytes]


class Origin(NamedTuple):
    """The server that connections go to."""

    secure: bool
    host: str
    port: int


@dataclass(frozen=True)
class Address:
    """The address that a request goes to.

    Attributes:
        url: The URL to show, without a name and a password.
        origin: The server.
        target: Path and query, percent-encoded.
        host: The Host header.
        auth: The Authorization header for a name and password in the address; empty if
            the address has none.
    """

    url: str
    origin: Origin
    target: str
    host: str
    auth: str


def parse_address(url: str) -> Address:
    """Parse an absolute URL.

    Raises:
        ValueError: The URL is not an http or https address.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is not an http:// or https:// address")
    port = parts.port or _PORTS[parts.scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    auth = ""
    if parts.username is not None:
        auth = basic_auth((unquote(parts.username), unquote(parts.password or "")))
    host = parts.netloc.rpartition("@")[2]
    return Address(
        url=parts._replace(netloc=host).geturl(),
        origin=Origin(parts.scheme == "https", parts.hostname, port),
        target=quote(path, safe=_SAFE),
        host=host,
        auth=auth,
    )


def with_params(url: str, params: Mapping[str, Any] | None) -> str:
    """Return a URL with parameters added to its query."""
    if not params:
        return url
    url, _, fragment = url.partition("#")
    join = "&" if "?" in url else "?"
    return f"{url}{join}{urlencode(params, doseq=True)}" + (fragment and f"#{fragment}")


def basic_auth(auth: Auth) -> str:
    """Return the Authorization header of a name and a password."""
    name, password = (
        part.encode("utf-8") if isinstance(part, str) else part for part in auth
    )
    return "Basic " + b64encode(name + b":" + password).decode("ascii")


def body(data: object, as_json: object) -> tuple[bytes, dict[str, str]]:
    """Return a request's body, and the headers that go with it.

    Args:
        data: Text, bytes, or fields of a form.
        as_json: A value that is sent as JSON if there is no data.

    Raises:
        TypeError: The data is of a type that cannot be sent.
    """
    if not data and as_json is not None:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return json.dumps(as_json).encode("utf-8"), headers
    if data is None:
        return b"", {}
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data), {}
    if isinstance(data, str):
        return data.encode("utf-8"), {}
    if isinstance(data, Mapping) or _is_pairs(data):
        form = urlencode(data, doseq=True)  # type: ignore[arg-type]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return form.encode("ascii"), headers
    raise TypeError(
        f"data: LeanHttpUser sends text, bytes or a form, not {type(data).__name__}; "
        "use FastHttpUser for files and streams"
    )


def head(
    method: str, address: Address, headers: Mapping[str, str], length: int
) -> bytes:
    """Return a request's head.

    Args:
        method: GET, for example.
        address: The address that the request goes to.
        headers: All header fields but Host and Content-Length.
        length: Bytes of the body.

    Raises:
        ValueError: A header contains a line break, which would begin another header.
    """
    lines = [f"{method} {address.target} HTTP/1.1", f"Host: {address.host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if length or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {length}")
    for line in lines:
        if "\r" in line or "\n" in line:
            raise ValueError(f"a line break within the header {line!r}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Fields(dict[str, str]):
    """Header fields to send; names that differ only in case count as the same."""

    def __init__(self, *sources: Mapping[str, Any] | None) -> None:
        """Merge fields from several sources; later sources override earlier sources."""
        super().__init__()
        spellings: dict[str, str] = {}
        for source in sources:
            for name, value in (source or {}).items():
                before = spellings.get(name.lower())
                if before is not None:
                    del self[before]
                spellings[name.lower()] = name
                self[name] = value if isinstance(value, str) else _to_text(value)


def _to_text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _is_pairs(data: object) -> bool:
    return isinstance(data, list | tuple) and all(
        isinstance(item, tuple) and len(item) == 2 for item in data
    )
