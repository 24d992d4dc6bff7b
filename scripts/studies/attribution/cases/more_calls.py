"""FastAPI and httpx: five calls to another service instead of one."""

import os

import httpx
from fastapi import FastAPI

app = FastAPI()
client = httpx.AsyncClient(base_url=os.environ["UPSTREAM"])
CALLS = 5 if os.environ["SIDE"] == "b" else 1


async def read_prices() -> int:
    """Ask for every price."""
    answered = 0
    for number in range(CALLS):
        answer = await client.get(f"/price/{number}")
        answered += answer.status_code == 200
    return answered


@app.get("/")
async def prices() -> int:
    """Return how many prices there are."""
    return await read_prices()
