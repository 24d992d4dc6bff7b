"""A service whose users register and log in, with a password hash that costs CPU.

It is copied beside a locustfile and started there: it is measured, not imported.
HASHES says how many rounds a hash takes.
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

HASHES = int(os.environ.get("HASHES", "1000"))
folder = tempfile.TemporaryDirectory(prefix="shop-")
here = threading.local()


def database() -> sqlite3.Connection:
    """Return this thread's connection."""
    if not hasattr(here, "connection"):
        path = Path(folder.name) / "shop.db"
        here.connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        here.connection.execute("PRAGMA synchronous = OFF")
    found: sqlite3.Connection = here.connection
    return found


@contextlib.asynccontextmanager
async def life(_: FastAPI) -> AsyncIterator[None]:
    """Make the tables, and remove them at the end."""
    database().executescript(
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE members (name TEXT PRIMARY KEY, salt BLOB, hash BLOB);"
        "CREATE TABLE tokens (token TEXT PRIMARY KEY, name TEXT);"
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, name TEXT, text TEXT);"
        "CREATE INDEX notes_of ON notes (name, id);"
    )
    yield
    folder.cleanup()


app = FastAPI(lifespan=life)


class Member(BaseModel):
    """Who registers or logs in."""

    name: str
    password: str


class Note(BaseModel):
    """What a member writes."""

    text: str


def hashed(password: str, salt: bytes) -> bytes:
    """Return a hash that is slow on purpose."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, HASHES)


def who(authorization: Annotated[str, Header()]) -> str:
    """Return the member whose token it is."""
    token = authorization.removeprefix("Bearer ")
    row = database().execute("SELECT name FROM tokens WHERE token = ?", (token,))
    found = row.fetchone()
    if not found:
        raise HTTPException(401, "log in first")
    return str(found[0])


@app.get("/health")
def health() -> dict[str, str]:
    """Say that it is there."""
    return {"status": "ok"}


@app.post("/members", status_code=201)
def register(member: Member) -> dict[str, str]:
    """Keep a member."""
    salt = secrets.token_bytes(16)
    database().execute(
        "INSERT INTO members VALUES (?, ?, ?)",
        (member.name, salt, hashed(member.password, salt)),
    )
    return {"name": member.name}


@app.post("/tokens")
def log_in(member: Member) -> dict[str, str]:
    """Hand out a token."""
    found = database().execute(
        "SELECT salt, hash FROM members WHERE name = ?", (member.name,)
    )
    row = found.fetchone()
    if not row or not secrets.compare_digest(hashed(member.password, row[0]), row[1]):
        raise HTTPException(401, "wrong name or password")
    token = secrets.token_urlsafe(24)
    database().execute("INSERT INTO tokens VALUES (?, ?)", (token, member.name))
    return {"token": token}


@app.get("/notes")
def notes(name: Annotated[str, Depends(who)]) -> list[dict[str, str]]:
    """Return a member's latest notes."""
    found = database().execute(
        "SELECT id, text FROM notes WHERE name = ? ORDER BY id DESC LIMIT 10", (name,)
    )
    return [{"id": str(number), "text": text} for number, text in found]


@app.post("/notes", status_code=201)
def write(note: Note, name: Annotated[str, Depends(who)]) -> dict[str, str]:
    """Keep a note."""
    database().execute(
        "INSERT INTO notes (name, text) VALUES (?, ?)", (name, note.text)
    )
    return {"text": note.text}
