"""A service whose users register and log in, with a password hash that costs CPU.

The study copies it beside a locustfile and starts it there. It is not imported. The
environment variable HASHES is the number of rounds of a hash.
"""

import contextlib
import hashlib
import os
import secrets
import sqlite3
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

HASH_ROUNDS = int(os.environ.get("HASHES", "1000"))
folder = tempfile.TemporaryDirectory(prefix="shop-")
thread_data = threading.local()


def database() -> sqlite3.Connection:
    """Return this thread's connection."""
    if not hasattr(thread_data, "connection"):
        path = Path(folder.name) / "shop.db"
        new = sqlite3.connect(path, isolation_level=None, timeout=30)
        new.execute("PRAGMA synchronous = OFF")
        thread_data.connection = new
    connection: sqlite3.Connection = thread_data.connection
    return connection


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Make the tables, and delete them at the end."""
    database().executescript(
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE members (name TEXT PRIMARY KEY, salt BLOB, hash BLOB);"
        "CREATE TABLE tokens (token TEXT PRIMARY KEY, name TEXT);"
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, name TEXT, text TEXT);"
        "CREATE INDEX notes_of ON notes (name, id);"
    )
    yield
    folder.cleanup()


app = FastAPI(lifespan=lifespan)


class Member(BaseModel):
    """The name and password of a member who registers or logs in."""

    name: str
    password: str


class Note(BaseModel):
    """A note that a member writes."""

    text: str


def password_hash(password: str, salt: bytes) -> bytes:
    """Return the hash of a password; it is slow on purpose."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, HASH_ROUNDS)


def authenticated(authorization: Annotated[str, Header()]) -> str:
    """Return the name of the member whose token is in this header."""
    token = authorization.removeprefix("Bearer ")
    rows = database().execute("SELECT name FROM tokens WHERE token = ?", (token,))
    row = rows.fetchone()
    if not row:
        raise HTTPException(401, "log in first")
    return str(row[0])


@app.get("/health")
def health() -> dict[str, str]:
    """Answer that the service runs."""
    return {"status": "ok"}


@app.post("/members", status_code=201)
def register(member: Member) -> dict[str, str]:
    """Store a new member."""
    salt = secrets.token_bytes(16)
    database().execute(
        "INSERT INTO members VALUES (?, ?, ?)",
        (member.name, salt, password_hash(member.password, salt)),
    )
    return {"name": member.name}


@app.post("/tokens")
def log_in(member: Member) -> dict[str, str]:
    """Issue a token."""
    rows = database().execute(
        "SELECT salt, hash FROM members WHERE name = ?", (member.name,)
    )
    row = rows.fetchone()
    if not row or not secrets.compare_digest(
        password_hash(member.password, row[0]), row[1]
    ):
        raise HTTPException(401, "wrong name or password")
    token = secrets.token_urlsafe(24)
    database().execute("INSERT INTO tokens VALUES (?, ?)", (token, member.name))
    return {"token": token}


@app.get("/notes")
def notes(name: Annotated[str, Depends(authenticated)]) -> list[dict[str, str]]:
    """Return a member's latest notes."""
    rows = database().execute(
        "SELECT id, text FROM notes WHERE name = ? ORDER BY id DESC LIMIT 10", (name,)
    )
    return [{"id": str(number), "text": text} for number, text in rows]


@app.post("/notes", status_code=201)
def write(note: Note, name: Annotated[str, Depends(authenticated)]) -> dict[str, str]:
    """Store a note."""
    database().execute(
        "INSERT INTO notes (name, text) VALUES (?, ?)", (name, note.text)
    )
    return {"text": note.text}
