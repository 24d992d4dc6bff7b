"""Flask in threads: a semaphore lets in one request instead of twenty."""

import os
import threading
import time

from flask import Flask
from stopwatch import note

app = Flask(__name__)
gate = threading.Semaphore(1 if os.environ["SIDE"] == "b" else 20)


def resize() -> None:
    """Take time inside."""
    time.sleep(0.006)


@app.get("/")
def thumbnail() -> str:
    """Wait for the gate."""
    began = time.perf_counter()
    with gate:
        note(time.perf_counter() - began)
        resize()
    return "thumbnail"
