"""FastAPI and sqlite3: a query for each row instead of one for all."""

import os
import sqlite3
import time

from fastapi import FastAPI
from stopwatch import note

app = FastAPI()
database = sqlite3.connect(":memory:", check_same_thread=False)
database.execute("create table item (id integer primary key, name text)")
database.executemany(
    "insert into item values (?, ?)", [(n, f"i{n}") for n in range(99)]
)


def load_names() -> list[str]:
    """Return forty names."""
    if os.environ["SIDE"] == "b":
        rows = [
            database.execute("select name from item where id = ?", (n,)).fetchone()
            for n in range(40)
        ]
    else:
        rows = database.execute("select name from item where id < 40").fetchall()
    return [name for (name,) in rows]


@app.get("/")
async def names() -> list[str]:
    """Return the names."""
    began = time.perf_counter()
    found = load_names()
    note(time.perf_counter() - began)
    return found
