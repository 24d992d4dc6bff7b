"""Connections to a server by its URL, without a driver, to check that it answers."""

import contextlib
import re
import socket
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from assay.errors import MeasureError

ANSWER_SECONDS = 5.0


def redacted(url: str) -> str:
    """Return the URL without its password."""
    # The text is hidden up to the last @: special characters in a password should be
    # quoted, but an unquoted @ must not reveal the rest of the password.
    hidden = re.sub(r"(?s)^([^:/?#]+://[^:@/?#]*):.*@", r"\1:***@", url)
    return re.sub(r"(?i)([?&](?:ssl)?password=)[^&#]*", r"\1***", hidden)


def parse_url(variable: str, url: str, schemes: tuple[str, ...]) -> SplitResult:
    """Parse a URL.

    Raises:
        MeasureError: The text is not a URL, or has another scheme.
    """
    hint = f"expected {schemes[0]}://user:password@host:port/name"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise MeasureError(f"{variable} {redacted(url)}: {error}; {hint}") from None
    # SQLAlchemy's URLs also name a driver: postgresql+asyncpg.
    if parts.scheme.partition("+")[0] not in schemes:
        raise MeasureError(f"{variable} {redacted(url)}: {hint}")
    return parts


@contextlib.contextmanager
def reporting_errors(variable: str, url: str) -> Iterator[None]:
    """Turn a connection's OSError into a MeasureError that names the URL."""
    try:
        yield
    except OSError as error:
        raise MeasureError(
            f"{variable} {redacted(url)}: no answer: {error.strerror or error}; "
            f"start that server, or unset {variable} to have one started"
        ) from error


def connect(host: str, port: int, path: str | None) -> socket.socket:
    """Connect to a host and port, or to a Unix socket if there is a path."""
    if path is None:
        return socket.create_connection((host, port), ANSWER_SECONDS)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_SECONDS)
    connection.connect(path)
    return connection


def printable(answer: bytes) -> str:
    """Return a server's answer without characters that control a terminal."""
    text = answer.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()
