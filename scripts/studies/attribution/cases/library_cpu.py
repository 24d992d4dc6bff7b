"""FastAPI: a report goes through jsonable_encoder instead of json."""

import json
import os
import time
from typing import Any

from fastapi import FastAPI, Response
from fastapi.encoders import jsonable_encoder
from stopwatch import note

app = FastAPI()
ROWS = [{"id": n, "tags": [str(n), "x"], "size": n / 7} for n in range(60)]


def encode_report(rows: Any) -> str:
    """Return the rows as JSON."""
    if os.environ["SIDE"] == "b":
        rows = jsonable_encoder(rows)
    return json.dumps(rows)


@app.get("/")
async def report() -> Response:
    """Return the report."""
    began = time.thread_time()
    encoded = encode_report(ROWS)
    note(time.thread_time() - began)
    return Response(encoded, media_type="application/json")
