"""Checkouts are clean and complete, and no two processes share one."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.errors import InputError, MeasureError
from assay.subject import checkouts
from assay.subject import git as assay_git
from assay.subject.checkouts import cache_folder, checkout
from tests.unit.subject.repositories import (
    commit,
    create,
    fingerprint,
    found,
    git,
    write,
)

ANOTHER_PROCESS = """
import sys
from pathlib import Path
from assay.subject.checkouts import checkout
from assay.subject.repository import Repository
work, cache = map(Path, sys.argv[1:3])
repository = Repository.find(work, cache)
print(checkout(repository, repository.commit("HEAD"), cache), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "the cache"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return create(tmp_path / "a work tree")


@pytest.fixture(autouse=True)
def held() -> Iterator[None]:
    """Release the locks that the test has taken, as the end of a process does."""
    yield
    end_of_process()


def end_of_process() -> None:
    for lock in checkouts._held.values():
        lock.release()
    checkouts._held.clear()


def made(work: Path, cache: Path, ref: str = "HEAD") -> Path:
    repository = found(work, cache)
    return checkout(repository, repository.commit(ref), cache)


def test_a_checkout_has_the_files_and_leaves_no_trace(work: Path, cache: Path) -> None:
    first = git(work, "rev-parse", "HEAD")
    commit(work, "second", **{"a.py": "two\n"})
    write(work, **{"a.py": "not committed\n"})
    before = fingerprint(work)
    place = made(work, cache, "HEAD~1")
    assert (place / "a.py").read_text() == "one\n"
    assert git(place, "rev-parse", "HEAD") == first
    assert git(place, "status", "--porcelain", "--ignored") == ""
    assert git(work, "worktree", "list").count("\n") == 0
    assert fingerprint(work) == before


def test_a_checkout_of_the_working_tree(work: Path, cache: Path) -> None:
    write(work, **{"a.py": "not committed\n", "new/b.py": "new\n"})
    before = fingerprint(work)
    repository = found(work, cache)
    place = checkout(repository, repository.working_tree(), cache)
    assert (place / "a.py").read_text() == "not committed\n"
    assert (place / "new" / "b.py").read_text() == "new\n"
    assert fingerprint(work) == before


def test_versions_come_from_the_tags(work: Path, cache: Path) -> None:
    git(work, "tag", "v1.2")
    sha = commit(work, "second")
    place = made(work, cache)
    assert git(place, "describe", "--tags") == f"v1.2-1-g{sha[:7]}"


@pytest.mark.parametrize("same_process", [True, False])
def test_what_was_left_in_it_is_removed(
    work: Path, cache: Path, same_process: bool
) -> None:
    """A search uses the same checkout again and again, and adds files to it."""
    commit(work, "ignore", **{".gitignore": "*.db\n"})
    place = made(work, cache)
    write(place, **{"state.db": "x", "new.txt": "x", "a.py": "changed\n"})
    inner = create(place / "inner")
    inode = place.stat().st_ino
    if not same_process:
        end_of_process()
    assert made(work, cache) == place
    assert (place / "a.py").read_text() == "one\n"
    assert not (place / "new.txt").exists() and not inner.exists()
    # In the same process, ignored files stay: a build command may have made them.
    assert (place / "state.db").exists() is same_process
    # Another process makes the checkout anew, because a file was changed.
    assert (place.stat().st_ino == inode) is same_process


def test_a_discarded_checkout_is_gone_and_free(work: Path, cache: Path) -> None:
    place = made(work, cache)
    checkouts.discard(place)
    checkouts.discard(place)
    assert not place.exists()
    assert made(work, cache) == place
    assert (place / "a.py").read_text() == "one\n"


def test_a_clean_checkout_is_used_again(work: Path, cache: Path) -> None:
    place = made(work, cache)
    write(place, **{"__pycache__/a.pyc": "x"})
    inode = place.stat().st_ino
    end_of_process()
    assert made(work, cache) == place
    assert place.stat().st_ino == inode
    assert not (place / "__pycache__").exists()


@pytest.mark.parametrize("damage", ["head", "git", "half"])
def test_a_damaged_checkout_is_made_anew(work: Path, cache: Path, damage: str) -> None:
    commit(work, "second", **{"a.py": "two\n"})
    place = made(work, cache)
    end_of_process()
    if damage == "head":
        git(place, "checkout", "-q", "HEAD~1")
    elif damage == "git":
        (place / ".git" / "HEAD").unlink()
    else:
        shutil.rmtree(place / ".git")
    assert made(work, cache) == place
    assert (place / "a.py").read_text() == "two\n"


def test_another_process_gets_another_checkout(work: Path, cache: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ANOTHER_PROCESS, work, cache],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin and other.stdout
        theirs = Path(other.stdout.readline().strip())
        write(theirs, **{"theirs.txt": "x"})
        ours = made(work, cache)
        assert ours != theirs
        assert (theirs / "theirs.txt").exists() and (ours / "a.py").exists()
        other.stdin.close()
    end_of_process()
    # A later process uses one of the two checkouts.
    assert made(work, cache) in (ours, theirs)


def test_a_killed_process_leaves_nothing_half_made(
    work: Path, cache: Path, tmp_path: Path
) -> None:
    commit(work, "filtered", **{".gitattributes": "*.slow filter=slow\n"})
    commit(work, "slow", **{"x.slow": "content\n"})
    config = tmp_path / "config"
    started = tmp_path / "started"
    # A git filter waits while the checkout is half made.
    config.write_text(
        f'[filter "slow"]\nsmudge = touch {started}; sleep 60\nrequired = true\n'
    )
    process = subprocess.Popen(
        [sys.executable, "-c", ANOTHER_PROCESS, work, cache],
        env={**os.environ, "GIT_CONFIG_GLOBAL": str(config)},
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not started.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert started.exists()
    place = made(work, cache)
    assert (place / "x.slow").read_text() == "content\n"
    # The half-made checkout is gone.
    assert {x.suffix for x in place.parent.iterdir()} == {"", ".lock"}


def test_submodules_come_along(work: Path, cache: Path, tmp_path: Path) -> None:
    inner = create(tmp_path / "inner", **{"inner.py": "1\n"})
    library = create(tmp_path / "library", **{"lib.py": "1\n"})
    git(library, "submodule", "--quiet", "add", str(inner), "deep")
    commit(library, "with inner")
    git(work, "submodule", "--quiet", "add", str(library), "vendor/lib")
    git(work, "submodule", "--quiet", "update", "--init", "--recursive")
    commit(work, "with library")
    commit(work / "vendor" / "lib", "newer", **{"lib.py": "2\n"})
    commit(work, "newer library")
    # The user's clones are enough; the repositories that they came from are not needed.
    shutil.rmtree(library)
    shutil.rmtree(inner)
    before = fingerprint(work)
    new = made(work, cache)
    old = made(work, cache, "HEAD~1")
    assert (new / "vendor" / "lib" / "lib.py").read_text() == "2\n"
    assert (old / "vendor" / "lib" / "lib.py").read_text() == "1\n"
    assert (old / "vendor" / "lib" / "deep" / "inner.py").read_text() == "1\n"
    assert fingerprint(work) == before
    # A change inside a submodule is noticed, too.
    write(old, **{"vendor/lib/lib.py": "changed\n"})
    end_of_process()
    assert made(work, cache, "HEAD~1") == old
    assert (old / "vendor" / "lib" / "lib.py").read_text() == "1\n"


def test_a_submodule_that_head_has_no_more(
    work: Path, cache: Path, tmp_path: Path
) -> None:
    library = create(tmp_path / "library", **{"lib.py": "1\n"})
    git(work, "submodule", "--quiet", "add", str(library), "lib")
    commit(work, "with library")
    git(work, "rm", "-q", "lib")
    commit(work, "without")
    assert not (work / "lib").exists()
    assert (made(work, cache, "HEAD~1") / "lib" / "lib.py").read_text() == "1\n"


def test_a_submodule_that_lacks_its_commit(
    work: Path, cache: Path, tmp_path: Path
) -> None:
    library = create(tmp_path / "library")
    git(work, "submodule", "--quiet", "add", str(library), "lib")
    commit(work, "with library")
    missing = commit(library, "never fetched")
    git(work, "update-index", "--cacheinfo", f"160000,{missing},lib")
    git(work, "commit", "-q", "-m", "ahead")
    with pytest.raises(MeasureError, match="submodule lib.*git -C lib fetch --all"):
        made(work, cache)


def test_a_submodule_without_a_clone_stays_empty(
    work: Path, cache: Path, tmp_path: Path
) -> None:
    library = create(tmp_path / "library")
    git(work, "submodule", "--quiet", "add", str(library), "lib")
    commit(work, "with library")
    git(tmp_path, "clone", "-q", str(work), "clone")
    place = made(tmp_path / "clone", cache)
    assert list((place / "lib").iterdir()) == []


def test_hooks_and_filters_of_the_repository_are_not_run(
    work: Path, cache: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    hook = work / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
    hook.chmod(0o755)
    git(work, "config", "filter.x.smudge", f"touch {marker}; cat")
    commit(work, "filtered", **{".gitattributes": "*.py filter=x\n"})
    made(work, cache)
    assert not marker.exists()


def test_a_shallow_clone(work: Path, cache: Path, tmp_path: Path) -> None:
    commit(work, "second", **{"a.py": "two\n"})
    git(tmp_path, "clone", "-q", "--depth=1", work.as_uri(), "shallow")
    place = made(tmp_path / "shallow", cache)
    assert (place / "a.py").read_text() == "two\n"
    assert git(place, "log", "--format=%s") == "second"


def test_a_partial_clone_fetches_what_it_lacks(
    work: Path, cache: Path, tmp_path: Path
) -> None:
    commit(work, "second", **{"a.py": "two\n"})
    git(work, "config", "uploadpack.allowFilter", "true")
    git(work, "config", "uploadpack.allowAnySHA1InWant", "true")
    words = ("clone", "-q", "--filter=blob:none", work.as_uri(), "partial")
    git(tmp_path, *words)
    assert (made(tmp_path / "partial", cache, "HEAD~1") / "a.py").read_text() == "one\n"


def test_a_worktree_of_the_user(work: Path, cache: Path, tmp_path: Path) -> None:
    git(work, "worktree", "add", "-q", str(tmp_path / "second"), "-b", "second")
    write(tmp_path / "second", **{"a.py": "two\n"})
    repository = found(tmp_path / "second", cache)
    place = checkout(repository, repository.working_tree(), cache)
    assert (place / "a.py").read_text() == "two\n"


def test_a_repository_with_a_strange_path(tmp_path: Path, cache: Path) -> None:
    work = create(tmp_path / os.fsdecode(b'a:b "c"\\ \n\xff'))
    write(work, **{"a.py": "two\n"})
    repository = found(work, cache)
    place = checkout(repository, repository.working_tree(), cache)
    assert (place / "a.py").read_text() == "two\n"


def test_sha256_repositories(tmp_path: Path, cache: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "-q", "--object-format=sha256")
    commit(work, "first", **{"a.py": "one\n"})
    assert (made(work, cache) / "a.py").read_text() == "one\n"


# The cache.


def test_the_folder_of_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ASSAY_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "assay"
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    assert (tmp_path / "own" / "CACHEDIR.TAG").exists()


def test_a_cache_that_cannot_be_written(
    tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="set ASSAY_CACHE"):
        cache_folder()
    with pytest.raises(InputError, match="set ASSAY_CACHE"):
        made(work, tmp_path / "file")


def test_checkouts_that_were_not_used_for_long_are_removed(
    work: Path, cache: Path
) -> None:
    old = made(work, cache)
    commit(work, "second")
    kept = made(work, cache)
    for place in (old, kept):
        os.utime(place.with_name(f"{place.name}.lock"), (1, 1))
    checkouts._held.pop(old).release()
    commit(work, "third")
    made(work, cache)
    assert not old.exists()
    assert kept.exists()  # a checkout in use stays, however old it is


def test_the_word_of_git_is_one_line_without_secrets(work: Path) -> None:
    with pytest.raises(assay_git.GitError) as raised:
        assay_git.run(work, "fetch", "https://ada:sesame@127.0.0.1:1/x.git")
    assert "sesame" not in str(raised.value) and "\n" not in str(raised.value)
