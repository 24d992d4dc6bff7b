"""Makes a commit of uncommitted changes, and leaves index, stash and refs alone."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from assay.errors import InputError
from assay.subject import git

_SUBMODULE = b"160000"


def take(root: Path, head: str, store: Path) -> str | None:
    """Return a commit with the files of a working tree; None if nothing was changed.

    The same files on the same `head` always give the same commit. New objects are
    written to `store`. In the user's repository, git only updates the times of objects
    that the snapshot uses.

    Args:
        root: The top of the work tree.
        head: The commit that is checked out.
        store: The folder for the objects of the snapshot.

    Raises:
        InputError: A file cannot be read, or the store cannot be written.
    """
    with _temporary_index(root, store) as variables:

        def run(*words: str | bytes, feed: bytes | None = None) -> bytes:
            return git.run(root, *words, feed=feed, more=variables)

        try:
            run("add", "--all", "--", ".")
            _keep_submodules(run("ls-files", "-s", "-z"), run, head)
            tree = run("write-tree").strip()
            if tree == run("rev-parse", f"{head}^{{tree}}").strip():
                return None
            variables.update(_author(run("log", "-1", "--format=%ct", head, "--")))
            words = ("commit-tree", "--no-gpg-sign", "-p", head, "-m", "working tree")
            return run(*words, tree).decode().strip()
        except git.GitError as error:
            raise InputError(
                f"{root}: the uncommitted changes cannot be read: {error.stderr}; mend "
                "that, or commit them and name the commit: assay compare BASE HEAD"
            ) from error


@contextlib.contextmanager
def _temporary_index(root: Path, store: Path) -> Iterator[dict[str, str]]:
    """Yield variables that make git write to a temporary index and to `store`."""
    objects = root / git.line(root, "rev-parse", "--git-path", "objects")
    index = root / git.line(root, "rev-parse", "--git-path", "index")
    try:
        store.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix="index-", dir=store.parent)
    except OSError as error:
        raise InputError(
            f"{store}: cannot be written: {error.strerror}; set ASSAY_CACHE to a "
            "folder that you can write"
        ) from error
    try:
        own_index = os.path.join(folder, "index")
        # The copy tells git which files are unchanged. It also tells which files a
        # sparse checkout leaves out, so that these do not count as deleted.
        if index.exists():
            shutil.copy2(index, own_index)
        yield {
            "GIT_INDEX_FILE": own_index,
            "GIT_OBJECT_DIRECTORY": os.fspath(store),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": git.quoted(objects),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _keep_submodules(listed: bytes, run: Callable[..., bytes], head: str) -> None:
    """Set the submodules to those of HEAD; leave out other nested repositories."""
    # The commit of each path.
    wanted = {
        entry.partition(b"\t")[2]: entry.split()[2].partition(b"\t")[0]
        for entry in run("ls-tree", "-r", "-z", "--full-tree", head).split(b"\0")
        if entry.startswith(_SUBMODULE)
    }
    in_index = {
        entry.partition(b"\t")[2]: entry.split()[1]
        for entry in listed.split(b"\0")
        if entry.startswith(_SUBMODULE)
    }
    lines = [b"0 %b\t%b" % (b"0" * len(in_index[path]), path) for path in in_index]
    lines += [b"160000 %b\t%b" % (commit, path) for path, commit in wanted.items()]
    if lines and in_index != wanted:
        run("update-index", "-z", "--index-info", feed=b"\0".join(lines) + b"\0")


def _author(committed: bytes) -> Mapping[str, str]:
    """Return variables for an author and a time that depend on HEAD only."""
    moment = f"{committed.decode().strip()} +0000"
    who = {"NAME": "Assay", "EMAIL": "assay@localhost", "DATE": moment}
    return {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in who.items()
    }
