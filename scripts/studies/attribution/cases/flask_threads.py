"""Flask and a pool of threads: the pool shrinks to one thread."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from stopwatch import note

app = Flask(__name__)
workers = ThreadPoolExecutor(1 if os.environ["SIDE"] == "b" else 16)


def render(submitted: float) -> str:
    """Take time in a worker."""
    note(time.perf_counter() - submitted)
    time.sleep(0.006)
    return "page"


@app.get("/")
def page() -> str:
    """Render in a worker."""
    return workers.submit(render, time.perf_counter()).result()
