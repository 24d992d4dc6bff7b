"""The client of a `LeanHttpUser`."""

import contextlib
import importlib.util
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
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

REDIRECTS = frozenset((301, 302, 303, 307, 308))
# Of these, sending one a second time does no harm (RFC 9110, section 9.2.2).
IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))
IDLE = 0.5  # seconds, after which a connection is looked at before it is used
ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
PREPARED = 1000  # requests that are remembered as bytes
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
    """A request as bytes, and what they were made of."""

    where: Address
    wire: bytes
    sent: bytes
    fields: Mapping[str, Any]
    idle: list[Connection]


class Options(NamedTuple):
    """What holds for every request of a user: see `LeanHttpUser`."""

    connect_within: float
    answer_within: float
    max_redirects: int
    keep: int
    headers: Mapping[str, str]
    context: Callable[[], ssl.SSLContext]


class LeanHttpSession:
    """Asks one server, mostly, for a user.

    Attributes:
        base_url: What paths are added to.
        cookiejar: The user's cookies.
        request_name: Name of all requests that have none of their own.
        reconnects: How often a connection was opened again that the server closed.
    """

    def __init__(self, base_url: str, user: User, options: Options) -> None:
        """Prepare; connections are opened when they are needed.

        Raises:
            ValueError: The base is no http or https address.
        """
        base = requests.address(base_url)
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
        self._prepared: dict[tuple[str, str], Prepared] = {}

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
        """Send a request and return its answer, whatever it is.

        Args:
            method: GET, for example.
            url: A path on the user's host, or a whole address.
            name: What the request is counted as; `url` if not given.
            data: Text, bytes, or the fields of a form.
            catch_response: Judge the answer in a with statement.
            headers: Added to the user's own.
            auth: Name and password for HTTP's basic authentication.
            json: What is sent as JSON if there is no `data`.
            params: Added to the query.
            allow_redirects: Ask again where the server sends on to.
            context: Handed to those who listen to Locust's request event.
            other: What other clients of Locust can do, and this one refuses.

        Raises:
            TypeError: An option is not known, or `data` cannot be sent.
            LocustError: What is asked for is what `FastHttpUser` is for.
            ValueError: The address is none, or a header has a line break.
        """
        if other:
            _refuse(other)
        plain = not (data or headers or auth or params or self.cookiejar.changes)
        plain = plain and json is None
        prepared = self._prepared.get((method, url)) if plain else None
        if prepared is None:
            where = requests.address(requests.with_params(self._absolute(url), params))
            sent, own = requests.body(data, json)
            if auth:
                own["Authorization"] = requests.basic(auth)
            prepared = self._prepare(method, where, sent, Fields(own, headers))
            if plain:
                self._remember((method, url), prepared)
        answer: Answer | None = None
        error: BaseException | None
        began = time.perf_counter()
        try:
            answer = self._perform(method, prepared, began)
            if answer.status in REDIRECTS and allow_redirects:
                answer = self._follow(method, prepared, answer)
            error = bad_status(answer.status)
            ended = answer.received
        except (OSError, WireError) as problem:
            error, ended = problem, time.perf_counter()
        name = name or self.request_name or url
        shown, keep = prepared.where.url, self._options.keep
        if not catch_response:
            response = LeanResponse(method, shown, answer, error, keep)
            seat = getattr(getcurrent(), "assay_seat", None)
            if seat is not None and len(self._event._handlers) == 1:
                seat.record(method, name, began, ended, error, response.length)
            else:
                sample = Sample(self, method, name, began, ended, context)
                sample.report(response, error)
            return response
        sample = Sample(self, method, name, began, ended, context)
        return CaughtResponse(method, shown, answer, error, keep, sample.report)

    def _absolute(self, url: str) -> str:
        return url if ABSOLUTE.match(url) else self.base_url + url

    def _prepare(
        self,
        method: str,
        where: Address,
        sent: bytes,
        fields: Mapping[str, Any],
        secrets: bool = True,
    ) -> Prepared:
        cookies = self.cookiejar.header(where.url)
        own = self._headers if secrets else _without(self._headers, "authorization")
        every = Fields({"Cookie": cookies} if cookies else {}, own, fields)
        wire = requests.head(method, where, every, len(sent)) + sent
        idle = self._idle.setdefault(where.origin, [])
        return Prepared(where, wire, sent, fields, idle)

    def _remember(self, key: tuple[str, str], prepared: Prepared) -> None:
        if len(self._prepared) >= PREPARED:
            self._prepared.clear()
        self._prepared[key] = prepared

    def _perform(self, method: str, prepared: Prepared, now: float) -> Answer:
        """Send a request over a connection that is there, or a new one."""
        where, wire, _, _, idle = prepared
        connection = idle.pop() if idle else None
        if connection is not None and now - connection.used > IDLE:
            if connection.stale():
                connection.close()
                connection = None
                self._reconnected()
        if connection is None:
            connection = self._connect(where.origin)
        try:
            answer = connection.exchange(wire, now, method == "HEAD")
        except ConnectionClosedError:
            # It can have been closed while the request was on its way.
            if not connection.served or method not in IDEMPOTENT:
                raise
            self._reconnected()
            connection = self._connect(where.origin)
            answer = connection.exchange(wire, time.perf_counter(), method == "HEAD")
        if answer.reusable:
            idle.append(connection)
        else:
            connection.close()
        if answer.cookies:
            self.cookiejar.take(where.url, Headers(answer.head))
        return answer

    def _reconnected(self) -> None:
        self.reconnects += 1
        seat = getattr(getcurrent(), "assay_seat", None)
        if seat is not None:
            seat.pool.recorder.reconnects += 1

    def _connect(self, origin: Origin) -> Connection:
        options = self._options
        context = options.context() if origin.secure else None
        return Connection(
            origin,
            options.connect_within,
            options.answer_within,
            options.keep,
            context,
        )

    def _follow(self, method: str, prepared: Prepared, answer: Answer) -> Answer:
        """Ask where the server sends on to, as browsers do."""
        home = prepared.where.origin
        for _ in range(self._options.max_redirects):
            location = Headers(answer.head).get("location")
            if not location:
                return answer
            try:
                where = requests.address(urljoin(prepared.where.url, location))
            except ValueError as error:
                raise BadResponseError("its Location is no address") from error
            sent, fields = prepared.sent, prepared.fields
            if answer.status == 303 or (answer.status < 303 and method == "POST"):
                method, sent = "GET" if method != "HEAD" else method, b""
                fields = _without(fields, "content-type")
            at_home = where.origin == home
            if not at_home:  # a password is for the server that asked for it
                fields = _without(fields, "authorization")
            prepared = self._prepare(method, where, sent, fields, secrets=at_home)
            answer = self._perform(method, prepared, time.perf_counter())
            if answer.status not in REDIRECTS:
                return answer
        raise TooManyRedirectsError("more redirects than max_redirects")


class Sample:
    """A request on its way to those who count it."""

    __slots__ = ("_session", "_method", "_name", "_began", "_ended", "_context")

    def __init__(
        self,
        session: LeanHttpSession,
        method: str,
        name: str,
        began: float,
        ended: float,
        context: Mapping[str, Any] | None,
    ) -> None:
        """Hold what will be reported."""
        self._session, self._method, self._name = session, method, name
        self._began, self._ended, self._context = began, ended, context

    def report(self, response: LeanResponse, error: BaseException | None) -> None:
        """Count it: under Assay directly, otherwise by Locust's event."""
        session, greenlet = self._session, getcurrent()
        event = session.user.environment.events.request
        seat = getattr(greenlet, "assay_seat", None)
        if seat is not None:
            if len(event._handlers) == 1:  # Assay's own
                times = self._began, self._ended
                seat.record(self._method, self._name, *times, error, response.length)
                return
            stamps = greenlet.assay_stamps
            stamps.sent, stamps.received = self._began, self._ended
        event.fire(
            request_type=self._method,
            name=self._name,
            response_time=(self._ended - self._began) * 1000,
            response_length=response.length,
            response=response,
            context={**session.user.context(), **(self._context or {})},
            exception=error,
            start_time=time.time() - (time.perf_counter() - self._began),
            url=response.url,
        )


def _without(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key.lower() != name}


def _refuse(options: Mapping[str, Any]) -> None:
    """Refuse what is not for this client, by its name.

    Raises:
        LocustError: It is something that `FastHttpUser` or `HttpUser` can do.
        TypeError: Nobody can.
    """
    for name, value in options.items():
        if name not in REFUSED:
            raise TypeError(f"request() has no option {name!r}")
        if value not in (None, False):
            raise LocustError(
                f"LeanHttpUser does not do {REFUSED[name]}; use FastHttpUser or "
                f"HttpUser for requests with {name}="
            )
