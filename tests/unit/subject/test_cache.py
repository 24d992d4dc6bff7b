"""The cache: locks are released, whatever happens to the files."""

import os
from pathlib import Path

import pytest

from assay.subject import cache, checkouts
from assay.subject.cache import Lock, lock_file, remove_unused

FAR_FUTURE = 1e12  # at this time, every entry has long been unused


def fail(*_: object) -> None:
    raise OSError("it cannot be done")


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    place = tmp_path / "entry"
    place.mkdir()
    lock_file(place).touch()
    return place


def test_an_unused_entry_is_removed_with_its_lock(entry: Path) -> None:
    remove_unused(entry.parent, FAR_FUTURE)
    assert not list(entry.parent.iterdir())


def test_an_entry_that_cannot_be_removed_is_not_kept_locked(
    entry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(cache, "remove", fail)
        remove_unused(entry.parent, FAR_FUTURE)
    assert entry.is_dir() and descriptors() == before
    lock = Lock(lock_file(entry))
    assert lock.take(wait=False)
    lock.release()


def test_a_checkout_that_cannot_be_removed_is_not_kept_locked(
    entry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = descriptors()
    lock = Lock(lock_file(entry))
    assert lock.take(wait=False)
    monkeypatch.setitem(checkouts._held, entry, lock)
    monkeypatch.setattr(checkouts, "remove", fail)
    with pytest.raises(OSError, match="cannot be done"):
        checkouts.discard(entry)
    assert descriptors() == before


def test_a_lock_that_cannot_be_taken_is_not_held(
    entry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, "utime", fail)
        with pytest.raises(OSError, match="cannot be done"):
            Lock(lock_file(entry)).take(wait=True)
    assert descriptors() == before
