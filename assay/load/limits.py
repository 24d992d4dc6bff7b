"""Limits of the load generator's own machine, which are no fault of the target."""

import errno
import os
import resource
from collections.abc import Iterator

DESCRIPTORS = 1 << 20  # nobody needs more, and "unlimited" is no number
DEPTH = 8  # errors within errors
RESERVE = 16  # descriptors that are ours when the clients have used up the rest
_reserve: list[int] = []


def raise_soft_limits() -> None:
    """Allow this process as many open files as it may allow itself.

    A user has a connection, so that 1,024 descriptors, the usual soft limit, would
    end a test of a thousand users, and its errors would look like the server's.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    _reserve.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(RESERVE))


def descriptors() -> int:
    """Return how many files this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def hit(error: object) -> str:
    """Say which limit of this machine an error comes from; nothing if from none.

    Only what the operating system or Python itself raised counts, wherever a client
    has wrapped it: the text of an answer may say anything.
    """
    for inner in _chain(error):
        if isinstance(inner, MemoryError):
            return "the load generator has no memory left: fewer --users"
        number = inner.errno if isinstance(inner, OSError) else None
        if number in (errno.EMFILE, errno.ENFILE):
            while _reserve:  # what ends the test needs some, too
                os.close(_reserve.pop())
            return (
                f"the load generator has no file descriptor left, of {descriptors():,}"
                ": raise the limit (ulimit -n), or fewer --users"
            )
        if number == errno.EADDRNOTAVAIL:
            return (
                "the load generator's machine has no port left for one more "
                "connection: keep connections open, or a lower rate"
            )
        if number in (errno.ENOMEM, errno.ENOBUFS):
            return "the load generator's machine has no memory left: fewer --users"
    return ""


def _chain(error: object) -> Iterator[BaseException]:
    """Yield an error and those that it wraps or came of."""
    waiting, seen = [error], 0
    while waiting and seen < DEPTH:
        inner = waiting.pop(0)
        if not isinstance(inner, BaseException):
            continue
        seen += 1
        yield inner
        waiting += [inner.__cause__, inner.__context__]
        waiting += [getattr(inner, name, None) for name in ("reason", "original")]
        waiting += [one for one in inner.args if isinstance(one, BaseException)]
