"""The other service: it answers after two milliseconds."""

import asyncio
import sys

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer whatever is asked."""
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(0.002)
            writer.write(HEAD)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    """Serve on the port that is named."""
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
