"""Makes clean checkouts of commits in Assay's cache.

A checkout is a separate repository that reads the user's objects through
``objects/info/alternates``. So nothing is written to the user's repository. `git
worktree` would leave an entry there for each commit, and a broken entry for each killed
run. Unlike an export, a checkout has history and tags, so that `git describe` and
setuptools-scm give the right version.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from assay.errors import InputError, MeasureError
from assay.subject import git
from assay.subject.cache import (
    Lock,
    cache_folder,
    lock_file,
    prepare,
    remove,
    remove_unused,
)
from assay.subject.repository import Commit, Repository
from assay.wording import one_line

__all__ = ["cache_folder", "checkout", "clean", "discard"]

# The folder in .git for Assay's notes about a checkout; cleaning removes it.
NOTES = "assay"
_MAX_COPIES = 100
_MAX_DEPTH = 10  # how deeply submodules may be nested
# The checkouts that this process uses; their locks are held until it ends.
_held: dict[Path, Lock] = {}


def checkout(repository: Repository, commit: Commit, cache: Path) -> Path:
    """Return a clean checkout of a commit, which this process holds until it ends.

    An earlier checkout is used again, unless another process holds it. Files that an
    earlier process left in it are removed. If this process already holds the checkout,
    ignored files stay.

    Args:
        repository: The user's repository.
        commit: The commit.
        cache: The folder of Assay's cache.

    Raises:
        InputError: The cache cannot be written.
        MeasureError: The commit, or one of its submodules, cannot be checked out, or
            too many processes use checkouts of the commit.
    """
    folder = cache / "checkouts" / repository.name
    prepare(cache)
    folder.mkdir(parents=True, exist_ok=True)
    remove_unused(folder)
    for number in range(_MAX_COPIES):
        place = folder / (f"{commit.sha}-{number}" if number else commit.sha)
        if place in _held:
            if not _try_restore(place, commit.sha):
                _make(repository, commit, place)
            return place
        lock = Lock(lock_file(place))
        if not lock.take(wait=False):
            continue
        try:
            if not _try_clean(place, commit.sha):
                _make(repository, commit, place)
        except BaseException:
            lock.release()
            raise
        _held[place] = lock
        return place
    raise MeasureError(
        f"{folder}: {_MAX_COPIES} processes use checkouts of {one_line(commit.name)}"
    )


def discard(place: Path) -> None:
    """Remove a checkout that this process holds and no longer uses."""
    lock = _held.pop(place, None)
    if lock is not None:
        try:
            remove(place)
        finally:
            lock.release()


def clean(place: Path) -> None:
    """Remove whatever a checkout has besides the files of its commit.

    Changed files of the commit are not restored.

    Raises:
        GitError: git cannot list or remove files.
        OSError: Assay's notes cannot be removed.
    """
    remove(place / ".git" / NOTES)
    git.run(place, "clean", "-ffdxq")
    for path in _submodules(place, "HEAD"):
        if (place / path / ".git").exists():
            clean(place / path)


def _try_clean(place: Path, sha: str) -> bool:
    """Clean an earlier checkout; return whether it now equals its commit."""
    if not (place / ".git").is_dir():
        return False
    try:
        if git.line(place, "rev-parse", "HEAD") != sha:
            return False
        clean(place)
        words = ("status", "--porcelain", "--ignored", "--ignore-submodules=none")
        return not git.run(place, *words, "--untracked-files=all")
    except (git.GitError, OSError):
        return False


def _try_restore(place: Path, sha: str) -> bool:
    """Restore the files of a commit in its checkout; return whether that succeeded.

    Ignored files stay, because a build command can have made them.
    """
    try:
        git.run(place, "reset", "--quiet", "--hard", sha)
        git.run(place, "clean", "-ffdq")
    except (git.GitError, OSError):
        return False
    return True


def _make(repository: Repository, commit: Commit, place: Path) -> None:
    """Make a checkout under another name, and rename it when it is complete."""
    try:
        for left in place.parent.glob(f"{place.name}.new-*"):
            remove(left)
        new = Path(tempfile.mkdtemp(prefix=f"{place.name}.new-", dir=place.parent))
        new.chmod(0o755)
    except OSError as error:
        raise InputError(
            f"{place.parent}: cannot be written: {error.strerror}; set ASSAY_CACHE "
            "to a folder that you can write"
        ) from error
    try:
        source = _Source(
            repository.root, repository.metadata, tuple(repository.object_stores())
        )
        _populate(source, commit.sha, new)
        remove(place)
        new.rename(place)
    except git.GitError as error:
        raise MeasureError(_failed(repository, commit, error.stderr)) from error
    except OSError as error:
        raise MeasureError(
            f"{place}: the checkout of {one_line(commit.name)} cannot be written: "
            f"{error.strerror}"
        ) from error
    finally:
        remove(new)


def _failed(repository: Repository, commit: Commit, stderr: str) -> str:
    text = f"{one_line(commit.name)} ({commit.sha[:7]}) cannot be checked out: {stderr}"
    if repository.is_shallow:
        text += "; the clone is shallow: type: git fetch --unshallow"
    return text


@dataclass(frozen=True)
class _Source:
    """A repository that the objects of a checkout come from.

    Attributes:
        root: The work tree, in which submodules can be cloned.
        metadata: The ``.git`` folder.
        stores: The folders that hold objects.
    """

    root: Path
    metadata: Path
    stores: tuple[Path, ...]

    def git(self, *arguments: str) -> bytes:
        """Run git in the repository; its work tree may be missing."""
        folder = os.fspath(self.metadata)
        more = {"GIT_DIR": folder, "GIT_WORK_TREE": folder}
        return git.run(self.metadata, *arguments, more=more)


def _populate(source: _Source, sha: str, place: Path, depth: int = 0) -> None:
    """Make a repository in an empty folder; check out a commit and its submodules."""
    object_format = source.git("rev-parse", "--show-object-format").decode().strip()
    words = ("init", "--quiet", "--template=", f"--object-format={object_format}")
    git.run(place, *words, "--initial-branch=assay")
    inside = place / ".git"
    stores = "\n".join(git.quoted(store) for store in source.stores)
    (inside / "objects" / "info").mkdir(exist_ok=True)
    (inside / "objects" / "info" / "alternates").write_text(stores + "\n", "ascii")
    if (source.metadata / "shallow").exists():
        shutil.copyfile(source.metadata / "shallow", inside / "shallow")
    _copy_settings(source, place)
    _copy_tags(source, inside)
    git.run(place, "checkout", "--quiet", "--detach", sha, "--")
    if depth < _MAX_DEPTH:
        _add_submodules(source, sha, place, depth)


def _copy_settings(source: _Source, place: Path) -> None:
    """Copy the settings with which git fetches missing objects of a partial clone.

    Other settings of the user's repository are not copied: they can start programs.
    """
    wanted = (
        r"^(remote\..*\.(url|promisor|partialclonefilter)|extensions\.partialclone)$"
    )
    try:
        listed = source.git("config", "--local", "-z", "--get-regexp", wanted)
    except git.GitError:
        return  # there are none
    entries = [entry.partition(b"\n") for entry in listed.split(b"\0") if entry]
    is_partial = any(
        name == b"extensions.partialclone" or name.endswith(b".promisor")
        for name, _, _ in entries
    )
    for name, _, value in entries:
        if name.endswith(b".url") and not is_partial:
            continue  # nothing is fetched, and a URL can hold a password
        if name == b"extensions.partialclone":
            git.run(place, "config", "core.repositoryFormatVersion", "1")
        git.run(place, "config", "--add", name, value)


def _copy_tags(source: _Source, inside: Path) -> None:
    """Copy the tags: tools such as setuptools-scm read the version from them."""
    form = "--format=%(objectname) %(refname)"
    tags = source.git("for-each-ref", form, "refs/tags")
    (inside / "packed-refs").write_bytes(tags)


def _submodules(root: Path, commit: str) -> dict[str, str]:
    """Return the commit of each submodule of a commit, by the submodule's path."""
    listed = git.run(root, "ls-tree", "-r", "-z", "--full-tree", commit)
    entries = [entry for entry in listed.split(b"\0") if entry.startswith(b"160000 ")]
    return {
        os.fsdecode(entry.partition(b"\t")[2]): entry.split()[2].decode()
        for entry in entries
    }


def _add_submodules(source: _Source, sha: str, place: Path, depth: int) -> None:
    """Check out the submodules from the user's own clones of them.

    The folder of a submodule without a clone stays empty, as in the user's work tree.

    Raises:
        MeasureError: A submodule cannot be checked out.
    """
    submodules = _submodules(place, sha)
    names = _submodule_names(place, sha) if submodules else {}
    for path, commit in submodules.items():
        clone = _clone_of(source, path, names.get(path, path))
        if clone is None:
            continue
        folder = place / path
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _populate(clone, commit, folder, depth + 1)
        except git.GitError as error:
            raise MeasureError(
                f"submodule {one_line(path)}: {commit[:7]} cannot be checked out: "
                f"{error.stderr}; type: git -C {one_line(path)} fetch --all"
            ) from error


def _submodule_names(place: Path, sha: str) -> dict[str, str]:
    """Return the names of the submodules in .gitmodules, by their paths."""
    words = ("config", "-z", "--blob", f"{sha}:.gitmodules", "--get-regexp")
    try:
        listed = os.fsdecode(git.run(place, *words, r"^submodule\..*\.path$"))
    except git.GitError:
        return {}
    entries = [entry.partition("\n") for entry in listed.split("\0") if entry]
    return {
        path: name.removeprefix("submodule.").removesuffix(".path")
        for name, _, path in entries
    }


def _clone_of(source: _Source, path: str, name: str) -> _Source | None:
    """Return the user's clone of a submodule, or None if there is none."""
    if ".." in name.split("/"):  # git refuses such a name, too
        return None
    work_tree = source.root / path
    if (work_tree / ".git").exists():
        inside = git.line(work_tree, "rev-parse", "--git-common-dir")
        metadata = Path(os.path.realpath(work_tree / inside))
    elif (source.metadata / "modules" / name / "HEAD").exists():
        # The submodule is missing in the user's work tree, but git keeps its clone.
        metadata = source.metadata / "modules" / name
    else:
        return None
    return _Source(work_tree, metadata, (metadata / "objects",))
