"""Reads the user's repository, and never changes anything in it."""

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from assay.errors import InputError
from assay.subject import git, snapshot
from assay.subject.cache import cache_folder, key
from assay.subject.diff import Diff, diff_of
from assay.wording import one_line

_HOW_TO_DEEPEN = "type: git fetch --unshallow (or: git fetch --deepen=100)"


@dataclass(frozen=True)
class Commit:
    """One side of a comparison.

    Attributes:
        sha: The full name of the commit.
        name: Its name in messages: ``main``, ``HEAD~2``, ``working tree``.
        subject: The first line of its message; empty for uncommitted changes.
        dirty: Whether it is a snapshot of uncommitted changes.
    """

    sha: str
    name: str
    subject: str
    dirty: bool = False


@dataclass(frozen=True)
class Repository:
    """A git repository with a work tree.

    Attributes:
        root: The top folder of the work tree.
        metadata: The ``.git`` folder, which all work trees of the repository share.
        snapshots: The object store for snapshots of uncommitted changes. It is in
            Assay's cache, so that nothing is written to the user's repository.
    """

    root: Path
    metadata: Path
    snapshots: Path

    @classmethod
    def find(cls, here: Path, cache: Path | None = None) -> "Repository":
        """Return the repository that a folder lies in.

        Args:
            here: A folder, or a file in it.
            cache: The folder of Assay's cache; that of `cache_folder` if None.

        Raises:
            InputError: There is no repository, no git or no work tree, or the cache
                cannot be written.
        """
        folder = here if here.is_dir() else here.parent
        try:
            root = Path(git.line(folder, "rev-parse", "--show-toplevel"))
            inside = git.line(folder, "rev-parse", "--git-common-dir")
        except git.GitError as error:
            raise InputError(_not_found(folder, error.stderr)) from error
        metadata = Path(os.path.realpath(folder / inside))
        name = key([os.fsencode(metadata)])
        return cls(root, metadata, (cache or cache_folder()) / "snapshots" / name)

    @property
    def name(self) -> str:
        """A readable and unique name for the folder of the repository in the cache."""
        readable = "".join(c for c in self.root.name if c.isalnum() or c in "-_")[:30]
        return f"{readable or 'repository'}-{self.snapshots.name[:10]}"

    @property
    def is_shallow(self) -> bool:
        """Whether the repository lacks the beginning of its history."""
        return (self.metadata / "shallow").exists()

    def git(self, *arguments: str | bytes) -> bytes:
        """Run git at the top of the work tree; git also finds the snapshots."""
        more = {}
        if self.snapshots.exists():
            more["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = git.quoted(self.snapshots)
        return git.run(self.root, *arguments, more=more)

    def object_stores(self) -> list[Path]:
        """Return the folders that hold the objects of commits and of snapshots."""
        inside = git.line(self.root, "rev-parse", "--git-path", "objects")
        return [
            store for store in (self.root / inside, self.snapshots) if store.exists()
        ]

    def commit(self, ref: str) -> Commit:
        """Return the commit that a name stands for.

        Raises:
            InputError: There is no such commit.
        """
        sha = self._resolve(ref)
        if sha is None:
            raise InputError(self._unknown(ref))
        return Commit(sha, ref, self._subject(sha))

    def merge_base(self, head: Commit) -> Commit:
        """Return the commit that the work on `head` started from.

        This is the common ancestor of `head` and the default branch. If `head` is part
        of that branch, the result is the parent of `head`.

        Raises:
            InputError: There is no default branch, ancestor or parent.
        """
        branch = self._default_branch()
        known_as = "HEAD" if head.dirty or head.name == "working tree" else head.name
        try:
            output = self.git("merge-base", head.sha, f"refs/{branch}").decode()
        except git.GitError as error:
            raise InputError(self._no_ancestor(known_as, _short(branch))) from error
        sha = output.split()[0]
        if sha == head.sha:
            return self._parent(head, known_as)
        name = f"merge base of {known_as} and {_short(branch)} ({sha[:7]})"
        return Commit(sha, name, self._subject(sha))

    def working_tree(self) -> Commit:
        """Return a snapshot of the uncommitted changes; HEAD if there are none.

        The snapshot has new files, but no ignored files. Its submodules are those of
        HEAD.

        Raises:
            InputError: There is no commit yet, a file cannot be read, or the cache
                cannot be written.
        """
        head = self._resolve("HEAD")
        if head is None:
            raise InputError(
                f"{self.root}: the repository has no commit yet; type: git commit"
            )
        sha = snapshot.take(self.root, head, self.snapshots)
        if sha is None:
            return Commit(head, "HEAD", self._subject(head))
        return Commit(sha, "working tree", "", dirty=True)

    def diff(self, base: Commit, head: Commit) -> Diff:
        """Return what changed from one commit to another."""
        return diff_of(self.git, base.sha, head.sha)

    def _resolve(self, ref: str) -> str | None:
        if not ref or "\0" in ref:
            return None
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options")
        try:
            output = self.git(*words, os.fsencode(ref) + b"^{commit}")
        except (git.GitError, UnicodeEncodeError):
            return None
        sha = output.decode("ascii", "replace").strip()
        # git answers `^main` with `^` and a commit: everything but that commit.
        return sha if sha and set(sha) <= set("0123456789abcdef") else None

    def _subject(self, sha: str) -> str:
        words = ("log", "-1", "--no-show-signature", "--format=%s", sha, "--")
        return one_line(self.git(*words).decode("utf-8", "replace"))

    def _parent(self, head: Commit, known_as: str) -> Commit:
        sha = self._resolve(f"{head.sha}^1")
        if sha is not None:
            return Commit(sha, f"parent of {known_as} ({sha[:7]})", self._subject(sha))
        if self.is_shallow:
            raise InputError(
                f"{self.root}: the clone is shallow and lacks the parent of "
                f"{known_as}; {_HOW_TO_DEEPEN}"
            )
        raise InputError(
            f"{self.root}: {known_as} is the first commit, so there is nothing to "
            "compare it with; name two commits: assay compare BASE HEAD"
        )

    def _default_branch(self) -> str:
        """Return the name of the default branch without ``refs/``."""
        remote = self._remote()
        candidates = [f"remotes/{remote}/{name}" for name in ("HEAD", "main", "master")]
        for name in [*candidates, "heads/main", "heads/master"]:
            if self._resolve(f"refs/{name}"):
                return self._followed(name)
        advice = "name BASE: assay compare BASE"
        if self.is_shallow:
            advice += f"; or {_HOW_TO_DEEPEN.removeprefix('type: ')} first"
        raise InputError(
            f"{self.root}: no default branch was found ({remote}/HEAD, {remote}/main, "
            f"{remote}/master, main or master); {advice}"
        )

    def _remote(self) -> str:
        remotes = os.fsdecode(self.git("remote")).split()
        return remotes[0] if len(remotes) == 1 else "origin"

    def _followed(self, name: str) -> str:
        """Return the branch that a ref points to; the ref itself if it is a branch."""
        try:
            output = self.git("symbolic-ref", "--quiet", f"refs/{name}")
        except git.GitError:
            return name
        return os.fsdecode(output.strip()).removeprefix("refs/")

    def _unknown(self, ref: str) -> str:
        text = f"{one_line(ref)!r}: no such commit, branch or tag in {self.root}"
        listed = self.git("for-each-ref", "--format=%(refname)")
        names = [_short(os.fsdecode(name)[5:]) for name in listed.splitlines()]
        # The user may have typed a remote branch without the name of the remote.
        remote = self._remote()
        by_word = {name.removeprefix(f"{remote}/"): name for name in names}
        by_word |= {name: name for name in names}
        close = get_close_matches(ref, by_word, n=3, cutoff=0.5)
        nearest = list(dict.fromkeys(by_word[word] for word in close))
        if nearest:
            text += f"; did you mean {' or '.join(repr(one_line(x)) for x in nearest)}?"
        if self.is_shallow:
            text += f"; the clone is shallow: if the commit is older, {_HOW_TO_DEEPEN}"
            text += f"; for a branch: git fetch {remote} BRANCH:BRANCH"
        elif not nearest:
            text += "; git branch --all and git tag list the names that there are"
        return text

    def _no_ancestor(self, known_as: str, branch: str) -> str:
        text = f"{self.root}: {one_line(known_as)} and {branch} have no common ancestor"
        if self.is_shallow:
            return f"{text} in this clone, which is shallow; {_HOW_TO_DEEPEN}"
        return f"{text}; name BASE: assay compare BASE"


def _short(name: str) -> str:
    """Return the name of a branch or tag as people type it."""
    for folder in ("heads/", "remotes/", "tags/"):
        name = name.removeprefix(folder)
    return name


def _not_found(folder: Path, stderr: str) -> str:
    if "dubious ownership" in stderr:
        # The message of git has the command with the right path.
        how = stderr.partition("call: ")[2]
        how = how or "git config --global --add safe.directory"
        return (
            f"{folder}: the repository belongs to another user, so git does not read "
            f"it; type: {how}"
        )
    if "must be run in a work tree" in stderr:
        return f"{folder}: a bare repository, without files; type: git clone {folder}"
    if "not a git repository" in stderr:
        return (
            f"{folder}: not inside a git repository; go to the folder of your project, "
            "or type: git init && git add . && git commit"
        )
    return f"{folder}: {stderr}"
