"""The folder that keeps checkouts and environments, and locks for what is in it."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from assay.errors import InputError

KEPT_SECONDS = 30 * 86400.0  # what was not used for so long is removed
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is made by Assay.\n"


def cache_folder() -> Path:
    """Return the folder of Assay's cache, which exists and can be written.

    ``$ASSAY_CACHE``, else ``$XDG_CACHE_HOME/assay``, else ``~/.cache/assay``.

    Raises:
        InputError: It cannot be written.
    """
    if named := os.environ.get("ASSAY_CACHE"):
        folder = Path(named).expanduser()
    else:
        top = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        folder = Path(top) / "assay"
    # Commands are run in it, and their paths are compared: no link on the way.
    folder = Path(os.path.realpath(folder))
    prepare(folder)
    return folder


def prepare(folder: Path) -> None:
    """Make a folder of the cache, and check that it can be written.

    Raises:
        InputError: It cannot be written.
    """
    try:
        # What is checked out can hold what the user keeps to herself.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        # If it lies inside a repository, it is no part of its working tree; and backups
        # leave it out.
        for name, text in ((".gitignore", "*\n"), ("CACHEDIR.TAG", _TAG)):
            if not (folder / name).exists():
                (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{folder}: the cache cannot be written: {error.strerror}; set ASSAY_CACHE "
            "to a folder that you can write"
        ) from error


def key(parts: Iterable[str | bytes]) -> str:
    """Return a short name that two lists of parts share only if they are equal."""
    total = hashlib.sha256()
    for part in parts:
        content = os.fsencode(part)
        total.update(b"%d:%b" % (len(content), content))
    return total.hexdigest()[:20]


class Lock:
    """A lock file that one process holds; the kernel frees it when the process ends."""

    def __init__(self, file: Path) -> None:
        """Name the lock; nobody holds it yet."""
        self._file = file
        self._descriptor: int | None = None

    def take(self, wait: bool, shared: bool = False) -> bool:
        """Take the lock, and say whether that succeeded.

        Args:
            wait: Whether to wait while another process holds it.
            shared: Whether others may hold it, too, as long as they share it.
        """
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        while True:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, mode if wait else mode | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            except BaseException:
                os.close(descriptor)
                raise
            if self._is_current(descriptor):
                break
            os.close(descriptor)  # it was removed while we waited
        os.utime(descriptor)
        self.release()
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._file.stat())
        except FileNotFoundError:
            return False


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock file until the end of the `with` block; wait for others first."""
    lock = Lock(file)
    lock.take(wait=True)
    try:
        yield
    finally:
        lock.release()


def lock_file(entry: Path) -> Path:
    """Return the lock file of one entry of the cache."""
    return entry.with_name(f"{entry.name}.lock")


def remove(folder: Path) -> None:
    """Remove a folder of the cache, also where parts of it are write-protected."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
        return
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError:
        for name, _, _ in os.walk(folder):
            with contextlib.suppress(OSError):
                os.chmod(name, 0o700)
        shutil.rmtree(folder)


def remove_unused(folder: Path, now: float | None = None) -> None:
    """Remove entries that were not used for a month and that nobody holds."""
    before = (time.time() if now is None else now) - KEPT_SECONDS
    for file in folder.glob("*.lock"):
        with contextlib.suppress(OSError):
            if file.stat().st_mtime > before:
                continue
            lock = Lock(file)
            # Taking it would make it look used if this did not succeed below.
            if lock.take(wait=False):
                remove(file.with_suffix(""))
                file.unlink()
                lock.release()
