"""A server with a poller and eight threads, like gunicorn's gthread worker.

The study copies it beside a locustfile and starts it there. It is not imported. An idle
connection occupies no thread. A thread sleeps 10 ms before each answer.
"""

import selectors
import socket
import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

THREADS = 8
ANSWER_SECONDS = 0.010
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Accepts connections, waits for requests, and lets the threads answer them."""

    def __init__(self, port: int) -> None:
        """Listen on a port."""
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        # A thread that has answered sends a byte, which wakes the poller.
        self.waker, self.woken = socket.socketpair()
        self.answered: deque[socket.socket] = deque()
        self.threads = ThreadPoolExecutor(THREADS)
        self.selector = selectors.DefaultSelector()
        for source in (self.listener, self.woken):
            self.selector.register(source, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve forever."""
        while True:
            for key, _ in self.selector.select():
                ready = key.fileobj
                assert isinstance(ready, socket.socket)
                if ready is self.listener:
                    self.wait_for(ready.accept()[0])
                elif ready is self.woken:
                    ready.recv(4096)
                    while self.answered:
                        self.wait_for(self.answered.popleft())
                else:
                    self.selector.unregister(ready)
                    self.threads.submit(self.answer, ready)

    def wait_for(self, connection: socket.socket) -> None:
        """Let the poller wait for a connection's next request."""
        self.selector.register(connection, selectors.EVENT_READ)

    def answer(self, connection: socket.socket) -> None:
        """Read and answer one request, and hand the connection back to the poller."""
        try:
            request = connection.recv(65536)
            while request and not request.endswith(b"\r\n\r\n"):
                request += connection.recv(65536)
            if not request:
                connection.close()
                return
            time.sleep(ANSWER_SECONDS)
            connection.sendall(ANSWER)
        except OSError:
            connection.close()
            return
        self.answered.append(connection)
        self.waker.send(b"x")


if __name__ == "__main__":
    Server(int(sys.argv[1])).run()
