"""The commits from one to another, of real repositories."""

from pathlib import Path

import pytest

from assay.errors import InputError
from assay.subject.ancestry import chain
from tests.unit.subject.repositories import commit, create, found, git


def subjects(repository: Path, cache: Path, good: str, bad: str) -> list[str]:
    known = found(repository, cache)
    links = chain(known, known.commit(good), known.commit(bad))
    return [link.commit.subject for link in links]


def test_commits_come_oldest_first_with_what_they_change(tmp_path: Path) -> None:
    folder = create(tmp_path / "shop")
    commit(folder, "second", **{"b.py": "2\n"})
    commit(folder, "third", **{"README.md": "3\n"})
    assert subjects(folder, tmp_path, "HEAD~2", "HEAD") == ["second", "third"]
    known = found(folder, tmp_path)
    links = chain(known, known.commit("HEAD~2"), known.commit("HEAD"))
    assert [link.diff.files[0].path for link in links] == ["b.py", "README.md"]
    assert [link.diff.documentation_only for link in links] == [False, True]


def test_a_merge_is_one_commit_with_all_that_it_brings(tmp_path: Path) -> None:
    folder = create(tmp_path / "shop")
    git(folder, "switch", "-q", "-c", "side")
    commit(folder, "side 1", **{"s.py": "1\n"})
    commit(folder, "side 2", **{"s.py": "2\n"})
    git(folder, "switch", "-q", "main")
    commit(folder, "main 1", **{"m.py": "1\n"})
    git(folder, "merge", "-q", "--no-ff", "-m", "merge", "side")
    assert subjects(folder, tmp_path, "HEAD~2", "HEAD") == ["main 1", "merge"]


def test_the_same_commit_leaves_nothing(tmp_path: Path) -> None:
    folder = create(tmp_path / "shop")
    assert subjects(folder, tmp_path, "HEAD", "main") == []


def test_swapped_commits_are_said(tmp_path: Path) -> None:
    folder = create(tmp_path / "shop")
    commit(folder, "second")
    with pytest.raises(
        InputError, match="HEAD is newer than HEAD~1; type: assay bisect"
    ):
        subjects(folder, tmp_path, "HEAD", "HEAD~1")


def test_branches_that_part_name_where(tmp_path: Path) -> None:
    folder = create(tmp_path / "shop")
    base = git(folder, "rev-parse", "HEAD")
    git(folder, "switch", "-q", "-c", "side")
    commit(folder, "side")
    git(folder, "switch", "-q", "main")
    commit(folder, "main")
    with pytest.raises(InputError, match=f"type: assay bisect {base[:10]} side"):
        subjects(folder, tmp_path, "main", "side")


def test_a_tag_that_was_merged_later_is_refused(tmp_path: Path) -> None:
    folder = create(tmp_path / "shop")
    base = git(folder, "rev-parse", "HEAD")
    git(folder, "switch", "-q", "-c", "release")
    commit(folder, "hotfix", **{"s.py": "1\n"})
    git(folder, "tag", "v1")
    git(folder, "switch", "-q", "main")
    commit(folder, "main 1", **{"m.py": "1\n"})
    git(folder, "merge", "-q", "--no-ff", "-m", "merge", "release")
    commit(folder, "main 2", **{"m.py": "2\n"})
    with pytest.raises(InputError, match=f"type: assay bisect {base[:10]} HEAD"):
        subjects(folder, tmp_path, "v1", "HEAD")


def test_no_common_ancestor_is_said(tmp_path: Path) -> None:
    folder = create(tmp_path / "shop")
    git(folder, "switch", "-q", "--orphan", "other")
    commit(folder, "orphan")
    with pytest.raises(InputError, match="no common ancestor"):
        subjects(folder, tmp_path, "main", "other")
