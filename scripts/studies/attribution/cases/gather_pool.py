"""FastAPI and httpx: ten calls at once over two connections."""

import asyncio
import os

import httpx
from fastapi import FastAPI

app = FastAPI()
SIZE = 2 if os.environ["SIDE"] == "b" else 100
client = httpx.AsyncClient(
    base_url=os.environ["UPSTREAM"], limits=httpx.Limits(max_connections=SIZE)
)


async def read_all() -> int:
    """Ask for everything at once."""
    answers = await asyncio.gather(*(client.get(f"/part/{n}") for n in range(6)))
    return sum(answer.status_code == 200 for answer in answers)


@app.get("/")
async def everything() -> int:
    """Return how much there is."""
    return await read_all()
