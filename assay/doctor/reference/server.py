"""Serve HTTP requests that all cost the same, with the standard library alone.

A request costs some 0.25 ms of CPU time, like a small endpoint of a framework, and does
the same kind of work. The amount of work is fixed and does not depend on the machine,
so that all launches do the same work.
"""

import asyncio
import json
import sys

ITEMS = [{"id": n, "name": f"item {n}", "price": 9.5} for n in range(40)]
ROUNDS = 5  # rounds of work for each request
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


def work() -> bytes:
    """Sort and filter the items, and return a page of them as JSON."""
    for _ in range(ROUNDS):
        items = json.loads(json.dumps(ITEMS))
        items.sort(key=lambda item: item["name"], reverse=True)
        body = json.dumps([item["id"] for item in items if item["price"] > 1])
    return body.encode()


class Connection(asyncio.Protocol):
    """One keep-alive connection; its requests have no bodies."""

    def __init__(self) -> None:
        """Begin without received data."""
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, to which answers are written."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every complete request, and keep the start of an incomplete one."""
        assert self._transport is not None
        *requests, self._received = (self._received + data).split(b"\r\n\r\n")
        for _ in requests:
            body = work()
            self._transport.write(HEAD % len(body) + body)


async def serve(port: int) -> None:
    """Serve on a loopback port until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
