"""Requirements files: the files they include, and their folders in the checkout."""

from pathlib import Path

import pytest

from assay.errors import InputError
from assay.subject.requirements import LocalPackage, read
from tests.unit.subject.repositories import write


def test_files_are_read_with_those_that_they_include(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{
            "requirements.txt": "flask  # web\n-r more/base.txt\n\n"
            "--index-url https://i/x#f",
            "more/base.txt": "\ufeff-c limits.txt\nhttpx \\\n  >=0.2\n-r../third.txt\n",
            "third.txt": "git+https://x/y.git#egg=y\nflask\n",
        },
    )
    found = read([tmp_path / "requirements.txt"], tmp_path, tmp_path)
    assert found.lines == (
        "flask",
        f"-c {tmp_path}/more/limits.txt",
        "httpx    >=0.2",
        "git+https://x/y.git#egg=y",
        "--index-url https://i/x#f",
    )
    assert found.local == ()


@pytest.mark.parametrize(
    ("line", "folder", "extras"),
    [
        ("-e .", ".", ()),
        ("-e.", ".", ()),
        ("--editable=.[test, dev]", ".", ("test", "dev")),
        ("-e ./libs/a", "libs/a", ()),
        ("-e libs/a", "libs/a", ()),
        (".", ".", ()),
        (".[test]", ".", ("test",)),
        ("./libs/a ; python_version > '3'", "libs/a", ()),
        ("helper @ file:libs/a", "libs/a", ()),
        ("-e file:libs/a#egg=a", "libs/a", ()),
        ('-e "libs/a"', "libs/a", ()),
    ],
)
def test_folders_of_the_checkout(
    tmp_path: Path, line: str, folder: str, extras: tuple[str, ...]
) -> None:
    write(tmp_path, **{"requirements/dev.txt": f"{line}\n", "libs/a/setup.py": ""})
    found = read([tmp_path / "requirements" / "dev.txt"], tmp_path, tmp_path)
    assert found.local == (LocalPackage(tmp_path / folder, extras),)
    assert found.lines == ()


@pytest.mark.parametrize(
    "line",
    ["flask", "flask[async]", "-e git+https://x/y#egg=y", "https://x/y.whl", "./a.whl"]
    + ["--find-links https://x/", "-i https://x/simple", "/usr", "-r https://x/r.txt"],
)
def test_everything_else_stays(tmp_path: Path, line: str) -> None:
    # A folder with a requirement's name does not make it a local package.
    write(tmp_path, **{"requirements.txt": line, "flask/x.py": "", "a.whl": ""})
    found = read([tmp_path / "requirements.txt"], tmp_path, tmp_path)
    assert found.lines == (line,) and found.local == ()


def test_hashes_make_a_lock(tmp_path: Path) -> None:
    write(tmp_path, a="--no-deps\nx==1 \\\n  --hash=sha256:1\n", b="y==1\n", c="-i z\n")
    assert read([tmp_path / "a"], tmp_path, tmp_path).hashed
    assert not read([tmp_path / "a", tmp_path / "b"], tmp_path, tmp_path).hashed
    assert not read([tmp_path / "c"], tmp_path, tmp_path).hashed


def test_a_file_that_is_included_by_its_url_is_no_lock(tmp_path: Path) -> None:
    lines = "flask==3 --hash=sha256:1\n-r https://x/more.txt\n"
    write(tmp_path, **{"requirements.txt": lines})
    assert not read([tmp_path / "requirements.txt"], tmp_path, tmp_path).hashed


def test_what_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, a="-r a\n", b="-r missing.txt\n")
    with pytest.raises(InputError, match="includes itself"):
        read([tmp_path / "a"], tmp_path, tmp_path)
    with pytest.raises(InputError, match=r"missing\.txt: cannot be read"):
        read([tmp_path / "b"], tmp_path, tmp_path)
