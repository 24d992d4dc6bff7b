"""Messages between Assay and the Locust process."""

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.load import protocol

headers = st.dictionaries(
    st.text(max_size=10), st.integers() | st.text(max_size=20) | st.none()
)


@given(headers, st.binary(max_size=3000))
def test_what_is_sent_is_received(header: dict[str, object], body: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        protocol.send(ours, header, body)
        assert protocol.receive(theirs) == (header, body)


def test_a_large_body_arrives_whole() -> None:
    ours, theirs = socket.socketpair()
    body = bytes(range(256)) * 40_000
    with ours, theirs:
        sender = threading.Thread(target=protocol.send, args=(ours, {}, body))
        sender.start()
        assert protocol.receive(theirs)[1] == body
        sender.join()


def test_a_closed_channel_is_said() -> None:
    ours, theirs = socket.socketpair()
    ours.sendall(b"\0\0")
    ours.close()
    with theirs, pytest.raises(EOFError):
        protocol.receive(theirs)


def test_a_request_has_the_name_that_people_write() -> None:
    names = [("start", "POST", "/login"), ("request", "GET", "/"), ("stop", "", "x")]
    found = [protocol.request_label(name) for name in names]
    assert found == ["POST /login", "GET /", "x"]
