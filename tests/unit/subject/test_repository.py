"""Names become commits, and the user's repository stays as it is."""

import os
import shutil
from pathlib import Path

import pytest

from assay.errors import InputError
from assay.subject.repository import Repository
from tests.unit.subject.repositories import (
    commit,
    create,
    fingerprint,
    found,
    git,
    write,
)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return create(tmp_path / "a work tree")


def test_a_ref_is_the_full_name_of_its_commit(work: Path, cache: Path) -> None:
    first = git(work, "rev-parse", "HEAD")
    second = commit(work, "second\n\nMore.", **{"a.py": "two\n"})
    git(work, "tag", "-a", "v1", "-m", "release")
    repository = found(work / ".." / work.name, cache)
    assert repository.root == work
    head = repository.commit("HEAD")
    assert (head.sha, head.name, head.subject, head.dirty) == (
        second,
        "HEAD",
        "second",
        False,
    )
    assert repository.commit("HEAD~1").sha == first
    assert repository.commit("v1").sha == second
    assert repository.commit(second[:8]).sha == second


@pytest.mark.parametrize(
    "ref",
    ["", "--upload-pack=x", "-h", "^main", "main..HEAD", "HEAD:a.py", "a\0b", "HEAD^9"],
)
def test_what_is_no_commit_is_refused(work: Path, cache: Path, ref: str) -> None:
    with pytest.raises(InputError, match="no such commit, branch or tag"):
        found(work, cache).commit(ref)


def test_an_unknown_ref_names_its_nearest(work: Path, cache: Path) -> None:
    git(work, "branch", "feature/pricing")
    with pytest.raises(InputError, match="did you mean 'feature/pricing'"):
        found(work, cache).commit("feature/pricng")


def test_a_branch_of_the_remote_is_named_as_the_remote_has_it(
    work: Path, cache: Path, tmp_path: Path
) -> None:
    git(work, "branch", "pricing")
    git(tmp_path, "clone", "-q", str(work), "clone")
    with pytest.raises(InputError, match="did you mean 'origin/pricing'"):
        found(tmp_path / "clone", cache).commit("pricing")


def test_a_shallow_clone_says_how_to_deepen(
    work: Path, cache: Path, tmp_path: Path
) -> None:
    commit(work, "second")
    git(tmp_path, "clone", "-q", "--depth=1", work.as_uri(), "shallow")
    repository = found(tmp_path / "shallow", cache)
    with pytest.raises(InputError, match="shallow.*git fetch --unshallow"):
        repository.commit("HEAD~1")
    with pytest.raises(InputError, match="lacks the parent.*git fetch --unshallow"):
        repository.merge_base(repository.working_tree())


def test_where_there_is_no_repository(tmp_path: Path, cache: Path, work: Path) -> None:
    with pytest.raises(InputError, match="not inside a git repository"):
        found(tmp_path, cache)
    with pytest.raises(InputError, match="no such folder"):
        found(tmp_path / "nowhere" / "at all", cache)
    git(tmp_path, "clone", "-q", "--bare", str(work), "bare.git")
    with pytest.raises(InputError, match="bare repository"):
        found(tmp_path / "bare.git", cache)
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    with pytest.raises(InputError, match="no commit yet"):
        found(tmp_path / "empty", cache).working_tree()


def test_without_git(
    work: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="git was not found"):
        found(work, cache)


def test_the_innermost_repository_counts(work: Path, cache: Path) -> None:
    inner = create(work / "tools" / "inner")
    write(inner, src="x")
    assert found(inner / "a.py", cache).root == inner
    # For the outer repository this is no change, because the inner one is separate.
    assert not found(work, cache).working_tree().dirty


def test_variables_of_a_hook_do_not_lead_to_another_repository(
    work: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = create(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert found(work, cache).root == work


# The base.


def test_the_base_of_a_branch_is_where_it_left_the_default_branch(
    work: Path, cache: Path
) -> None:
    first = git(work, "rev-parse", "HEAD")
    git(work, "checkout", "-q", "-b", "feature")
    commit(work, "on the branch")
    git(work, "checkout", "-q", "main")
    commit(work, "on main")
    git(work, "checkout", "-q", "feature")
    repository = found(work, cache)
    base = repository.merge_base(repository.working_tree())
    assert base.sha == first
    assert base.name == f"merge base of HEAD and main ({first[:7]})"
    # Changes that are not committed do not move it.
    write(work, **{"a.py": "changed\n"})
    head = repository.working_tree()
    assert head.dirty and repository.merge_base(head) == base


def test_the_remote_default_branch_comes_first(
    work: Path, cache: Path, tmp_path: Path
) -> None:
    git(work, "branch", "-m", "main", "trunk")
    git(tmp_path, "clone", "-q", str(work), "clone")
    clone = tmp_path / "clone"
    begin = git(clone, "rev-parse", "HEAD")
    git(clone, "checkout", "-q", "--detach")
    commit(clone, "detached")
    base = found(clone, cache).merge_base(found(clone, cache).commit("HEAD"))
    assert base.sha == begin
    assert base.name == f"merge base of HEAD and origin/trunk ({begin[:7]})"


def test_on_the_default_branch_the_base_is_the_parent_or_the_last_commit(
    work: Path, cache: Path
) -> None:
    first = git(work, "rev-parse", "HEAD")
    second = commit(work, "second")
    repository = found(work, cache)
    clean = repository.merge_base(repository.working_tree())
    assert (clean.sha, clean.name) == (first, f"parent of HEAD ({first[:7]})")
    write(work, new="x")
    assert repository.merge_base(repository.working_tree()).sha == second


def test_the_first_commit_has_no_base(work: Path, cache: Path) -> None:
    repository = found(work, cache)
    with pytest.raises(InputError, match="is the first commit"):
        repository.merge_base(repository.working_tree())


def test_without_a_common_ancestor_or_default_branch(work: Path, cache: Path) -> None:
    git(work, "checkout", "-q", "--orphan", "alone")
    commit(work, "another beginning")
    repository = found(work, cache)
    with pytest.raises(InputError, match="HEAD and main have no common ancestor"):
        repository.merge_base(repository.working_tree())
    git(work, "branch", "-q", "-D", "main")
    with pytest.raises(InputError, match="no default branch.*assay compare BASE"):
        repository.merge_base(repository.working_tree())


# The working tree.


def test_a_clean_working_tree_is_head(work: Path, cache: Path) -> None:
    write(work, **{".gitignore": "*.log\n"})
    head = commit(work, "ignore")
    write(work, **{"x.log": "ignored"})
    os.utime(work / "a.py", (1, 1))  # so git must compare the content
    before = fingerprint(work)
    tree = found(work, cache).working_tree()
    assert (tree.sha, tree.name, tree.dirty) == (head, "HEAD", False)
    assert fingerprint(work) == before


def test_a_snapshot_has_every_change_and_changes_nothing(
    work: Path, cache: Path
) -> None:
    write(
        work,
        **{".gitignore": "*.log\n", "gone.py": "gone\n" * 9, "b/old.py": "moved\n" * 9},
    )
    commit(work, "more")
    name = os.fsdecode(b"new\n\xff.py")
    write(work, **{"a.py": "two\n", name: "x", "x.log": "ignored", "staged.py": "1"})
    git(work, "add", "staged.py")
    write(work, **{"staged.py": "2"})
    (work / "gone.py").unlink()
    (work / "b" / "old.py").rename(work / "b" / "new.py")
    before = fingerprint(work)
    repository = found(work, cache)
    tree = repository.working_tree()
    assert fingerprint(work) == before
    assert (tree.name, tree.subject, tree.dirty) == ("working tree", "", True)
    changed = repository.diff(repository.commit("HEAD"), tree)
    assert {(x.path, x.old_path, x.kind) for x in changed.files} == {
        ("a.py", None, "modified"),
        ("gone.py", None, "deleted"),
        ("b/new.py", "b/old.py", "renamed"),
        (name, None, "added"),
        ("staged.py", None, "added"),
    }
    staged = next(x for x in changed.files if x.path == "staged.py")
    assert staged.hunks[0].lines[0] == "+2"
    # The same files always give the same commit.
    assert repository.working_tree() == tree


def test_a_conflict_is_taken_as_the_file_stands(work: Path, cache: Path) -> None:
    git(work, "checkout", "-q", "-b", "b")
    commit(work, "theirs", **{"a.py": "theirs\n"})
    git(work, "checkout", "-q", "main")
    commit(work, "ours", **{"a.py": "ours\n"})
    with pytest.raises(AssertionError):
        git(work, "merge", "b")
    before = fingerprint(work)
    assert found(work, cache).working_tree().dirty
    assert fingerprint(work) == before


def test_files_outside_a_sparse_checkout_are_not_deleted(
    work: Path, cache: Path
) -> None:
    commit(work, "more", **{"in/x.py": "1", "out/y.py": "2"})
    git(work, "sparse-checkout", "set", "in")
    assert not (work / "out").exists()
    assert not found(work, cache).working_tree().dirty


def test_submodules_are_as_head_has_them(
    work: Path, cache: Path, tmp_path: Path
) -> None:
    library = create(tmp_path / "library")
    git(work, "submodule", "--quiet", "add", str(library), "lib")
    commit(work, "with a submodule")
    commit(work / "lib", "newer", **{"a.py": "newer\n"})
    write(work / "lib", **{"a.py": "dirty\n"})
    repository = found(work, cache)
    assert not repository.working_tree().dirty
    write(work, **{"a.py": "two\n"})
    tree = repository.working_tree()
    changed = repository.diff(repository.commit("HEAD"), tree)
    assert [x.path for x in changed.files] == ["a.py"]


def test_a_repository_that_cannot_be_written(work: Path, cache: Path) -> None:
    """Assay writes no file into it, not even a loose object."""
    write(work, **{"a.py": "two\n"})
    copy = work.with_name("before")
    shutil.copytree(work / ".git", copy)
    assert found(work, cache).working_tree().dirty
    names = {x.relative_to(copy) for x in copy.rglob("*")}
    assert {x.relative_to(work / ".git") for x in (work / ".git").rglob("*")} == names


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_a_file_that_cannot_be_read(work: Path, cache: Path) -> None:
    write(work, secret="x")
    (work / "secret").chmod(0)
    with pytest.raises(InputError, match="uncommitted changes cannot be read.*secret"):
        found(work, cache).working_tree()


def test_a_cache_that_cannot_be_written(work: Path, tmp_path: Path) -> None:
    write(tmp_path, file="not a folder")
    write(work, **{"a.py": "two\n"})
    with pytest.raises(InputError, match="set ASSAY_CACHE"):
        found(work, tmp_path / "file").working_tree()


def test_the_default_cache_is_made(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(work / ".cache"))
    repository = Repository.find(work)
    assert repository.snapshots.is_relative_to(work / ".cache")
    # The cache is inside the working tree, but does not make it dirty.
    assert not repository.working_tree().dirty


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_user(work: Path, cache: Path) -> None:
    (work / "inside").mkdir()
    os.chown(work, 12345, 12345)
    os.chown(work / ".git", 12345, 12345)
    with pytest.raises(InputError, match=f"type: git config.*safe.directory '?{work}"):
        found(work / "inside", cache)
