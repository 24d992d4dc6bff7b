"""FastAPI: the handler and what it calls got new names."""

import os
import sqlite3

from fastapi import FastAPI

app = FastAPI()
database = sqlite3.connect(":memory:", check_same_thread=False)
database.execute("create table item (id integer primary key, name text)")
database.executemany(
    "insert into item values (?, ?)", [(n, f"i{n}") for n in range(900)]
)


def load_names() -> int:
    """Return how many items there are."""
    return len(database.execute("select name from item").fetchall())


def read_names() -> int:
    """Return how many items there are."""
    return len(database.execute("select name from item").fetchall())


async def names() -> int:
    """Answer."""
    return load_names()


async def list_names() -> int:
    """Answer."""
    return read_names()


app.get("/")(names if os.environ["SIDE"] == "a" else list_names)
