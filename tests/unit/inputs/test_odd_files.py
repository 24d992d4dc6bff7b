"""Files that begin with a byte order mark, and files that are nested very deeply."""

import json
from pathlib import Path

import pytest

from assay.errors import InputError
from assay.inputs import benchmark_json, loader, locust_conf
from assay.subject.project import read_toml

MARK = "\ufeff"
CLAIMS = """\
title = "Shop"
[target]
command = "serve"
[scenario]
locustfile = "locustfile.py"
[variants]
a = {}
b = {}
"""
PRESET = 'title = "Mine"\nprofiler = "py-spy"\nduration = 3.0\n'


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "claims.toml").write_text(CLAIMS)
    (folder / "locustfile.py").write_text("")
    monkeypatch.chdir(tmp_path)
    return folder


def mark(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(MARK + text, encoding="utf-8")


def test_a_byte_order_mark_changes_nothing(shop: Path, tmp_path: Path) -> None:
    mark(shop / "claims.toml", CLAIMS)
    mark(tmp_path / "pyproject.toml", "[tool.assay]\nmargin = 0.07\n")
    plan = loader.load(["shop"], {"profile": False}, "", tmp_path)
    assert plan.topics[0].title == "Shop" and plan.settings.margin == 0.07
    assert read_toml(tmp_path / "pyproject.toml")["tool"]["assay"]["margin"] == 0.07


def test_a_preset_with_a_byte_order_mark(tmp_path: Path) -> None:
    mark(tmp_path / "profiles" / "mine.toml", Path("profiles/cpu.toml").read_text())
    assert loader.load_preset("mine", tmp_path) is not None


def test_options_of_locust_with_a_byte_order_mark(tmp_path: Path) -> None:
    mark(tmp_path / "locust.conf", "users = 7\n")
    assert locust_conf.read(tmp_path, tmp_path / "home")["users"] == "7"


def test_benchmarks_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = {"benchmarks": [], "machine_info": {}, "commit_info": {}, "version": "5"}
    content = (MARK + json.dumps(file)).encode()
    with pytest.raises(
        InputError, match="no test in it has a usable median"
    ):  # it is JSON
        benchmark_json.parse(content, "a.json")


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 3000 + "]" * 3000,
        "x = " + "{a = " * 3000 + "1" + "}" * 3000,
        "[variants." + ".".join("a" * 3000) + "]\nx = 1",
        "[" + ".".join("a" * 3000) + "]\nx = 1",
        ".".join("a" * 3000) + " = 1",
        "title." + ".".join("a" * 3000) + " = 1",
    ],
    ids=["lists", "tables", "variant", "header", "key", "title"],
)
def test_nesting_of_any_depth_is_a_mistake(shop: Path, text: str) -> None:
    (shop / "claims.toml").write_text(f"{text}\n{CLAIMS}")
    with pytest.raises(InputError) as error:
        loader.load(["shop"], {"profile": False}, "", shop.parent)
    assert "claims.toml" in str(error.value) and len(str(error.value)) < 20_000
    if text.startswith("["):  # in pyproject.toml, a table that Assay does not read
        return
    (shop.parent / "pyproject.toml").write_text(f"[tool.assay]\n{text}")
    (shop / "claims.toml").write_text(CLAIMS)
    with pytest.raises(InputError, match="pyproject.toml"):
        loader.load(["shop"], {"profile": False}, "", shop.parent)
