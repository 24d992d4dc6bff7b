"""FastAPI: a longer computation, and queries for each row."""

import os
import sqlite3
import time

from fastapi import FastAPI
from stopwatch import note

app = FastAPI()
MORE = os.environ["SIDE"] == "b"
database = sqlite3.connect(":memory:", check_same_thread=False)
database.execute("create table item (id integer primary key)")
database.executemany("insert into item values (?)", [(n,) for n in range(99)])


def weigh() -> int:
    """Compute."""
    return sum(n * n % 7 for n in range(30_000 if MORE else 3_000))


def load_items() -> int:
    """Return how many items there are."""
    if MORE:
        query = "select id from item where id = ?"
        return len([database.execute(query, (n,)).fetchone() for n in range(60)])
    return len(database.execute("select id from item where id < 60").fetchall())


@app.get("/")
async def root() -> int:
    """Do both."""
    began = time.thread_time()
    weight = weigh()
    note(time.thread_time() - began)
    return weight + load_items()
