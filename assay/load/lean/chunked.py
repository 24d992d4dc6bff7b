"""Bodies that come in chunks (RFC 9112, section 7.1)."""

from assay.load.lean.errors import BadResponseError

LINE_LIMIT = 16 * 1024  # bytes of a size line, with its extensions, or of all trailers


class Chunks:
    """Reads a chunked body piece by piece.

    Attributes:
        length: Bytes of the body so far, without the lines between its chunks.
        complete: Whether the body has ended.
    """

    def __init__(self, keep: int) -> None:
        """Begin a body; at most `keep` of its bytes are kept."""
        self.length = 0
        self.complete = False
        self._room = keep
        self._kept: list[bytes] = []
        self._line = b""  # the beginning of a line
        self._chunk_rest = 0  # bytes of the current chunk that have not come yet
        self._chunk_ended = False  # whether the line break after a chunk comes next
        # 0 until the last chunk has come; then 1, plus the bytes of the trailers.
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> None:
        """Read some bytes.

        Raises:
            BadResponseError: The bytes are not chunked as the standard requires.
        """
        at = 0
        while at < len(data):
            if self.complete:
                raise BadResponseError("the answer goes on after its last chunk")
            if self._chunk_rest:
                piece = data[at : at + self._chunk_rest]
                self._add(piece)
                at += len(piece)
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._line += data[at:]
                if len(self._line) + self._trailer_bytes > LINE_LIMIT:
                    raise BadResponseError(
                        "a line between chunks of the answer does not end"
                    )
                return
            line = self._line + data[at : end + 1]
            self._line = b""
            at = end + 1
            self._read_line(line)

    def body(self) -> bytes:
        """Return the part of the body that was kept."""
        return b"".join(self._kept)

    def _add(self, piece: bytes) -> None:
        self.length += len(piece)
        self._chunk_rest -= len(piece)
        self._chunk_ended = not self._chunk_rest
        if self._room > 0:
            self._kept.append(piece[: self._room])
            self._room -= len(piece)

    def _read_line(self, line: bytes) -> None:
        """Read a complete line: after a chunk, before one, or among the trailers."""
        text = line.strip()
        if self._chunk_ended:
            if text:
                raise BadResponseError("a chunk is longer than its size")
            self._chunk_ended = False
        elif self._trailer_bytes:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > LINE_LIMIT:
                raise BadResponseError("the trailers of the answer do not end")
            self.complete = not text
        else:
            self._chunk_rest = _size(text)
            self._trailer_bytes = 0 if self._chunk_rest else 1


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    # int() accepts signs, blanks and underscores, which the standard does not.
    if not digits or digits.strip(b"0123456789abcdefABCDEF") or len(digits) > 16:
        raise BadResponseError("the size of a chunk is not a number")
    return int(digits, 16)
