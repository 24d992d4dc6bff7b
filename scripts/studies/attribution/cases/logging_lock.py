"""FastAPI: a logging handler takes its time under its lock."""

import logging
import os
import time

from fastapi import FastAPI
from stopwatch import note

app = FastAPI()


class Audit(logging.Handler):
    """Send lines somewhere."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send a line."""
        if os.environ["SIDE"] == "b":
            time.sleep(0.003)


log = logging.getLogger("audit")
log.addHandler(Audit())
log.setLevel(logging.INFO)
log.propagate = False


@app.get("/")
def read_item() -> str:
    """Log a line."""
    began = time.perf_counter()
    log.info("an item")
    note(time.perf_counter() - began)
    return "item"
