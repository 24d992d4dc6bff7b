"""FastAPI and httpx: four calls one after the other instead of at once."""

import asyncio
import os

import httpx
from fastapi import FastAPI

app = FastAPI()
client = httpx.AsyncClient(base_url=os.environ["UPSTREAM"])
PARTS = ("prices", "stock", "reviews", "offers")


async def read_page() -> int:
    """Request all parts; return how many were answered."""
    if os.environ["SIDE"] == "b":
        answers = [await client.get(f"/{part}") for part in PARTS]
    else:
        answers = await asyncio.gather(*(client.get(f"/{part}") for part in PARTS))
    return sum(answer.status_code == 200 for answer in answers)


@app.get("/")
async def everything() -> int:
    """Return the number of parts."""
    return await read_page()
