"""What is kept of a request: its times, its name, and how it ended."""

import errno
import math
import os
import socket
from array import array

import pytest

from assay.experiment.slices import TIMED_OUT as READ_AS
from assay.load import recorder
from assay.load.answers import pack
from assay.load.protocol import COLUMNS
from assay.load.recorder import FAILED, FINE, TIMED_OUT, Recorder


def named(name: str, method: str = "GET") -> tuple[str, str, str]:
    return "request", method, name


class ReadTimeout(OSError):
    """An error type of a client."""


class ConnectTimeoutError(ReadTimeout):
    """An error type that is derived from another one."""


class Wrapped(Exception):
    """An error that contains the original one, as in Locust and requests."""

    def __init__(self, reason: BaseException) -> None:
        self.reason = reason
        super().__init__("something failed")


def caused(by: BaseException) -> BaseException:
    error = RuntimeError("no luck")
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, FINE),
        (TimeoutError(), TIMED_OUT),
        (socket.timeout("timed out"), TIMED_OUT),
        (ReadTimeout(), TIMED_OUT),
        (ConnectTimeoutError(), TIMED_OUT),
        (caused(ReadTimeout()), TIMED_OUT),
        (Wrapped(TimeoutError()), TIMED_OUT),
        (ConnectionResetError(), FAILED),
        (caused(ValueError()), FAILED),
        (Wrapped(ConnectionRefusedError()), FAILED),
        # A server's message about a timeout is no timeout of the client.
        (RuntimeError("504 Gateway Timeout"), FAILED),
        ("timeout", FAILED),
    ],
)
def test_a_client_that_gave_up_is_told_from_an_error(
    error: object, outcome: int
) -> None:
    taken = Recorder()
    taken.add(named("/"), 0.0, 0.0, 0.1, 0.2, 3, (error, 0, 0))
    assert list(taken.request_columns["failed"]) == [outcome]
    assert len(taken.errors) == (error is not None)


def test_who_reads_a_slice_knows_the_same_number() -> None:
    assert READ_AS == TIMED_OUT


def test_an_arrival_that_nobody_answered_has_no_end() -> None:
    taken = Recorder()
    taken.add_unserved(1.5)
    assert taken.request_columns["scheduled"][0] == 1.5
    assert math.isnan(taken.request_columns["end"][0])
    assert math.isnan(taken.request_columns["start"][0])
    assert taken.request_columns["failed"][0] == FAILED
    assert taken.request_columns["user"][0] == recorder.NO_USER


def test_it_is_known_when_a_request_without_an_answer_was_sent() -> None:
    taken = Recorder()
    taken.add_unserved(1.5, 2.25)
    assert taken.request_columns["start"][0] == 2.25
    assert math.isnan(taken.request_columns["end"][0])


def test_the_body_is_the_columns_one_after_the_other() -> None:
    taken = Recorder()
    taken.add(named("/a"), 1.0, 0.125, 1.25, 1.5, 7)
    taken.add(named("/b"), 2.0, 0.0, 2.25, 2.5, 8, ("500", 500, 70))
    recording = taken.flush()
    body, offset = pack(recording.request_columns), 0
    for name, code in COLUMNS:
        column = array(code)
        size = 2 * column.itemsize
        column.frombytes(body[offset : offset + size])
        offset += size
        assert list(column) == recording.request_columns[name].tolist()
    assert offset == len(body)
    assert recording.request_columns["end"].tolist() == [1.5, 2.5]
    assert recording.request_columns["name"].tolist() == [0, 1]


def test_names_and_errors_do_not_grow_without_bound() -> None:
    taken = Recorder()
    for number in range(recorder.MAX_NAMES + 50):
        taken.add(named(f"/items/{number}"), 0.0, 0.0, 0.0, 0.1, 0)
    assert len(taken.names) == recorder.MAX_NAMES + 1
    assert taken.request_columns["name"][-1] == taken.names[named(recorder.OTHER, "")]
    taken.add(named("/items/3"), 0.0, 0.0, 0.0, 0.1, 0, ("x" * 10_000, 0, 0))
    assert taken.request_columns["name"][-1] == taken.names[named("/items/3")]
    assert max(len(text) for _, _, text in taken.errors) == recorder.ERROR_LENGTH


def test_a_secret_of_an_error_is_hidden_before_the_text_is_cut() -> None:
    taken = Recorder()
    url = "x" * 170 + " http://me:hunter2x9-and-a-long-password@db.example/" + "x" * 99
    taken.add(named("/look"), 0.0, 0.0, 0.0, 0.1, 0, (url, 0, 0))
    taken.add_raised("look", ValueError(url))
    ((_, _, error),) = taken.errors
    (raised,) = taken.raised
    for text in (error, raised):
        assert "hunter2" not in text and len(text) == recorder.ERROR_LENGTH
    taken.add_raised("look", ValueError("http://me:" + "y" * 4000 + "hunter2x9@db/"))
    assert "hunter2" not in "".join(taken.tracebacks.values())


def test_the_same_error_is_counted() -> None:
    taken = Recorder()
    for _ in range(3):
        taken.add(named("/"), 0.0, 0.0, 0.0, 0.1, 0, ("500", 500, 9))
    taken.add(named("/", "POST"), 0.0, 0.0, 0.0, 0.1, 0, ("500", 500, 9))
    recording = taken.flush()
    assert recording.errors == {"GET /: 500": 3, "POST /: 500": 1}


def test_errors_with_ids_in_them_are_bounded_over_the_whole_test() -> None:
    taken = Recorder()
    for second in range(3):
        for number in range(recorder.MAX_NAMES):
            error = ValueError(f"order {second}-{number} is missing")
            taken.add(named("/orders"), 0.0, 0.0, 0.0, 1.0, 0, (error, 0, 0))
        recording = taken.flush()
        assert sum(recording.errors.values()) == recorder.MAX_NAMES
        if second:
            assert recording.errors == {recorder.OTHER_ERRORS: recorder.MAX_NAMES}


def test_halves_of_letters_are_replaced_since_no_message_holds_them() -> None:
    taken = Recorder()
    for _ in range(2):
        taken.add(named("/\ud800"), 0.0, 0.0, 0.0, 1.0, 0, (ValueError("\udfff"), 0, 0))
    recording = taken.flush()
    assert recording.names == [("request", "GET", "/?")]
    assert recording.errors == {"GET /?: ?": 2}


def test_what_a_task_raises_is_no_request() -> None:
    taken = Recorder()
    taken.add_raised("buy", ValueError("too dear"))
    taken.add_task("buy", 1.0, 0.25, 1.5, 2.0, 3, FAILED)
    recording = taken.flush()
    assert len(recording.request_columns["end"]) == 0
    assert len(recording.task_columns["end"]) == 1
    assert recording.raised == {"task buy raised ValueError: too dear": 1}
    assert recording.names == [("task", "", "buy")]
    assert recording.errors == {}


def connecting(number: int) -> BaseException:
    """Return the error that requests raises if a connection cannot be opened."""
    try:
        try:
            raise OSError(number, os.strerror(number))
        except OSError as error:
            raise RuntimeError("failed to establish a new connection") from error
    except RuntimeError as error:
        return Wrapped(error)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "descriptor"),
        (connecting(errno.EMFILE), "descriptor"),
        (connecting(errno.ENFILE), "descriptor"),
        (connecting(errno.EADDRNOTAVAIL), "port"),
        (MemoryError(), "memory"),
        (connecting(errno.ENOBUFS), "memory"),
    ],
)
def test_limits_of_this_machine_are_named(error: BaseException, word: str) -> None:
    taken = Recorder()
    taken.add(named("/"), 0.0, 0.0, 0.0, 0.1, 0, (error, 0, 0))
    assert word in taken.flush().limit


@pytest.mark.parametrize(
    "error",
    [
        "[Errno 24] Too many open files",  # a server can send this text about itself
        RuntimeError("[Errno 24] Too many open files"),
        connecting(errno.ECONNREFUSED),
        None,
    ],
)
def test_what_the_server_says_is_no_limit_of_ours(error: object) -> None:
    taken = Recorder()
    taken.add(named("/"), 0.0, 0.0, 0.0, 0.1, 0, (error, 0, 0))
    assert taken.limit == ""
