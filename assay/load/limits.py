"""Limits of the load generator's own machine: errors that the target did not cause."""

import errno
import os
import resource
from collections.abc import Iterator

MAX_DESCRIPTORS = 1 << 20  # most descriptors to ask for: more than anybody needs
MAX_CAUSES = 8  # how many causes of one error are looked at
RESERVED_DESCRIPTORS = 16  # descriptors for Assay when the clients have used up theirs
_reserve: list[int] = []


def raise_soft_limits() -> None:
    """Raise this process's soft limit of open files as far as its hard limit allows.

    Every user has a connection. The usual soft limit of 1,024 descriptors would end a
    test of a thousand users, and the errors would look like the server's. A few
    descriptors are held in reserve for the end of the test.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    allowed = MAX_DESCRIPTORS if unlimited else min(hard, MAX_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    _reserve.extend(
        os.open(os.devnull, os.O_RDONLY) for _ in range(RESERVED_DESCRIPTORS)
    )


def descriptors() -> int:
    """Return how many files this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def explain(error: object) -> str:
    """Return which limit of this machine caused an error; empty if none did.

    Only an error of the operating system or of Python itself counts, however deep a
    client has wrapped it. Texts do not count: a response may say anything.
    """
    for cause in _causes(error):
        if isinstance(cause, MemoryError):
            return "the load generator has no memory left: use fewer --users"
        number = cause.errno if isinstance(cause, OSError) else None
        if number in (errno.EMFILE, errno.ENFILE):
            while _reserve:  # ending the test needs descriptors, too
                os.close(_reserve.pop())
            return (
                f"the load generator has no file descriptor left, of {descriptors():,}"
                ": raise the limit (ulimit -n), or use fewer --users"
            )
        if number == errno.EADDRNOTAVAIL:
            return (
                "the load generator's machine has no port left for one more "
                "connection: keep connections open, or use a lower rate"
            )
        if number in (errno.ENOMEM, errno.ENOBUFS):
            return "the load generator's machine has no memory left: use fewer --users"
    return ""


def _causes(error: object) -> Iterator[BaseException]:
    """Yield an error and the errors that it wraps or that caused it."""
    pending, count = [error], 0
    while pending and count < MAX_CAUSES:
        cause = pending.pop(0)
        if not isinstance(cause, BaseException):
            continue
        count += 1
        yield cause
        pending += [cause.__cause__, cause.__context__]
        pending += [getattr(cause, name, None) for name in ("reason", "original")]
        pending += [arg for arg in cause.args if isinstance(arg, BaseException)]
