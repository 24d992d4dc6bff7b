"""The parts of the lean client that need neither gevent nor Locust."""

import gzip
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.load.lean import request
from assay.load.lean.chunked import LINE_LIMIT, Chunks
from assay.load.lean.coding import decompressed
from assay.load.lean.errors import BadResponseError
from assay.load.lean.request import Fields, Origin

MUCH = 10**6


def chunked(parts: list[bytes], extension: bytes = b"", trailers: bytes = b"") -> bytes:
    """Encode a body as a server does."""
    lines = [b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts if part]
    return b"".join([*lines, b"0", extension, b"\r\n", trailers, b"\r\n"])


@given(
    parts=st.lists(st.binary(max_size=200), max_size=8),
    extension=st.sampled_from([b"", b";a=1", b' ; name="x"']),
    trailers=st.sampled_from([b"", b"x-sum: 1\r\n", b"a: 1\r\nb: 2\r\n"]),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=30),
)
def test_chunks_are_read_however_they_come(
    parts: list[bytes], extension: bytes, trailers: bytes, cuts: list[int]
) -> None:
    wire, chunks = chunked(parts, extension, trailers), Chunks(MUCH)
    at = turn = 0
    while at < len(wire):
        assert not chunks.complete
        size = cuts[turn % len(cuts)]
        chunks.feed(wire[at : at + size])
        at, turn = at + size, turn + 1
    assert chunks.complete
    assert chunks.body() == b"".join(parts)
    assert chunks.length == sum(map(len, parts))


@given(st.binary(min_size=1, max_size=400), st.integers(0, 300))
def test_no_more_is_kept_than_wanted(body: bytes, keep: int) -> None:
    chunks = Chunks(keep)
    chunks.feed(chunked([body[:7], body[7:]]))
    assert chunks.body() == body[:keep]
    assert chunks.length == len(body)


@given(st.binary(max_size=60))
def test_junk_among_chunks_is_an_error_and_no_crash(junk: bytes) -> None:
    chunks = Chunks(MUCH)
    try:
        chunks.feed(junk)
    except BadResponseError:
        return
    assert chunks.length <= len(junk)


@pytest.mark.parametrize(
    "wire",
    [
        b"5\r\nhello!\r\n",
        b"-1\r\n",
        b"+5\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"1_0\r\n",
        b"\r\n",
        b"g\r\n",
        b"0\r\n\r\nmore",
        b"1" * 17 + b"\r\n",
        b"5" * (LINE_LIMIT + 1),
        b"0\r\n" + b"a: b\r\n" * LINE_LIMIT,
    ],
)
def test_what_is_not_chunked_as_it_should_be_is_refused(wire: bytes) -> None:
    with pytest.raises(BadResponseError):
        Chunks(MUCH).feed(wire)


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
}


@given(st.binary(max_size=300), st.sampled_from(sorted(PACKERS)))
def test_compression_is_undone(body: bytes, coding: str) -> None:
    assert decompressed(PACKERS[coding](body), coding, MUCH) == body


def test_deflate_without_its_frame_is_known_too() -> None:
    assert decompressed(raw_deflate(b"hello"), "deflate", MUCH) == b"hello"


@pytest.mark.parametrize("coding", sorted(PACKERS))
def test_a_bomb_does_not_go_off(coding: str) -> None:
    bomb = PACKERS[coding](bytes(50 * MUCH))
    with pytest.raises(ValueError, match="keep_body"):
        decompressed(bomb, coding, MUCH)


@pytest.mark.parametrize("coding", [*sorted(PACKERS), "zstd"])
@pytest.mark.parametrize("body", [b"\x00not compressed", b"\x1f\x8b"])
def test_what_cannot_be_undone_is_an_error(coding: str, body: bytes) -> None:
    with pytest.raises(ValueError):
        decompressed(body, coding, MUCH)


@pytest.mark.parametrize("coding", sorted(PACKERS))
def test_a_body_that_was_cut_off_is_an_error(coding: str) -> None:
    whole = PACKERS[coding](b"hello" * 100)
    with pytest.raises(ValueError, match="ends before"):
        decompressed(whole[:-2], coding, MUCH)


@pytest.mark.parametrize(
    ("url", "origin", "target", "host"),
    [
        ("http://a", Origin(False, "a", 80), "/", "a"),
        ("http://a:81/b?c=d#e", Origin(False, "a", 81), "/b?c=d", "a:81"),
        (
            "https://a/é b?q=\u20ac",
            Origin(True, "a", 443),
            "/%C3%A9%20b?q=%E2%82%AC",
            "a",
        ),
        ("http://[::1]:8/x", Origin(False, "::1", 8), "/x", "[::1]:8"),
        ("http://a/%41%zz", Origin(False, "a", 80), "/%41%zz", "a"),
    ],
)
def test_addresses(url: str, origin: Origin, target: str, host: str) -> None:
    found = request.parse_address(url)
    assert (found.origin, found.target, found.host) == (origin, target, host)


def test_a_name_and_a_password_become_a_header() -> None:
    found = request.parse_address("http://us%3Aer:p%40ss@host:8/x")
    assert found.auth == "Basic dXM6ZXI6cEBzcw=="
    assert found.host == "host:8"
    assert "p%40ss" not in found.url


@pytest.mark.parametrize("url", ["ftp://a", "a/b", "http://", "//x", "http:///y"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not an http"):
        request.parse_address(url)


def test_params_join_the_query() -> None:
    assert request.with_params("/a", {"x": [1, 2], "y": "ü"}) == "/a?x=1&x=2&y=%C3%BC"
    assert request.with_params("/a?b=1#c", {"d": 2}) == "/a?b=1&d=2#c"
    assert request.with_params("/a", None) == "/a"


def test_fields_of_one_name_win_in_turn() -> None:
    merged = Fields({"Accept": "a", "X": "1"}, None, {"accept": b"b"}, {"Y": 5})
    assert merged == {"X": "1", "accept": "b", "Y": "5"}


@pytest.mark.parametrize(
    ("data", "as_json", "sent", "kind"),
    [
        (None, None, b"", None),
        ("ü", None, "ü".encode(), None),
        (b"x", None, b"x", None),
        ({"a": [1, 2]}, None, b"a=1&a=2", "application/x-www-form-urlencoded"),
        ([("a", 1)], None, b"a=1", "application/x-www-form-urlencoded"),
        (None, {"a": 1}, b'{"a": 1}', "application/json"),
        (None, [], b"[]", "application/json"),
        ("x", {"a": 1}, b"x", None),
    ],
)
def test_bodies(data: object, as_json: object, sent: bytes, kind: str | None) -> None:
    body, headers = request.body(data, as_json)
    assert (body, headers.get("Content-Type")) == (sent, kind)


def test_a_file_is_no_body() -> None:
    with pytest.raises(TypeError, match="FastHttpUser"):
        request.body(iter([b"x"]), None)


def test_a_head_is_what_the_standard_wants() -> None:
    address = request.parse_address("http://a:81/b?c=d")
    wire = request.head("POST", address, {"X": "1"}, 0)
    assert wire == (
        b"POST /b?c=d HTTP/1.1\r\nHost: a:81\r\nX: 1\r\nContent-Length: 0\r\n\r\n"
    )
    assert b"Content-Length" not in request.head("GET", address, {}, 0)


@pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\nb", "\r"])
def test_no_value_can_begin_a_header_of_its_own(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        request.head("GET", request.parse_address("http://a"), {"X": value}, 0)
