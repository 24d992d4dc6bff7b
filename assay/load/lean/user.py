"""`LeanHttpUser`, the base class for a locustfile's users."""

import ssl
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from locust.env import Environment
from locust.exception import StopTest
from locust.user.users import RestMixin, User

from assay.load.lean.session import LeanHttpSession, Options

KEEP_BODY = 10 * 1024 * 1024
_REFUSED = ("proxy_host", "proxy_port", "client_pool")


class LeanHttpUser(User, RestMixin[Any]):
    """A user with the common features of `FastHttpUser`, at a fraction of its CPU time.

    It works under Assay and under plain `locust`. Features that it does not have, such
    as streams, uploads of files and proxies, are refused with a message.

    Attributes:
        network_timeout: Seconds that may pass from sending a request to the end of its
            answer.
        connection_timeout: Seconds that connecting may take.
        max_redirects: How many redirects of one request are followed.
        insecure: Whether TLS certificates are accepted without verification.
        default_headers: Headers that are sent with every request.
        ssl_context_factory: Makes the context for TLS, instead of the default context.
        keep_body: Bytes of a body that are kept to be read; the rest of a longer body
            is received and counted.
    """

    network_timeout: float = 60.0
    connection_timeout: float = 60.0
    max_redirects: int = 30
    insecure: bool = False
    default_headers: Mapping[str, str] | None = None
    ssl_context_factory: Callable[[], ssl.SSLContext] | None = None
    keep_body: int = KEEP_BODY

    abstract = True

    def __init__(self, environment: Environment) -> None:
        """Prepare the client.

        Raises:
            StopTest: The host is missing or invalid, or a setting is refused.
        """
        super().__init__(environment)
        if self.host is None:
            raise StopTest(
                "no host: set it on the user class, or give --host on the command line"
            )
        for name in _REFUSED:
            if getattr(self, name, None) is not None:
                raise StopTest(f"LeanHttpUser has no {name}; use FastHttpUser for it")
        context = type(self).ssl_context_factory or (
            _unverified if self.insecure else _verified
        )
        options = Options(
            connect_timeout=self.connection_timeout,
            answer_timeout=self.network_timeout,
            max_redirects=self.max_redirects,
            keep=self.keep_body,
            headers=self.default_headers or {},
            context=context,
        )
        try:
            self.client = LeanHttpSession(self.host, self, options)
        except ValueError as error:
            raise StopTest(f"host: {error}") from error


# One context for all users: each takes some milliseconds to make.
@cache
def _verified() -> ssl.SSLContext:
    return ssl.create_default_context()


@cache
def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
