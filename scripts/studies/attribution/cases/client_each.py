"""FastAPI and httpx: a client for each request."""

import os

import httpx
from fastapi import FastAPI

app = FastAPI()
UPSTREAM = os.environ["UPSTREAM"]
client = httpx.AsyncClient()


async def fetch_stock() -> int:
    """Ask the other service."""
    if os.environ["SIDE"] == "b":
        async with httpx.AsyncClient() as own:
            return (await own.get(f"{UPSTREAM}/stock")).status_code
    return (await client.get(f"{UPSTREAM}/stock")).status_code


@app.get("/")
async def stock() -> int:
    """Return the stock."""
    return await fetch_stock()
