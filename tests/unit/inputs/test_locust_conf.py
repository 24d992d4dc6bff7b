"""Locust's own configuration, which sets defaults for a load."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.inputs import locust_conf

CONF = """\
# a comment
[ignored]
users = 20
spawn-rate: 2.5
--host "http://127.0.0.1:8000"
run_time 3m
headless
csv = out
processes = 4
"""


def read(folder: Path, **variables: str) -> locust_conf.Configuration:
    return locust_conf.read(folder, folder / "home", variables)


def test_the_file_is_read_as_locust_reads_it(tmp_path: Path) -> None:
    (tmp_path / "locust.conf").write_text(CONF)
    said = read(tmp_path)
    assert said == {
        "users": "20",
        "spawn-rate": "2.5",
        "host": "http://127.0.0.1:8000",
        "run-time": "3m",
    }
    assert said.ignored == ["processes (locust.conf)"]


def test_the_later_one_wins(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".locust.conf").write_text("users = 1\nspawn-rate = 7\n")
    (tmp_path / "locust.conf").write_text("users = 2\nhost = http://a\n")
    (tmp_path / "pyproject.toml").write_text("[tool.locust]\nusers = 3\n")
    said = read(tmp_path, LOCUST_HOST="http://b")
    assert said == {"users": "3", "spawn-rate": "7", "host": "http://b"}


def test_nothing_is_said_where_nothing_is_written(tmp_path: Path) -> None:
    for text in ("this is no TOML", f"a = {'[' * 100_000}"):
        (tmp_path / "pyproject.toml").write_text(text)
        said = read(tmp_path)
        assert said == {} and not said.ignored


def test_a_line_that_says_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "locust.conf").write_text("users = 3\n= 4\n")
    with pytest.raises(InputError, match=r"locust\.conf:2: .*expected 'users = 20'"):
        read(tmp_path)


def test_what_is_no_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool]\nlocust = "x"\n')
    with pytest.raises(InputError, match=r"pyproject\.toml: tool\.locust: .*'x'"):
        read(tmp_path)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory: object, text: str) -> None:
    folder = Path(tmp_path_factory.mktemp("conf"))  # type: ignore[attr-defined]
    (folder / "locust.conf").write_text(text, encoding="utf-8", newline="")
    try:
        said = read(folder)
    except InputError as error:
        assert "locust.conf:" in str(error)
    else:
        assert set(said) <= set(locust_conf.SUPPORTED_OPTIONS)
