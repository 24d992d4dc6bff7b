"""The errors that can occur between a request and its answer.

Messages name the kind of error and contain no numbers, so that equal errors can be
counted together.
"""


class WireError(Exception):
    """The server did not answer as HTTP/1.1 requires."""


class ConnectionClosedError(WireError):
    """The server closed the connection before the first byte of an answer."""


class IncompleteResponseError(WireError):
    """The server closed the connection within its answer."""


class BadResponseError(WireError):
    """The server sent something that is not an HTTP/1.1 answer."""


class NetworkTimeoutError(WireError, TimeoutError):
    """The answer was not complete in time."""


class ConnectTimeoutError(WireError, TimeoutError):
    """The connection was not open in time."""


class BadStatusError(Exception):
    """The server answered with a status of 400 or more."""


class TooManyRedirectsError(WireError):
    """The server redirected more often than allowed."""
