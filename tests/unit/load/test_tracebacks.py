"""Where a locustfile raised an error, in bounded number and length."""

import pytest

from assay.load import tracebacks
from assay.load.recorder import Recorder
from assay.load.tracebacks import MAX_LENGTH, MAX_TRACEBACKS


def raised(source: str, path: str, **names: object) -> BaseException:
    """Return the error that some code raises, as if it lay in a file."""
    with pytest.raises(Exception) as caught:
        exec(compile(source, path, "exec"), names)
    first = caught.value.__traceback__
    assert first is not None
    return caught.value.with_traceback(first.tb_next)


def test_it_begins_with_the_locustfiles_own_code() -> None:
    def own() -> None:
        exec(compile("1 / 0", "/home/me/locustfile.py", "exec"))

    runner = "/x/site-packages/locust/user/task.py"
    text = tracebacks.text(raised("\n\nown()", runner, own=own))
    assert "/home/me/locustfile.py" in text and "task.py" not in text
    assert text.endswith("ZeroDivisionError: division by zero")


def test_an_error_of_the_runner_itself_keeps_its_last_frame() -> None:
    text = tracebacks.text(raised("1 / 0", "/x/locust/user/task.py"))
    assert "task.py" in text and "ZeroDivisionError" in text


def test_a_long_one_keeps_its_end() -> None:
    text = tracebacks.text(ValueError("x" * 9000 + "the end"))
    assert len(text) == MAX_LENGTH
    assert text.startswith("…") and text.endswith("the end")
    with pytest.raises(RecursionError) as caught:

        def again() -> None:
            again()

        again()
    assert len(tracebacks.text(caught.value)) <= MAX_LENGTH


def test_a_secret_at_the_cut_is_hidden() -> None:
    url = "postgres://me:S3CRETS3CRET@db/x"
    for kept in range(1, 40):
        text = tracebacks.text(ValueError(f"{url} {'x' * (MAX_LENGTH - kept)}"))
        assert "CRET" not in text and len(text) <= MAX_LENGTH


def test_an_error_that_cannot_be_printed() -> None:
    class Odd(Exception):
        __notes__ = property(lambda self: 1 / 0)

    assert "Odd" in tracebacks.text(Odd())


def test_the_first_of_each_error_is_kept_of_a_bounded_number() -> None:
    taken = Recorder()
    for number in range(2 * MAX_TRACEBACKS):
        for _ in range(3):
            taken.add_raised("buy", ValueError(f"\ud800 {number}"))
    first = taken.flush()
    assert len(first.tracebacks) == MAX_TRACEBACKS
    assert first.tracebacks["task buy raised ValueError: ? 0"] == "ValueError: ? 0"
    taken.add_raised("buy", ValueError("\ud800 0"))
    assert taken.flush().tracebacks == {}  # it is known already


def test_of_several_workers_the_first_of_each_error_is_kept() -> None:
    many = {f"error {number}": "there" for number in range(50)}
    found = tracebacks.merged({"error 7": "here"}, many)
    assert len(found) == MAX_TRACEBACKS and found["error 7"] == "here"


def test_texts_of_workers_are_cut() -> None:
    ((error, trace),) = tracebacks.merged({"e" * 9000: "t" * 9000 + "end"}).items()
    assert len(error) == len(trace) == MAX_LENGTH and trace.endswith("end")
