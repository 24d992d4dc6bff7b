"""FastAPI and httpx: six calls at once, on side b over two connections."""

import asyncio
import os

import httpx
from fastapi import FastAPI

app = FastAPI()
CONNECTIONS = 2 if os.environ["SIDE"] == "b" else 100
client = httpx.AsyncClient(
    base_url=os.environ["UPSTREAM"], limits=httpx.Limits(max_connections=CONNECTIONS)
)


async def read_all() -> int:
    """Request all parts at once; return how many were answered."""
    answers = await asyncio.gather(*(client.get(f"/part/{n}") for n in range(6)))
    return sum(answer.status_code == 200 for answer in answers)


@app.get("/")
async def everything() -> int:
    """Return the number of parts."""
    return await read_all()
