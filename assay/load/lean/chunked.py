"""Bodies that come in chunks (RFC 9112, section 7.1)."""

from assay.load.lean.errors import BadResponseError

LINE_LIMIT = 16 * 1024  # bytes of a size line, with its extensions, or of all trailers


class Chunks:
    """Takes a chunked body piece by piece.

    Attributes:
        length: Bytes of the body so far, without what is around the chunks.
        complete: Whether it has ended.
    """

    def __init__(self, keep: int) -> None:
        """Begin; keep at most so many bytes of the body."""
        self.length = 0
        self.complete = False
        self._room = keep
        self._kept: list[bytes] = []
        self._line = b""  # a line that has begun
        self._left = 0  # of the chunk that is under way
        self._ending = False  # a chunk has ended, its line break is due
        self._trailing = 0  # bytes of trailers; 0 before the last chunk

    def feed(self, data: bytes) -> None:
        """Take what came.

        Raises:
            BadResponseError: It is not chunked as the standard says.
        """
        at = 0
        while at < len(data):
            if self.complete:
                raise BadResponseError("there is more than its last chunk")
            if self._left:
                piece = data[at : at + self._left]
                self._take(piece)
                at += len(piece)
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._line += data[at:]
                if len(self._line) + self._trailing > LINE_LIMIT:
                    raise BadResponseError("a line among its chunks does not end")
                return
            line = self._line + data[at : end + 1]
            self._line = b""
            at = end + 1
            self._read(line)

    def body(self) -> bytes:
        """Return what was kept of the body."""
        return b"".join(self._kept)

    def _take(self, piece: bytes) -> None:
        self.length += len(piece)
        self._left -= len(piece)
        self._ending = not self._left
        if self._room > 0:
            self._kept.append(piece[: self._room])
            self._room -= len(piece)

    def _read(self, line: bytes) -> None:
        """Take a line that ends: after a chunk, before one, or among the trailers."""
        text = line.strip()
        if self._ending:
            if text:
                raise BadResponseError("a chunk is longer than its size")
            self._ending = False
        elif self._trailing:
            self._trailing += len(line)
            if self._trailing > LINE_LIMIT:
                raise BadResponseError("its trailers do not end")
            self.complete = not text
        else:
            self._left = _size(text)
            self._trailing = 0 if self._left else 1


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    # int() takes signs, blanks and underscores, which the standard does not.
    if not digits or digits.strip(b"0123456789abcdefABCDEF") or len(digits) > 16:
        raise BadResponseError("a chunk's size is no number")
    return int(digits, 16)
