"""A helper that serves the target with a real server."""

import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn

from target_app.core.config import Settings
from target_app.main import create_app


@contextlib.contextmanager
def served(settings: Settings) -> Iterator[str]:
    """Serve the target in a thread; yield its URL."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), port=0, log_level="warning")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the target did not start"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
