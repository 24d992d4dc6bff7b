"""The response that a task sees: parsed only as far as the task reads it."""

import json
from collections.abc import Callable, Iterator, Mapping
from email.message import Message
from types import TracebackType
from typing import Any

from locust.exception import CatchResponseError, LocustError, ResponseError

from assay.load.lean.coding import decompressed
from assay.load.lean.errors import BadStatusError
from assay.load.lean.wire import Answer

Report = Callable[["LeanResponse", BaseException | None], None]

_ONLY_CAUGHT = (
    "pass catch_response=True and use a with statement to decide whether a request "
    "failed"
)


class Headers(Mapping[str, str]):
    """Header fields; names match in any case, and fields of one name are joined."""

    def __init__(self, head: bytes) -> None:
        """Parse a head with its status line."""
        self._fields: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}
        for line in head.decode("latin-1").split("\r\n")[1:]:
            name, colon, value = line.partition(":")
            if colon:
                key = name.strip().lower()
                self._names.setdefault(key, name.strip())
                self._fields.setdefault(key, []).append(value.strip())

    def __getitem__(self, name: str) -> str:
        """Return the value of a field."""
        return ", ".join(self._fields[name.lower()])

    def __contains__(self, name: object) -> bool:
        """Return whether there is a field of that name."""
        return isinstance(name, str) and name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        """Return the names as the server wrote them."""
        return iter(self._names.values())

    def __len__(self) -> int:
        """Return how many names there are."""
        return len(self._fields)

    def getlist(self, name: str) -> list[str]:
        """Return the values of a field one by one, for example of Set-Cookie."""
        return list(self._fields.get(name.lower(), ()))


class LeanResponse:
    """A server's answer, or the error that came instead of one.

    Attributes:
        status_code: The status of the answer; 0 if there was none.
        url: The requested address, before any redirect.
        method: The method of the request.
        error: The error of the request; None if it succeeded.
        encoding: The encoding of `text`; if None, the headers decide.
        js: The body as JSON, set by Locust's `rest`.
    """

    # These are class attributes, so that they cost no time: most tasks never read them.
    encoding: str | None = None
    js: Any = None
    _headers: Headers | None = None
    _content: bytes | None = None

    def __init__(
        self,
        method: str,
        url: str,
        answer: Answer | None,
        error: BaseException | None,
        keep: int,
    ) -> None:
        """Hold an answer.

        Args:
            method: The method of the request.
            url: The requested address.
            answer: The answer; None if there was none.
            error: The error of the request; None if it succeeded.
            keep: The largest number of bytes of a body that are kept.
        """
        self.method, self.url, self.error = method, url, error
        self.status_code = answer.status if answer is not None else 0
        self._answer, self._keep = answer, keep

    @property
    def ok(self) -> bool:
        """Whether there was an answer with a status below 400."""
        return self.error is None and 0 < self.status_code < 400

    @property
    def length(self) -> int:
        """Bytes of the body on the wire."""
        return self._answer.length if self._answer else 0

    @property
    def headers(self) -> Headers:
        """The header fields; none if there was no answer."""
        if self._headers is None:
            self._headers = Headers(self._answer.head if self._answer else b"")
        return self._headers

    @property
    def content(self) -> bytes | None:
        """The body, decompressed; None if there was no answer.

        Raises:
            LocustError: The body was too long to be kept, or cannot be decompressed.
        """
        if self._content is None and self._answer is not None:
            self._content = self._decoded(self._answer)
        return self._content

    @property
    def text(self) -> str | None:
        """The body as text; None if there was no answer."""
        content = self.content
        if content is None:
            return None
        encoding = self.encoding or self._charset()
        try:
            return content.decode(encoding, errors="replace")
        except LookupError:  # the server named an unknown encoding
            return content.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            ValueError: The body is not JSON.
        """
        return json.loads(self.content or b"")

    def raise_for_status(self) -> None:
        """Raise the request's error, if it has one, such as a status of 400 or more."""
        if self.error is not None:
            raise self.error

    def success(self) -> None:
        """Refuse: only a caught response can be changed.

        Raises:
            LocustError: Always.
        """
        raise LocustError(_ONLY_CAUGHT)

    def failure(self, reason: object) -> None:
        """Refuse: only a caught response can be changed.

        Raises:
            LocustError: Always.
        """
        raise LocustError(_ONLY_CAUGHT)

    def _charset(self) -> str:
        kind = self.headers.get("content-type", "")
        if "charset" not in kind.lower():
            return "utf-8"
        message = Message()
        message["content-type"] = kind
        return message.get_content_charset("utf-8")

    def _decoded(self, answer: Answer) -> bytes:
        if answer.length > self._keep:
            raise LocustError(
                f"the body has {answer.length:,} bytes, of which LeanHttpUser keeps "
                f"{self._keep:,}: set keep_body on the user to read it"
            )
        coding = self.headers.get("content-encoding", "").strip().lower()
        if not answer.body or coding in ("", "identity"):
            return answer.body
        try:
            return decompressed(answer.body, coding, self._keep)
        except ValueError as error:
            raise LocustError(f"{self.url}: {error}") from error


class CaughtResponse(LeanResponse):
    """A response that the task judges itself, in a with statement."""

    def __init__(
        self,
        method: str,
        url: str,
        answer: Answer | None,
        error: BaseException | None,
        keep: int,
        report: Report,
    ) -> None:
        """Hold an answer; `report` is called with the outcome of the request."""
        super().__init__(method, url, answer, error, keep)
        self._report = report
        self._judged = False
        self._verdict: BaseException | None = None

    def __enter__(self) -> "CaughtResponse":
        """Let the task judge."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Report the request as the task judged it, or else by its status.

        If the with block raised a `ResponseError`, this is the request's error. If the
        block raised another exception before it judged, the request is not reported.
        """
        if self._judged:
            self._report(self, self._verdict)
            return kind is None
        if isinstance(error, ResponseError):
            self._report(self, error)
            return True
        if error is not None:
            return False
        self._report(self, self.error)
        return True

    def success(self) -> None:
        """Count the request as successful, whatever its status."""
        self._judged, self._verdict = True, None

    def failure(self, reason: object) -> None:
        """Count the request as failed.

        Args:
            reason: An exception, or a text.
        """
        self._judged = True
        self._verdict = (
            reason if isinstance(reason, BaseException) else CatchResponseError(reason)
        )


def bad_status(status: int) -> BadStatusError | None:
    """Return the error of a status; None below 400."""
    return BadStatusError(f"status {status}") if status >= 400 else None
