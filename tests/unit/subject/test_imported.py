"""Which code a side ran."""

from pathlib import Path

from assay.subject.imported import content_hash, foreign
from tests.unit.subject.repositories import write


def test_files_of_another_checkout_are_foreign(tmp_path: Path) -> None:
    base, head, user = (tmp_path / name for name in ("base", "head", "user"))
    shared = user / ".venv"  # the active environment, which both sides use
    for folder in (base, head, user, shared):
        write(folder, **{"shop.py": "x"})
    (base / "linked.py").symlink_to(head / "shop.py")
    files = [base / "shop.py", head / "shop.py", user / "shop.py", shared / "shop.py"]
    files += [base / "linked.py", Path("/usr/lib/python3/json.py")]
    texts = [str(file) for file in files]
    assert foreign(texts, [base, shared], [head, shared], user) == [
        str(head / "shop.py"),
        str(user / "shop.py"),
        str(base / "linked.py"),
    ]
    # Checkouts stay Assay's own, even if the cache is inside the user's work tree.
    assert foreign([str(base / "shop.py")], [base], [head], tmp_path) == []
    # A folder whose name only begins like a checkout's is not inside it.
    assert foreign([str(tmp_path / "head2" / "x.py")], [base], [head], user) == []


def test_the_hash_is_of_content_and_not_of_place(tmp_path: Path) -> None:
    packages = "lib/python3.{}/site-packages/shop/__init__.py"
    for side, version in (("base", "12"), ("head", "13")):
        write(tmp_path / side, **{"app.py": "1", "unused.py": side})
        write(tmp_path / side / "venv", **{packages.format(version): "2"})

    def hashed(side: str, version: str) -> str:
        top = tmp_path / side
        files = [top / "app.py", top / "venv" / packages.format(version)]
        return content_hash([str(file) for file in files], [top, top / "venv"])

    before = hashed("base", "12")
    assert before == hashed("head", "13")
    write(tmp_path / "base", **{"app.py": "changed"})
    assert hashed("base", "12") != before
    # Files that no longer exist, or belong to no side, are ignored.
    alone = content_hash([str(tmp_path / "head" / "app.py")], [tmp_path / "head"])
    more = [str(tmp_path / "head" / x) for x in ("app.py", "gone.py")] + ["/etc/passwd"]
    assert content_hash(more, [tmp_path / "head"]) == alone
