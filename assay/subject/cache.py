"""The cache folder for checkouts and environments, and locks for its entries."""

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

KEPT_SECONDS = 30 * 86400.0  # entries unused for longer are removed
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is made by Assay.\n"


def cache_folder() -> Path:
    """Return the folder of Assay's cache, which exists and can be written.

    This is ``$ASSAY_CACHE``, else ``$XDG_CACHE_HOME/assay``, else ``~/.cache/assay``.

    Raises:
        InputError: The folder cannot be written.
    """
    if named := os.environ.get("ASSAY_CACHE"):
        folder = Path(named).expanduser()
    else:
        top = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        folder = Path(top) / "assay"
    # Links are resolved, because paths of files in the cache are compared.
    folder = Path(os.path.realpath(folder))
    prepare(folder)
    return folder


def prepare(folder: Path) -> None:
    """Make a folder of the cache, and check that it can be written.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        # Checkouts can hold private code, so no other user may read the cache.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        # The first file hides the cache from git, if it lies inside a repository. The
        # second one makes backups leave it out.
        for name, text in ((".gitignore", "*\n"), ("CACHEDIR.TAG", _TAG)):
            if not (folder / name).exists():
                (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{folder}: the cache cannot be written: {error.strerror}; set ASSAY_CACHE "
            "to a folder that you can write"
        ) from error


def key(parts: Iterable[str | bytes]) -> str:
    """Return a short name for a list of parts; different lists get different names."""
    total = hashlib.sha256()
    for part in parts:
        content = os.fsencode(part)
        total.update(b"%d:%b" % (len(content), content))
    return total.hexdigest()[:20]


class Lock:
    """A lock file that one process holds, or that several processes share.

    The kernel frees the lock when the process ends.
    """

    def __init__(self, file: Path) -> None:
        """Name the lock file; the lock is not taken yet."""
        self._file = file
        self._descriptor: int | None = None

    def take(self, wait: bool, shared: bool = False) -> bool:
        """Take the lock; return whether that succeeded.

        Args:
            wait: Whether to wait while another process holds the lock. Without waiting,
                the result is then False.
            shared: Whether other processes may share the lock.
        """
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        while True:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, mode if wait else mode | fcntl.LOCK_NB)
                if self._is_current(descriptor):
                    os.utime(descriptor)
                    break
            except BlockingIOError:
                os.close(descriptor)
                return False
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # the file was removed while we waited
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
    """Remove a folder of the cache, even if folders in it are write-protected.

    A file or a link is removed, too. Nothing happens if the folder is missing.
    """
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
    """Remove entries that no process holds and none has used for `KEPT_SECONDS`."""
    before = (time.time() if now is None else now) - KEPT_SECONDS
    for file in folder.glob("*.lock"):
        with contextlib.suppress(OSError):
            if file.stat().st_mtime > before:
                continue
            lock = Lock(file)
            # Taking the lock renews the time of its file, so the time is checked first.
            if lock.take(wait=False):
                try:
                    remove(file.with_suffix(""))
                    file.unlink()
                finally:
                    lock.release()
