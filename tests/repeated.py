"""A decorator that repeats tests whose measurements a busy machine can spoil."""

import functools
from collections.abc import Callable
from typing import Any

TRIES = 3


def repeated(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test up to three times, until it passes.

    A mistake in Assay spoils every try, but a stall of the machine does not. Only a
    failed assertion is tried again; any other exception ends the test. Every try gets
    its own `tmp_path`, and the same objects of all other fixtures.
    """

    @functools.wraps(test)
    def tries(**fixtures: Any) -> None:
        folder = fixtures.get("tmp_path")
        for number in range(1, TRIES + 1):
            if folder is not None:
                fixtures["tmp_path"] = folder / f"try{number}"
                fixtures["tmp_path"].mkdir()
            try:
                return test(**fixtures)
            except AssertionError:
                if number == TRIES:
                    raise

    return tries
