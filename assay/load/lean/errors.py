"""What can go wrong between a request and its answer.

The messages name a kind and hold no numbers, so that equal ones can be counted.
"""


class WireError(Exception):
    """The server did not answer as HTTP/1.1 wants it."""


class ConnectionClosedError(WireError):
    """The server closed the connection before the first byte of an answer."""


class IncompleteResponseError(WireError):
    """The server closed the connection within its answer."""


class BadResponseError(WireError):
    """What the server sent is no HTTP/1.1 answer."""


class NetworkTimeoutError(WireError, TimeoutError):
    """The answer was not complete in time."""


class ConnectTimeoutError(WireError, TimeoutError):
    """The connection was not there in time."""


class BadStatusError(Exception):
    """The server answered with a status of 400 or more."""


class TooManyRedirectsError(WireError):
    """The server sent on more often than allowed."""
