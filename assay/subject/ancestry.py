"""The commits that lead from one commit to another."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote

from assay.errors import InputError
from assay.subject import git
from assay.subject.diff import Diff
from assay.subject.repository import Commit, Repository
from assay.wording import one_line


@dataclass(frozen=True)
class Link:
    """One commit of a chain, with what it changed.

    Attributes:
        commit: The commit.
        diff: What changed since the commit before it in the chain.
    """

    commit: Commit
    diff: Diff


def chain(repository: Repository, good: Commit, bad: Commit) -> list[Link]:
    """Return the commits after GOOD, up to BAD, oldest first.

    Only first parents are followed, so a merge counts as one commit with all the
    changes that it brought.

    Args:
        repository: The user's repository.
        good: The commit before the chain.
        bad: The last commit of the chain.

    Raises:
        InputError: GOOD is no ancestor of BAD, or not on BAD's line of first parents.
    """
    if not _is_ancestor(repository, good, bad):
        raise InputError(_not_before(repository, good, bad))
    words = ("rev-list", "--first-parent", "--reverse", f"{good.sha}..{bad.sha}", "--")
    names = repository.git(*words).decode().split()
    if names:
        _check_on_line(repository, good, bad, names[0])
    links, before = [], good
    for sha in names:
        commit = repository.commit(sha)
        links.append(Link(commit, repository.diff(before, commit)))
        before = commit
    return links


def _check_on_line(
    repository: Repository, good: Commit, bad: Commit, oldest: str
) -> None:
    """Check that the oldest commit of a chain follows GOOD.

    Raises:
        InputError: The commit does not follow GOOD, because GOOD came into the chain by
            a merge. Then the commit just before the chain is not GOOD, and may already
            be slower than GOOD.
    """
    before = repository.git("rev-list", "--parents", "-1", oldest).decode().split()[1]
    if before != good.sha:
        base = repository.git("merge-base", good.sha, before).decode().split()[0]
        raise InputError(
            f"{one_line(good.name)} came to {one_line(bad.name)} by a merge, and is "
            f"not on its line of first parents; if {base[:10]} is fast, too, type: "
            f"assay bisect {base[:10]} {quote(bad.name)}"
        )


def _is_ancestor(repository: Repository, one: Commit, other: Commit) -> bool:
    try:
        repository.git("merge-base", "--is-ancestor", one.sha, other.sha)
    except git.GitError as error:
        if error.code == 1:
            return False
        raise
    return True


def _not_before(repository: Repository, good: Commit, bad: Commit) -> str:
    if _is_ancestor(repository, bad, good):
        return (
            f"{one_line(good.name)} is newer than {one_line(bad.name)}; type: assay "
            f"bisect {quote(bad.name)} {quote(good.name)}"
        )
    try:
        base = repository.git("merge-base", good.sha, bad.sha).decode().split()[0]
    except git.GitError:
        advice = "they have no common ancestor in this clone"
        if repository.is_shallow:
            advice += ", which is shallow; type: git fetch --unshallow"
    else:
        advice = (
            f"they part at {base[:10]}; if that commit is fast, too, type: assay "
            f"bisect {base[:10]} {quote(bad.name)}"
        )
    return f"{one_line(good.name)} is no ancestor of {one_line(bad.name)}: {advice}"
