"""The client of a `LeanHttpUser`."""

import contextlib
import importlib.util
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urljoin

from gevent import getcurrent
from locust.exception import LocustError
from locust.user.users import User

from assay.load.lean import request as requests
from assay.load.lean.cookies import Jar
from assay.load.lean.errors import (
    BadResponseError,
    ConnectionClosedError,
    TooManyRedirectsError,
    WireError,
)
from assay.load.lean.request import Address, Fields, Origin
from assay.load.lean.response import CaughtResponse, Headers, LeanResponse, bad_status
from assay.load.lean.wire import Answer, Connection
from assay.load.protocol import MAX_SIZE

REDIRECTS = frozenset((301, 302, 303, 307, 308))
# Methods that do no harm if they are sent twice (RFC 9110, section 9.2.2).
IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))
MAX_IDLE = 0.5  # seconds; a connection that was idle for longer is checked first
ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
MAX_CACHED = 1000  # requests that are kept as bytes
REFUSED = {
    "stream": "streaming an answer",
    "files": "uploading files",
    "verify": "verify= (set insecure on the user)",
    "cert": "client certificates (set ssl_context_factory on the user)",
    "timeout": "a timeout for one request (set network_timeout on the user)",
    "proxies": "proxies",
    "hooks": "hooks",
}


class Prepared(NamedTuple):
    """A request, ready to be sent.

    Attributes:
        address: The address that the request goes to.
        message: All bytes of the request.
        body: The bytes of its body.
        headers: The headers of this request alone.
        idle: The idle connections to its server.
    """

    address: Address
    message: bytes
    body: bytes
    headers: Mapping[str, Any]
    idle: list[Connection]


class Options(NamedTuple):
    """The options of all requests of a user: see `LeanHttpUser`."""

    connect_timeout: float
    answer_timeout: float
    max_redirects: int
    keep: int
    headers: Mapping[str, str]
    context: Callable[[], ssl.SSLContext]


class LeanHttpSession:
    """Sends the requests of one user, most of them to one server.

    Attributes:
        base_url: The URL that paths are added to.
        cookiejar: The user's cookies.
        request_name: The name of requests that are sent without one; None for their
            URL.
        reconnects: How often a connection that the server had closed was opened again.
    """

    def __init__(self, base_url: str, user: User, options: Options) -> None:
        """Prepare the session; connections are opened when they are needed.

        Raises:
            ValueError: `base_url` is not an http or https address.
        """
        base = requests.parse_address(base_url)
        self.base_url = base.url.rstrip("/")
        self.cookiejar = Jar()
        self.request_name: str | None = None
        self.reconnects = 0
        self.user = user
        self._options = options
        codings = "gzip, deflate"
        if importlib.util.find_spec("brotli"):
            codings += ", br"
        self._headers = Fields(
            {"User-Agent": "Assay", "Accept": "*/*", "Accept-Encoding": codings},
            {"Authorization": base.auth} if base.auth else {},
            options.headers,
        )
        self._event = user.environment.events.request
        self._idle: dict[Origin, list[Connection]] = {}
        self._cache: dict[tuple[str, str], Prepared] = {}  # by method and URL

    def get(self, url: str, **options: Any) -> LeanResponse:
        """Send a GET request; see `request`."""
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Any) -> LeanResponse:
        """Send a HEAD request; see `request`."""
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Any) -> LeanResponse:
        """Send an OPTIONS request; see `request`."""
        return self.request("OPTIONS", url, **options)

    def delete(self, url: str, **options: Any) -> LeanResponse:
        """Send a DELETE request; see `request`."""
        return self.request("DELETE", url, **options)

    def post(
        self, url: str, data: Any = None, json: Any = None, **options: Any
    ) -> LeanResponse:
        """Send a POST request; see `request`."""
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url: str, data: Any = None, **options: Any) -> LeanResponse:
        """Send a PUT request; see `request`."""
        return self.request("PUT", url, data=data, **options)

    def patch(self, url: str, data: Any = None, **options: Any) -> LeanResponse:
        """Send a PATCH request; see `request`."""
        return self.request("PATCH", url, data=data, **options)

    def trace(self, url: str, **options: Any) -> LeanResponse:
        """Send a TRACE request; see `request`."""
        return self.request("TRACE", url, **options)

    @contextlib.contextmanager
    def rename_request(self, name: str) -> Iterator[None]:
        """Give all requests within a with statement one name."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None

    def request(
        self,
        method: str,
        url: str,
        name: str | None = None,
        data: Any = None,
        catch_response: bool = False,
        headers: Mapping[str, Any] | None = None,
        auth: requests.Auth | None = None,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        allow_redirects: bool = True,
        context: Mapping[str, Any] | None = None,
        **other: Any,
    ) -> LeanResponse:
        """Send a request and return its answer, whatever its status.

        Args:
            method: GET, for example.
            url: A path on the user's host, or a whole address.
            name: The name under which the request is counted; `url` if not given.
            data: Text, bytes, or the fields of a form.
            catch_response: Whether a with statement judges the answer.
            headers: Headers in addition to the user's default headers.
            auth: Name and password for HTTP's basic authentication.
            json: A value that is sent as JSON if there is no `data`.
            params: Parameters that are added to the query.
            allow_redirects: Whether redirects are followed.
            context: Data for listeners of Locust's request event.
            other: Options of Locust's other clients, which this client refuses.

        Raises:
            TypeError: An option is not known, or `data` cannot be sent.
            LocustError: An option exists only for `FastHttpUser` or `HttpUser`.
            ValueError: The address is invalid, or a header has a line break.
        """
        if other:
            _refuse(other)
        if data is None and json is None and not (headers or auth or params):
            prepared = self._cached(method, url)
        else:
            prepared = self._build(method, url, data, json, headers, auth, params)
        began = time.perf_counter()
        answer, error, ended = self._exchange(method, prepared, began, allow_redirects)
        name = name or self.request_name or url
        shown, keep = prepared.address.url, self._options.keep
        if catch_response:
            report = partial(self._report, method, name, began, ended, context)
            return CaughtResponse(method, shown, answer, error, keep, report)
        response = LeanResponse(method, shown, answer, error, keep)
        self._report(method, name, began, ended, context, response, error)
        return response

    def _cached(self, method: str, url: str) -> Prepared:
        """Return the request for a method and a URL alone, from the cache if possible.

        Once the user has had a cookie, the cache is not used: cookies can change.
        """
        if self.cookiejar.changes:
            return self._build(method, url)
        prepared = self._cache.get((method, url))
        if prepared is None:
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            prepared = self._cache[method, url] = self._build(method, url)
        return prepared

    def _build(
        self,
        method: str,
        url: str,
        data: Any = None,
        json: Any = None,
        headers: Mapping[str, Any] | None = None,
        auth: requests.Auth | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Prepared:
        """Prepare a request; see `request` for its parts."""
        absolute = url if ABSOLUTE.match(url) else self.base_url + url
        address = requests.parse_address(requests.with_params(absolute, params))
        body, body_headers = requests.body(data, json)
        if auth:
            body_headers["Authorization"] = requests.basic_auth(auth)
        return self._prepare(method, address, body, Fields(body_headers, headers))

    def _prepare(
        self,
        method: str,
        address: Address,
        body: bytes,
        headers: Mapping[str, Any],
        secrets: bool = True,
    ) -> Prepared:
        """Prepare a request with the user's cookies and headers.

        Args:
            method: GET, for example.
            address: The address that the request goes to.
            body: The body.
            headers: The headers of this request alone.
            secrets: Whether the user's password may be sent to this address.
        """
        cookies = self.cookiejar.header(address.url)
        shared = self._headers if secrets else _without(self._headers, "authorization")
        fields = Fields({"Cookie": cookies} if cookies else {}, shared, headers)
        message = requests.head(method, address, fields, len(body)) + body
        idle = self._idle.setdefault(address.origin, [])
        return Prepared(address, message, body, headers, idle)

    def _exchange(
        self, method: str, prepared: Prepared, began: float, allow_redirects: bool
    ) -> tuple[Answer | None, BaseException | None, float]:
        """Send a request; return its answer, its error, and when it ended."""
        answer: Answer | None = None
        try:
            answer = self._send(method, prepared, began)
            if answer.status in REDIRECTS and allow_redirects:
                answer = self._follow(method, prepared, answer)
            return answer, bad_status(answer.status), answer.received
        except (OSError, WireError) as error:
            return answer, error, time.perf_counter()

    def _send(self, method: str, prepared: Prepared, now: float) -> Answer:
        """Send a request over an idle connection, or a new one."""
        address, message, _, _, idle = prepared
        connection = idle.pop() if idle else None
        if connection is not None and now - connection.used > MAX_IDLE:
            if connection.stale():
                connection.close()
                connection = None
                self._count_reconnect()
        if connection is None:
            connection = self._connect(address.origin)
        try:
            answer = connection.exchange(message, now, method == "HEAD")
        except ConnectionClosedError:
            # The server may have closed the connection while the request was under way.
            if not connection.served or method not in IDEMPOTENT:
                raise
            self._count_reconnect()
            connection = self._connect(address.origin)
            answer = connection.exchange(message, time.perf_counter(), method == "HEAD")
        if answer.reusable:
            idle.append(connection)
        else:
            connection.close()
        if answer.cookies:
            self.cookiejar.store(address.url, Headers(answer.head))
        return answer

    def _count_reconnect(self) -> None:
        self.reconnects += 1
        seat = getattr(getcurrent(), "assay_seat", None)
        if seat is not None:
            seat.dispatcher.recorder.reconnects += 1

    def _connect(self, origin: Origin) -> Connection:
        options = self._options
        context = options.context() if origin.secure else None
        return Connection(
            origin,
            options.connect_timeout,
            options.answer_timeout,
            options.keep,
            context,
        )

    def _follow(self, method: str, prepared: Prepared, answer: Answer) -> Answer:
        """Follow redirects, as browsers do."""
        home = prepared.address.origin
        for _ in range(self._options.max_redirects):
            location = Headers(answer.head).get("location")
            if not location:
                return answer
            try:
                address = requests.parse_address(
                    urljoin(prepared.address.url, location)
                )
            except ValueError as error:
                raise BadResponseError(
                    "the Location of the answer is not an address"
                ) from error
            body, headers = prepared.body, prepared.headers
            if answer.status == 303 or (answer.status < 303 and method == "POST"):
                method, body = "GET" if method != "HEAD" else method, b""
                headers = _without(headers, "content-type")
            at_home = address.origin == home
            if not at_home:  # a password is only for the server that requires it
                headers = _without(headers, "authorization")
            prepared = self._prepare(method, address, body, headers, secrets=at_home)
            answer = self._send(method, prepared, time.perf_counter())
            if answer.status not in REDIRECTS:
                return answer
        raise TooManyRedirectsError("more redirects than max_redirects")

    def _report(
        self,
        method: str,
        name: str,
        began: float,
        ended: float,
        context: Mapping[str, Any] | None,
        response: LeanResponse,
        error: BaseException | None,
    ) -> None:
        """Report a request: to Assay if only Assay listens, else by Locust's event."""
        greenlet, event = getcurrent(), self._event
        seat = getattr(greenlet, "assay_seat", None)
        if seat is not None:
            if len(event._handlers) == 1:  # Assay is the only listener
                answer = error, response.status_code, min(response.length, MAX_SIZE)
                seat.record(method, name, began, ended, answer)
                return
            stamps = greenlet.assay_stamps
            stamps.sent, stamps.received = began, ended
        event.fire(
            request_type=method,
            name=name,
            response_time=(ended - began) * 1000,
            response_length=response.length,
            response=response,
            context={**self.user.context(), **(context or {})},
            exception=error,
            start_time=time.time() - (time.perf_counter() - began),
            url=response.url,
        )


def _without(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key.lower() != name}


def _refuse(options: Mapping[str, Any]) -> None:
    """Refuse options that this client does not have; the error names the option.

    Raises:
        LocustError: An option exists only for `FastHttpUser` or `HttpUser`.
        TypeError: An option does not exist at all.
    """
    for name, value in options.items():
        if name not in REFUSED:
            raise TypeError(f"request() has no option {name!r}")
        if value not in (None, False):
            raise LocustError(
                f"LeanHttpUser does not do {REFUSED[name]}; use FastHttpUser or "
                f"HttpUser for requests with {name}="
            )
