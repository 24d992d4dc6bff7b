"""Say which hosts may be loaded: this machine, and those that the user names."""

import ipaddress
import socket
from collections.abc import Iterable
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

WHY = "{host} is another machine, and a load can harm it and those who use it"
HINT = "if you may load it, type: --allow-host {host}"


def refused(url: str, allowed: Iterable[str]) -> str:
    """Return the host of a URL if it must not be loaded; empty if it may be.

    Args:
        url: The base URL of a server.
        allowed: Names of hosts that the user allows; `*` stands for any text.
    """
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""  # other code says what is wrong with it
    if not host or _is_here(host):
        return ""
    if any(fnmatchcase(host, name.strip().lower()) for name in allowed):
        return ""
    return host


def refusal(url: str, allowed: Iterable[str]) -> str:
    """Return why a URL must not be loaded, and what to type; empty if it may be."""
    host = refused(url, allowed)
    return f"{WHY}; {HINT}".format(host=host) if host else ""


def _is_here(host: str) -> bool:
    """Say whether all addresses of a host are loopback addresses of this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return _is_loopback(host)
    except ValueError:
        pass
    try:
        addresses = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        return False
    return bool(addresses) and all(_is_loopback(str(one[4][0])) for one in addresses)


def _is_loopback(address: str) -> bool:
    """Say whether an address is a loopback address; 0.0.0.0 and :: count as such.

    Raises:
        ValueError: The text is not an address.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return parsed.is_loopback or parsed.is_unspecified
