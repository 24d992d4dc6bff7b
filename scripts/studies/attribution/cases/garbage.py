"""FastAPI: every tenth request collects garbage by hand, over many kept objects."""

import gc
import os
from itertools import count

from fastapi import FastAPI

app = FastAPI()
KEPT = [[n] for n in range(200_000)]
numbers = count(1)


def tidy() -> None:
    """Collect what is left over."""
    if os.environ["SIDE"] == "b" and next(numbers) % 10 == 0:
        gc.collect()


@app.get("/")
async def walk() -> int:
    """Answer, then tidy up."""
    tidy()
    return len(KEPT)
