"""Programs of an environment, for the layer on top of it."""

import os
import subprocess
from pathlib import Path

import pytest

from assay.subject.layers import copy_programs
from assay.subject.variables import scrubbed

SCRIPT = "{}\nimport sys\nprint(sys.argv[0], sys.argv[1:])\n"


@pytest.mark.parametrize("name", ["layer", "a layer", "l" * 150])
@pytest.mark.parametrize("form", ["shebang", "trampoline"])
def test_a_script_runs_with_the_interpreter_of_the_layer(
    tmp_path: Path, name: str, form: str
) -> None:
    source, target = tmp_path / "below" / "bin", tmp_path / name / "bin"
    for folder in (source, target):
        folder.mkdir(parents=True)
        # A stand-in for Python that prints its environment and its arguments.
        program = f'#!/bin/sh\necho "{folder.parent.name}" "$2" "$(basename "$1")"\n'
        (folder / "python3").write_text(program)
        (folder / "python3").chmod(0o755)
    python = source / "python3"
    first = (
        f"#!{python}"
        if form == "shebang"
        else f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''"
    )
    (source / "serve").write_text(SCRIPT.format(first))
    (source / "serve").chmod(0o755)
    copy_programs(source, target)
    done = subprocess.run([target / "serve", "x"], capture_output=True, text=True)
    assert done.stdout == f"{name} x serve\n", done.stderr


def test_other_programs_are_linked_and_its_own_stay(tmp_path: Path) -> None:
    source, target = tmp_path / "below", tmp_path / "layer"
    source.mkdir()
    target.mkdir()
    for name in ("ruff", "python", "pip3", "activate", "own"):
        (source / name).write_bytes(b"\x7fELF")
    (target / "own").write_text("mine")
    copy_programs(source, target)
    assert sorted(os.listdir(target)) == ["own", "ruff"]
    assert (target / "own").read_text() == "mine"
    assert (target / "ruff").resolve() == source / "ruff"


def test_nothing_of_another_checkout_or_python_is_passed_on() -> None:
    path = "/venv/bin:/usr/bin:/venv/bin/"
    given = {
        "PATH": path,
        "VIRTUAL_ENV": "/venv",
        "PYTHONPATH": "x",
        "PYTHONHOME": "x",
        "GIT_DIR": "x",
        "GIT_INDEX_FILE": "x",
        "GIT_CONFIG_PARAMETERS": "x",
        "GIT_SSH_COMMAND": "ssh",
        "GIT_SSL_CAINFO": "x",
        "PIP_INDEX_URL": "x",
        "UV_INDEX": "x",
        "https_proxy": "x",
        "HOME": "/home/ada",
    }
    assert scrubbed(given) == {
        "PATH": "/usr/bin",
        "GIT_SSH_COMMAND": "ssh",
        "GIT_SSL_CAINFO": "x",
        "PIP_INDEX_URL": "x",
        "UV_INDEX": "x",
        "https_proxy": "x",
        "HOME": "/home/ada",
    }
