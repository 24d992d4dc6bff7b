"""Real git repositories for tests."""

import hashlib
import os
import subprocess
from pathlib import Path

from assay.subject.repository import Repository

SETTINGS = ("user.name=Ada", "user.email=ada@example.org", "init.defaultBranch=main")


def git(folder: Path, *words: str) -> str:
    """Run git as a person would, and return what it printed."""
    settings = [word for setting in SETTINGS for word in ("-c", setting)]
    protocol = ("-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *settings, *protocol, *words],
        cwd=folder,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
            # `git status` must not write the index, whose content tests compare.
            "GIT_OPTIONAL_LOCKS": "0",
        },
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return os.fsdecode(done.stdout).strip()


def create(folder: Path, **files: str) -> Path:
    """Make a repository with one commit of `a.py` and the given files."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    commit(folder, "first", **{"a.py": "one\n", **files})
    return folder


def commit(folder: Path, message: str, **files: str) -> str:
    """Write files and commit everything; return the commit."""
    write(folder, **files)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def write(folder: Path, **files: str) -> None:
    """Write files by their paths."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def found(folder: Path, cache: Path) -> Repository:
    """Return the repository of a folder."""
    return Repository.find(folder, cache)


def fingerprint(folder: Path) -> str:
    """Return a hash of every file of a work tree and of its repository.

    The hash includes the time of each file, except of git's objects: git may update the
    time of an object that it needs.
    """
    total = hashlib.sha256()
    for top, folders, files in os.walk(os.fsencode(folder)):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(top, name)
            status = os.lstat(path)
            changed = 0 if b"/.git/objects/" in path else status.st_mtime_ns
            kept = f"{status.st_mode} {status.st_size} {changed}"
            content = os.readlink(path) if os.path.islink(path) else _read(path)
            total.update(b"\0".join([path, kept.encode(), content]))
    return total.hexdigest() + git(folder, "status", "--porcelain", "--ignored")


def _read(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()
