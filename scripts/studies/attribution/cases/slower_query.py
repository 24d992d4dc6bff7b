"""FastAPI and sqlite3: the same query without its index."""

import os
import sqlite3
import time

from fastapi import FastAPI
from stopwatch import note

app = FastAPI()
database = sqlite3.connect(":memory:", check_same_thread=False)
database.execute("create table sale (customer integer, amount integer)")
database.executemany(
    "insert into sale values (?, ?)", [(n % 5000, n) for n in range(30000)]
)
if os.environ["SIDE"] == "a":
    database.execute("create index by_customer on sale (customer)")


def load_sales(customer: int) -> int:
    """Return what a customer bought."""
    query = "select sum(amount) from sale where customer = ?"
    return int(database.execute(query, (customer,)).fetchone()[0])


@app.get("/")
async def sales() -> int:
    """Return the sales of one customer."""
    began = time.perf_counter()
    bought = load_sales(17)
    note(time.perf_counter() - began)
    return bought
