"""The public API, for scripts and notebooks."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import assay
from assay.errors import InputError
from assay.run_directory.directory import NotARunError
from tests.integration.loads import LOOK, fine
from tests.integration.scripted import serving

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_run_is_measured_opened_and_reported(tmp_path: Path) -> None:
    run = assay.measure(
        EXAMPLES / "quickstart", tmp_path / "run", looks=(6,), profile=False, seed=1
    )
    again = assay.open_run(tmp_path / "run")
    assert again == run
    assert again.plan.settings.seed == 1
    (claim,) = again.results.claims
    assert claim.candidate == "cached"
    assert set(again.launches["variant"]) >= {"cached", "uncached"}
    assert set(again.slices["mode"]) == {"closed", "open"}
    samples = again.samples("quickstart")
    assert len(samples) > 100 and samples["failed"].sum() == 0
    (page,) = again.report()
    assert page == tmp_path / "run" / "index.html" and page.exists()
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "notebook.py"), str(again.path)],
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "svg"},
    )
    assert done.returncode == 0, done.stderr
    assert claim.says in done.stdout
    assert (again.path / "latency.svg").exists()


def test_a_load_test_is_run_and_reported(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(LOOK)
    with serving(fine) as server:
        test = assay.load_test(
            tmp_path / "locustfile.py",
            server.url,
            tmp_path / "load",
            rate="50",
            duration="1s",
        )
    assert test.results.done > 20 and not test.results.partial
    (page,) = test.report()
    assert page.exists()


def test_what_makes_no_sense_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotARunError):
        assay.open_run(tmp_path)
    with pytest.raises(InputError):
        assay.measure(tmp_path / "nothing", tmp_path / "run")
    with pytest.raises(InputError):
        assay.load_test(tmp_path / "nothing.py", output=tmp_path / "load")


@pytest.mark.parametrize(
    "options",
    [
        {"find_capacity": True, "slo": "p99 <= 50ms"},
        {"slo": "p99 <= 50ms"},
        {"sweep": "1,2"},
        {"most": 10},
    ],
)
def test_a_load_test_is_neither_a_search_nor_a_sweep(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    (tmp_path / "locustfile.py").write_text(LOOK)
    with pytest.raises(InputError, match=f"load_test: {next(iter(options))}.*single"):
        assay.load_test(tmp_path / "locustfile.py", output=tmp_path / "load", **options)
    assert not (tmp_path / "load").exists()


@pytest.mark.parametrize("wrong", [{"margin": 5}, {"margn": 0.1}])
def test_settings_that_make_no_sense_are_refused(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=f"measure: {next(iter(wrong))}: "):
        assay.measure(EXAMPLES / "quickstart", tmp_path / "run", **wrong)
    assert not (tmp_path / "run").exists()


def test_the_version_is_that_of_the_package() -> None:
    assert assay.__version__.count(".") == 2
