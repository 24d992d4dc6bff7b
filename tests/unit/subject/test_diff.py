"""The diff between two commits, as git really writes it."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.subject.diff import Diff, FileChange, Hunk, Side
from tests.unit.subject.repositories import commit, create, found, git, write

LINE = st.one_of(
    st.sampled_from(["", "x", "y", "-- a", "++ b", "@@ -1 +1 @@", "\\ No newline"]),
    st.sampled_from(
        ["diff --git a/x b/x", "\ra", "\x0cform", "\u2028", "Binary files"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters="\n\0"), max_size=5),
)
TEXT = st.tuples(st.lists(LINE, max_size=8), st.booleans())
SLOW = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def text_of(made: tuple[list[str], bool]) -> bytes:
    lines, newline = made
    return ("\n".join(lines) + ("\n" if newline and lines else "")).encode()


def between(base: bytes, head: bytes) -> Diff:
    with tempfile.TemporaryDirectory() as folder:
        work = create(Path(folder) / "work")
        (work / "x.py").write_bytes(base)
        first = commit(work, "base")
        (work / "x.py").write_bytes(head)
        second = commit(work, "head")
        repository = found(work, Path(folder) / "cache")
        return repository.diff(repository.commit(first), repository.commit(second))


def applied(base: bytes, file: FileChange) -> bytes:
    """Apply the hunks by their numbers alone, and check what they say they replace."""
    old = base.decode().split("\n")
    new: list[str] = []
    position = 0
    ends_without = False
    for hunk in file.hunks:
        start = hunk.base_start - 1 if hunk.base_length else hunk.base_start
        new += old[position:start]
        removed = [x[1:] for x in hunk.lines if x.startswith("-")]
        added = [x[1:] for x in hunk.lines if x.startswith("+")]
        assert removed == old[start : start + hunk.base_length]
        assert len(added) == hunk.head_length
        first = hunk.head_start - 1 if hunk.head_length else hunk.head_start
        assert first == len(new)
        new += added
        position = start + hunk.base_length
        ends_without = hunk.lines[-1].startswith("\\") and hunk.head_length > 0
    rest = old[position:]
    if ends_without:
        assert rest in ([], [""])
        rest = []
    elif not rest and file.hunks:
        rest = [""]  # the hunk added the newline of the last line
    return "\n".join(new + rest).encode()


@SLOW
@given(TEXT, TEXT)
def test_hunks_lead_from_one_text_to_the_other(
    base: tuple[list[str], bool], head: tuple[list[str], bool]
) -> None:
    old, new = text_of(base), text_of(head)
    diff = between(old, new)
    if old == new:
        assert diff.files == ()
        return
    (file,) = diff.files
    assert (file.path, file.kind, file.plain) == ("x.py", "modified", True)
    assert not file.binary
    assert applied(old, file) == new


NAME = st.text(
    st.sampled_from(["a", " ", "\n", "\t", '"', "\\", "é", "\udcff", "-", ":", "*"]),
    min_size=1,
    max_size=6,
).filter(lambda name: name.strip(" ") == name)


@SLOW
@given(st.lists(NAME, min_size=1, max_size=6, unique=True), st.data())
def test_every_path_gets_its_own_hunks(names: list[str], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = create(Path(folder) / "work")
        wanted: dict[str, tuple[str | None, tuple[str, ...]]] = {}
        for number, name in enumerate(names):
            write(work, **{f"d/{name}": f"{number} old\n" * 20})
        base = commit(work, "base")
        for number, name in enumerate(names):
            path = work / "d" / name
            what = data.draw(st.sampled_from(["keep", "change", "remove", "move"]))
            if what == "change":
                path.write_text(f"{number} new\n")
                wanted[f"d/{name}"] = (None, (f"+{number} new",))
            elif what == "remove":
                path.unlink()
                wanted[f"d/{name}"] = (None, ())
            elif what == "move":
                (work / "e").mkdir(exist_ok=True)
                path.rename(work / "e" / name)
                wanted[f"e/{name}"] = (f"d/{name}", ())
        head = commit(work, "head")
        repository = found(work, Path(folder) / "cache")
        diff = repository.diff(repository.commit(base), repository.commit(head))
        got = {
            file.path: (
                file.old_path,
                tuple(x for h in file.hunks for x in h.lines if x.startswith("+")),
            )
            for file in diff.files
        }
        assert got == wanted


def test_links_modes_binary_files_and_submodules(tmp_path: Path) -> None:
    work = create(tmp_path / "work", **{"link": "x\n", "run.sh": "x\n", "z.py": "1\n"})
    (work / "image").write_bytes(b"\0\1")
    base = commit(work, "base")
    (work / "link").unlink()
    (work / "link").symlink_to("a.py")
    (work / "run.sh").chmod(0o755)
    (work / "image").write_bytes(b"\0\2")
    create(work / "module")
    write(work, **{"z.py": "2\n"})
    head = commit(work, "head")
    repository = found(work, tmp_path / "cache")
    diff = repository.diff(repository.commit(base), repository.commit(head))
    files = {file.path: file for file in diff.files}
    assert files["image"].binary and not files["image"].hunks
    assert files["link"].kind == "retyped" and not files["link"].plain
    assert [h.lines[0] for h in files["link"].hunks] == ["-x", "+a.py"]
    assert files["run.sh"].hunks == () and files["run.sh"].plain
    assert not files["module"].plain
    # The last file still has its own lines.
    assert files["z.py"].hunks == (Hunk(1, 1, 1, 1, ("-1", "+2")),)


def test_settings_of_the_user_do_not_matter(tmp_path: Path) -> None:
    work = create(tmp_path / "work", **{".gitattributes": "*.py diff=shout\n"})
    base = commit(work, "base", **{"b.py": "1\n2\n3\n4\n"})
    head = commit(work, "head", **{"b.py": "0\n2\n3\n5\n"})
    marker = tmp_path / "ran"
    for setting, value in {
        "diff.shout.textconv": f"touch {marker};",
        "diff.shout.command": f"touch {marker};",
        "diff.external": f"touch {marker};",
        "diff.noprefix": "true",
        "diff.context": "5",
        "diff.interHunkContext": "9",
        "color.ui": "always",
        "core.pager": f"touch {marker};",
        "core.quotePath": "false",
        "core.fsmonitor": f"touch {marker};",
    }.items():
        git(work, "config", setting, value)
    write(work, **{"new.py": "x"})
    repository = found(work, tmp_path / "cache")
    (file,) = repository.diff(repository.commit(base), repository.commit(head)).files
    assert len(file.hunks) == 2
    assert repository.working_tree().dirty
    assert not marker.exists()


@pytest.mark.parametrize(
    ("side", "first", "last", "touched"),
    [
        ("head", 10, 12, True),
        ("head", 1, 10, True),
        ("head", 12, 90, True),
        ("head", 1, 9, False),
        ("head", 13, 90, False),
        # In base, the hunk is between lines 9 and 10.
        ("base", 9, 10, True),
        ("base", 1, 9, False),
        ("base", 10, 20, False),
    ],
)
def test_a_hunk_touches_lines(side: Side, first: int, last: int, touched: bool) -> None:
    hunk = Hunk(9, 0, 10, 3, ("+a", "+b", "+c"))
    change = FileChange("new.py", "old.py", "renamed", (hunk,), False, True)
    path = "new.py" if side == "head" else "old.py"
    other = "old.py" if side == "head" else "new.py"
    diff = Diff((change,))
    assert diff.touches(path, first, last, side) == ((hunk,) if touched else ())
    assert diff.touches(other, first, last, side) == ()


def changed(*paths: str, old: str | None = None, plain: bool = True) -> Diff:
    return Diff(
        tuple(FileChange(path, old, "modified", (), False, plain) for path in paths)
    )


@pytest.mark.parametrize(
    "path",
    ["README.md", "docs/a/b.md", "docs/logo.png", "docs/notes.txt", "LICENSE"]
    + ["pkg/README.rst", "CHANGES.rst", ".github/pull_request_template.md", "guide.md"],
)
def test_documentation(path: str) -> None:
    assert changed(path).documentation_only
    assert not changed(path, "a.py").documentation_only
    assert not changed(path, plain=False).documentation_only
    assert not changed(path, old="a.py").documentation_only


@pytest.mark.parametrize(
    "path",
    ["a.py", "docs/conf.py", "requirements.txt", "docs/requirements.txt", "uv.lock"]
    + ["shop/pages/about.md", "pyproject.toml", "setup.cfg", "templates/readme.html"]
    + ["data.txt", "logo.png", "Dockerfile", ".github/workflows/ci.yml"],
)
def test_no_documentation(path: str) -> None:
    assert not changed(path).documentation_only


def test_nothing_is_no_documentation() -> None:
    assert not Diff(()).documentation_only


def test_paths_that_are_not_utf8(tmp_path: Path) -> None:
    work = create(tmp_path / "work")
    base = git(work, "rev-parse", "HEAD")
    name = os.fsdecode(b"caf\xe9.py")
    head = commit(work, "head", **{name: "x\n"})
    repository = found(work, tmp_path / "cache")
    diff = repository.diff(repository.commit(base), repository.commit(head))
    assert diff.touches(name, 1, 1, "head")
