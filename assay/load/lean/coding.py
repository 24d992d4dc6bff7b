"""Decompression of bodies."""

import zlib


def decompressed(body: bytes, coding: str, max_size: int) -> bytes:
    """Return a body after decompression.

    Args:
        body: The body as it was received.
        coding: Its Content-Encoding, in lower case.
        max_size: Largest number of bytes of the result: a small body can hold
            gigabytes.

    Raises:
        ValueError: The result is longer, the body is damaged, or its coding is unknown.
    """
    try:
        if coding in ("gzip", "x-gzip"):
            plain = _inflated(body, 16 + zlib.MAX_WBITS, max_size)
        elif coding == "deflate":
            try:
                plain = _inflated(body, zlib.MAX_WBITS, max_size)
            except zlib.error:  # some servers leave out zlib's own frame
                plain = _inflated(body, -zlib.MAX_WBITS, max_size)
        elif coding == "br":
            plain = _from_brotli(body, max_size)
        else:
            raise ValueError(f"the body's coding {coding!r} is not supported")
    except zlib.error as error:
        raise ValueError(f"the body is not {coding}, as its header says") from error
    if len(plain) > max_size:
        raise ValueError(
            f"the body has more than {max_size:,} bytes once it is decompressed: set "
            "keep_body on the user to read it"
        )
    return plain


def _inflated(body: bytes, bits: int, max_size: int) -> bytes:
    decompressor = zlib.decompressobj(bits)
    plain = decompressor.decompress(body, max_size + 1)
    if not decompressor.eof and len(plain) <= max_size:
        raise ValueError("the body ends before its compression does")
    return plain


def _from_brotli(body: bytes, max_size: int) -> bytes:
    import brotli

    decompressor = brotli.Decompressor()
    try:
        plain: bytes = decompressor.process(body, output_buffer_limit=max_size + 1)
    except brotli.error as error:
        raise ValueError("the body is not br, as its header says") from error
    if not decompressor.is_finished() and len(plain) <= max_size:
        raise ValueError("the body ends before its compression does")
    return plain
