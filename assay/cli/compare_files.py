"""`assay compare a.json b.json`: compare two files of pytest-benchmark."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from assay.cli.output import HOLD, UNDECIDED, open_console, print_table_or_json
from assay.errors import InputError, MeasureError

if TYPE_CHECKING:
    from assay.single_runs import SingleRun

SUFFIX = ".json"
EXAMPLE = "assay compare a.json b.json"


def is_asked(base: str | None, head: str | None) -> bool:
    """Say whether the user named a JSON file instead of a commit."""
    return any(name and name.lower().endswith(SUFFIX) for name in (base, head))


def check_options(is_about_files: bool, given: Mapping[str, object]) -> None:
    """Check that no option was given that would be ignored.

    Args:
        is_about_files: Whether two files are compared instead of two commits.
        given: The options by name; None and empty values mean that an option was not
            given.

    Raises:
        InputError: An option was given that would be ignored.
    """
    for name, value in given.items():
        if value not in (None, "", []) and is_about_files == (name != "--history"):
            reason = (
                "two files were measured already, and nothing is measured again"
                if is_about_files
                else f"it is for two files of pytest-benchmark: {EXAMPLE} {name} DIR"
            )
            raise InputError(f"{name}: {reason}; leave it out")


def compare_files(
    base: str | None, head: str | None, history: Path | None, as_json: bool
) -> int:
    """Compare two files, print the result, and return the exit code.

    Args:
        base: The first file.
        head: The second file.
        history: A folder of earlier files, whose scatter shows the noise.
        as_json: Whether the result is printed as JSON.

    Raises:
        InputError: A file is missing, damaged, or no file of pytest-benchmark; both
            files are the same run; or `history` has no file of pytest-benchmark.
        MeasureError: The files have no test in common.
    """
    from assay.analysis import single_runs
    from assay.inputs import benchmark_json
    from assay.report import single_runs_text

    if not base or not head:
        raise InputError(f"expected two files of pytest-benchmark: {EXAMPLE}")
    before = benchmark_json.read(Path(base), base)
    after = benchmark_json.read(Path(head), head)
    if os.path.samefile(base, head) or _is_same_run(before, after):
        raise InputError(f"{base} and {head} are the same run; expected two: {EXAMPLE}")
    earlier = benchmark_json.read_folder(history) if history else []
    results = single_runs.compare(before, after, earlier)
    if not results.tests:
        raise MeasureError(
            f"{base} and {head} have no test in common: the first has "
            f"{_example(before)}, the second {_example(after)}; expected the same "
            "benchmarks, run from the same folder"
        )
    print_table_or_json(
        results, as_json, lambda: single_runs_text.render(results, open_console())
    )
    return UNDECIDED if results.undecided else HOLD


def _is_same_run(base: SingleRun, head: SingleRun) -> bool:
    """Say whether both files have the same content."""
    return base == head.model_copy(update={"file": base.file})


def _example(run: SingleRun) -> str:
    return next(iter(run.medians))
