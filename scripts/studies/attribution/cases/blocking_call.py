"""FastAPI and requests: a coroutine blocks the loop while it calls another service."""

import os

import httpx
import requests
from fastapi import FastAPI

app = FastAPI()
UPSTREAM = os.environ["UPSTREAM"]
client = httpx.AsyncClient(base_url=UPSTREAM)
session = requests.Session()


async def fetch_rate() -> int:
    """Ask the other service."""
    if os.environ["SIDE"] == "b":
        return session.get(f"{UPSTREAM}/rate").status_code
    return (await client.get("/rate")).status_code


@app.get("/")
async def rate() -> int:
    """Return the rate."""
    return await fetch_rate()
