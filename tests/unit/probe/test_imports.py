"""Modules are patched when they are imported, however the program found them."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.probe.imports import Imports
from assay.probe.places import Project
from assay.probe.totals import Totals


@pytest.fixture
def imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Imports]:
    (tmp_path / "driver_of_tests.py").write_text("")
    (tmp_path / "folder_of_tests").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    watching = Imports(Totals(Project([str(tmp_path)])))
    watching.start()
    yield watching
    sys.meta_path.remove(watching)
    sys.modules.pop("driver_of_tests", None)


def test_a_module_that_was_looked_for_first_is_patched(imports: Imports) -> None:
    patched: list[str] = []
    imports.patch("driver_of_tests", lambda module: patched.append(module.__name__))
    assert importlib.util.find_spec("driver_of_tests")
    assert patched == []
    importlib.import_module("driver_of_tests")
    assert patched == ["driver_of_tests"]
    imports.patch("driver_of_tests", lambda module: patched.append("at once"))
    assert patched[1:] == ["at once"]


def test_a_folder_of_the_same_name_is_no_problem(imports: Imports) -> None:
    imports.patch("folder_of_tests", lambda module: None)
    importlib.import_module("folder_of_tests")
    assert imports._totals.problems == []
