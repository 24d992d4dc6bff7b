"""Bodies without their compression."""

import zlib


def decompressed(body: bytes, coding: str, most: int) -> bytes:
    """Return a body without its compression.

    Args:
        body: As it came.
        coding: Its Content-Encoding, in small letters.
        most: Bytes that may come out: a small body can hold gigabytes.

    Raises:
        ValueError: It is longer, damaged, or of a coding that is not known here.
    """
    try:
        if coding in ("gzip", "x-gzip"):
            plain = _inflated(body, 16 + zlib.MAX_WBITS, most)
        elif coding == "deflate":
            try:
                plain = _inflated(body, zlib.MAX_WBITS, most)
            except zlib.error:  # some servers leave out zlib's own frame
                plain = _inflated(body, -zlib.MAX_WBITS, most)
        elif coding == "br":
            plain = _from_brotli(body, most)
        else:
            raise ValueError(f"the body's coding {coding!r} is not known here")
    except zlib.error as error:
        raise ValueError(f"the body is not {coding}, as its header says") from error
    if len(plain) > most:
        raise ValueError(
            f"the body has more than {most:,} bytes once it is decompressed: set "
            "keep_body on the user to read it"
        )
    return plain


def _inflated(body: bytes, bits: int, most: int) -> bytes:
    inflating = zlib.decompressobj(bits)
    plain = inflating.decompress(body, most + 1)
    if not inflating.eof and len(plain) <= most:
        raise ValueError("the body ends before its compression does")
    return plain


def _from_brotli(body: bytes, most: int) -> bytes:
    import brotli

    inflating = brotli.Decompressor()
    try:
        plain: bytes = inflating.process(body, output_buffer_limit=most + 1)
    except brotli.error as error:
        raise ValueError("the body is not br, as its header says") from error
    if not inflating.is_finished() and len(plain) <= most:
        raise ValueError("the body ends before its compression does")
    return plain
