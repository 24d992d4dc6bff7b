"""The private folder of the servers that Assay starts (PostgreSQL, Valkey).

It holds their programs, and one slot for each Assay that runs at the same time.
"""

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

MAX_SLOTS = 32
START_SECONDS = 30.0


@dataclass(frozen=True)
class Slot:
    """A folder that only this process uses, and the account of its servers.

    Attributes:
        user: (uid, gid) of the servers if Assay is root, else None.
        password: Password of all servers in the slot, kept as long as their data.
    """

    folder: Path
    user: tuple[int, int] | None
    password: str

    def start(
        self, name: str, command: Sequence[str], log: Path, cores: Sequence[int]
    ) -> processes.Child:
        """Start a server as the slot's user, pinned to `cores` unless that is empty."""
        child = processes.start(
            name,
            command,
            log=log,
            env=environment(),
            cwd=Path("/"),
            cores=cores,
            inherits=processes.Inherited(user=self.user),
        )
        if cores:  # the load generator runs on the same cores
            processes.lower_priority(child)
        return child


def private_folder() -> Path:
    """Return the folder of the servers and their data, creating it if needed.

    Raises:
        MeasureError: The folder belongs to another user or cannot be created.
    """
    is_root = os.geteuid() == 0
    if cache := os.environ.get("ASSAY_CACHE"):
        top = Path(cache).absolute()
    elif is_root:
        # Not in root's home, which the unprivileged servers cannot enter.
        top = Path("/var/tmp/assay-0")
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        top = Path(cache) / "assay"
    advice = "set ASSAY_CACHE to a folder of your own"
    try:
        top.mkdir(parents=True, exist_ok=True)
        status = top.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise MeasureError(f"{top}: not a folder that you own; {advice}")
        closed_parents = [
            parent
            for parent in top.parents
            if is_root and not parent.stat().st_mode & stat.S_IXOTH
        ]
        if closed_parents:
            raise MeasureError(
                f"{closed_parents[0]}: the servers' account cannot enter it (Assay "
                f"runs as root); {advice} that other users can enter"
            )
        top.chmod(0o755 if is_root else 0o700)
        folder = top / "services"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755 if is_root else 0o700)
    except OSError as error:
        raise MeasureError(f"{top}: {error.strerror}; {advice}") from error
    return folder


def server_account() -> tuple[int, int] | None:
    """Return the (uid, gid) that servers run as; None for the current user.

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

    The kernel releases the slot's lock when the process ends, however it ends.

    Raises:
        MeasureError: All slots are taken, or the folder cannot be used.
    """
    folder = private_folder()
    for number in range(MAX_SLOTS):
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
            yield Slot(path, server_account(), _password(path))
        finally:
            os.close(descriptor)
        return
    raise MeasureError(f"{folder}: all {MAX_SLOTS} slots are taken by running Assays")


def _password(folder: Path) -> str:
    path = folder / "password"
    with contextlib.suppress(FileNotFoundError):
        if password := path.read_text():
            return password
    # Data created under a lost password cannot be opened again.
    for data in folder.glob("postgres-*"):
        shutil.rmtree(data)
    password = secrets.token_hex(16)
    write_private(path, password, None)
    return password


def write_private(path: Path, text: str, user: tuple[int, int] | None) -> None:
    """Write a file atomically, readable only by its owner."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if user:
            os.fchown(descriptor, *user)
        file.write(text)
    os.replace(part, path)


def fresh_folder(path: Path, user: tuple[int, int] | None) -> Path:
    """Create an empty folder that only the servers' account can enter."""
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(mode=0o700)
    if user:
        os.chown(path, *user)
    return path


def program_files(name: str, slot: Slot) -> Path:
    """Return a folder with a wheel's files that the servers' account can read.

    An unprivileged account cannot enter a Python environment under root's home, so the
    files are copied once. Each copy is atomic, so two Assays can copy at the same
    time; a missing or truncated file is copied again.
    """
    wheel = importlib.metadata.distribution(name)
    if slot.user is None:
        return Path(str(wheel.locate_file("")))
    services = slot.folder.parent
    target = services / "programs" / f"{name}-{wheel.version}"
    for file in wheel.files or ():
        if ".." in file.parts or "include" in file.parts:
            continue
        if file.suffix in {".py", ".pyc", ".a", ".pyi"}:
            continue
        source, copy = Path(str(wheel.locate_file(file))), target / file
        if copy.is_file() and copy.stat().st_size == source.stat().st_size:
            continue
        for folder in reversed(copy.relative_to(services).parents):
            (services / folder).mkdir(exist_ok=True)
            (services / folder).chmod(0o755)
        part = copy.with_name(f"{copy.name}.{os.getpid()}")
        shutil.copyfile(source, part)
        part.chmod(0o755)
        os.replace(part, copy)
    return target


def end_leftover_server(program: str, folder: Path, slot: Slot) -> None:
    """End a server that a killed Assay left running on data in this slot."""
    owner = slot.user[0] if slot.user else os.geteuid()
    leftovers = []
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
                leftovers.append(process)
    deadline = time.monotonic() + 5.0
    while leftovers and time.monotonic() < deadline:
        time.sleep(0.02)
        leftovers = [process for process in leftovers if _alive(process)]
    for process in leftovers:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _alive(process: psutil.Process) -> bool:
    # Dead orphans stay zombies until init reaps them, which can take seconds.
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def await_answer(
    child: processes.Child, check: Callable[[str], None], url: str
) -> None:
    """Wait until a started server answers.

    Raises:
        MeasureError: The server ended, or does not answer in time; the message quotes
            the end of its log.
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
    """Return the environment of a server.

    The user's PG* variables and locale are left out, because they would change how the
    server works.
    """
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
