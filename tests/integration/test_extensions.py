"""Profilers, report formats and services of another package."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = """
from assay.results import Timeline


class Clock:
    name = "clock"

    def check(self, preset):
        pass


def words(run):
    return f"run {run.name}"


WORDS = "words.txt", words
"""
METADATA = "Metadata-Version: 2.1\nName: assay-extra\nVersion: 1.0\n"
POINTS = """
[assay.profilers]
clock = assay_extra:Clock
[assay.reports]
words = assay_extra:WORDS
"""


def ask(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.getcwd()])},
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with another package in it, as pip leaves it."""
    (tmp_path / "assay_extra.py").write_text(PACKAGE)
    about = tmp_path / "assay_extra-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(METADATA)
    (about / "entry_points.txt").write_text(POINTS)
    return tmp_path


def test_another_package_adds_a_profiler_and_a_format(installed: Path) -> None:
    done = ask(
        installed,
        "from assay.profilers import PROFILERS\n"
        "from assay.report import FORMATS\n"
        "print(list(PROFILERS), PROFILERS['clock'].name, FORMATS['words'][0])",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        *("['py-spy',", "'memory-profiler',", "'probe',", "'clock']"),
        *("clock", "words.txt"),
    ]


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ("[assay.profilers]\nclock = assay_extra:Watch\n", "cannot be loaded"),
        ("[assay.profilers]\npy-spy = assay_extra:Clock\n", "a name that is taken"),
    ],
)
def test_a_package_that_is_wrong_is_named(
    installed: Path, points: str, said: str
) -> None:
    (installed / "assay_extra-1.0.dist-info" / "entry_points.txt").write_text(points)
    done = ask(installed, "from assay.profilers import PROFILERS; list(PROFILERS)")
    assert "assay-extra: the entry point" in done.stderr and said in done.stderr
