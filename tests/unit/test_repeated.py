"""A test that is repeated passes if one try does, and fails if none does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.repeated import TRIES, repeated


def failing(times: int) -> tuple[Callable[..., None], list[Path]]:
    """Return a test that fails this many times, and a list of the folders it gets."""
    folders: list[Path] = []

    @repeated
    def test(tmp_path: Path) -> None:
        folders.append(tmp_path)
        assert len(folders) > times

    return test, folders


def test_one_try_that_passes_is_enough(tmp_path: Path) -> None:
    test, folders = failing(TRIES - 1)
    test(tmp_path=tmp_path)
    assert len(set(folders)) == TRIES
    assert all(folder.is_dir() for folder in folders)


def test_what_fails_every_time_has_failed(tmp_path: Path) -> None:
    test, folders = failing(TRIES)
    with pytest.raises(AssertionError):
        test(tmp_path=tmp_path)
    assert len(folders) == TRIES


def test_what_cannot_be_done_is_not_repeated(tmp_path: Path) -> None:
    tried = 0

    @repeated
    def test() -> None:
        nonlocal tried
        tried += 1
        raise OSError

    with pytest.raises(OSError):
        test()
    assert tried == 1
