"""`assay load`, as far as it needs no server: its command line and its directory."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay.cli import load, output, trials
from assay.cli.load_request import LoadRequest
from assay.errors import InputError, MeasureError
from assay.load_tests import summary
from assay.run_directory.directory import NotARunError
from tests.unit.load_tests.synthetic import finished, searched


@pytest.mark.parametrize(
    ("given", "repeated"),
    [
        ("load f.py --rate 5", "assay load f.py --rate 5 --seed 7"),
        ("load f.py --seed 3", "assay load f.py --seed 3"),
        ("load f.py --seed=3", "assay load f.py --seed=3"),
        ("load f.py -- --path /x", "assay load f.py --seed 7 -- --path /x"),
        ("load f.py -- --seed 3", "assay load f.py --seed 7 -- --seed 3"),
        ("load f.py --seed-users 3", "assay load f.py --seed-users 3 --seed 7"),
        ("load f.py -- -- --seed 3", "assay load f.py --seed 7 -- -- --seed 3"),
        (
            "load f.py --host http://me:pw@here -- --api-token S3",
            "assay load f.py --host 'http://***@here' --seed 7 -- --api-token '***'",
        ),
    ],
)
def test_the_command_that_repeats_a_run(
    monkeypatch: pytest.MonkeyPatch, given: str, repeated: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/assay", *given.split()])
    assert output.command_line(7) == repeated


def test_what_was_made_in_vain_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "today"
    created = output.outermost_missing(path)
    assert created == tmp_path / "reports"
    (path / "samples").mkdir(parents=True)
    output.discard(path, created)
    assert list(tmp_path.iterdir()) == []
    # A folder that existed before stays.
    (tmp_path / "reports").mkdir()
    created = output.outermost_missing(path)
    (path / "samples").mkdir(parents=True)
    output.discard(path, created)
    assert list(tmp_path.iterdir()) == [tmp_path / "reports"]
    path.mkdir()
    assert output.outermost_missing(path) is None
    (path / "samples").mkdir()
    output.discard(path, None)
    assert list(path.iterdir()) == []


def test_a_sweep_needs_users_for_every_worker() -> None:
    request = LoadRequest("f.py", seed=1, sweep="2,4", workers=2)
    trials.Sweep((2, 4)).check(request)
    with pytest.raises(InputError, match="2 is too few for 3 workers"):
        trials.Sweep((2, 4)).check(replace(request, workers=3))


BASE: dict[str, Any] = {
    **{"run": "run", "partial": False, "seed": 1, "host": "", "planned": 9},
    **{"done": 9, "dropped": 0, "unserved": 0, "loaded": 1.0, "rate": 9.0},
    **{"lag_p50": 0.0, "lag_p99": 0.0, "stall": 0.0, "generator_cpu": 0.1},
}
SPREAD = dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "p999", "longest"))


def row(kind: str, failed: int, name: str = "") -> dict[str, Any]:
    return {
        **{"kind": kind, "name": name, "requests": 9, "failed": failed},
        **{"latency": {"count": 0, **SPREAD}, "service": {"count": 0, **SPREAD}},
    }


def judgement(verdict: str) -> dict[str, Any]:
    item = {"text": "", "metric": "errors", "name": "", "limit": 0, "value": 0}
    return {**item, "verdict": verdict}


FINE, BAD = (row("request", 8),), (row("request", 9), row("request", 9, "(unserved)"))


@pytest.mark.parametrize(
    ("verdicts", "rows", "changes", "code"),
    [
        ([], FINE, {}, 0),
        (["holds"], FINE, {}, 0),
        (["holds", "undecided"], FINE, {}, 3),
        (["undecided", "refuted"], FINE, {}, 1),
        (["refuted"], FINE, {"partial": True}, 4),
        ([], BAD, {"partial": True, "locust_exit_code": 9}, 4),
        # No request succeeded, with and without requirements.
        ([], BAD, {}, 1),
        (["holds"], BAD, {}, 1),
        (["undecided"], BAD, {}, 1),
        ([], (*FINE, row("start", 9, "login")), {}, 1),
        ([], (*FINE, row("start", 8, "login"), row("stop", 9, "out")), {}, 0),
        ([], (), {}, 0),
        # The locustfile set an exit code.
        ([], FINE, {"locust_exit_code": 0}, 0),
        ([], BAD, {"locust_exit_code": 0}, 1),
        (["undecided"], FINE, {"locust_exit_code": 9}, 9),
        (["refuted"], FINE, {"locust_exit_code": 9}, 1),
        ([], FINE, {"locust_exit_code": 256}, 1),
        ([], FINE, {"locust_exit_code": -1}, 255),
    ],
)
def test_the_exit_code_of_a_load_test(
    verdicts: list[str],
    rows: tuple[dict[str, Any], ...],
    changes: dict[str, Any],
    code: int,
) -> None:
    from assay.load_results import LoadResults

    judged = [judgement(verdict) for verdict in verdicts]
    given = {**BASE, "rows": rows, "requirements": judged, **changes}
    assert load.exit_code(LoadResults.model_validate(given)) == code


@pytest.mark.parametrize(
    ("partial", "low", "locust_code", "code"),
    [
        (False, 100, None, 0),
        (False, 100, 9, 9),
        (False, None, 9, 1),
        (True, 100, 9, 4),
    ],
)
def test_the_exit_code_of_a_search(
    tmp_path: Path, partial: bool, low: float | None, locust_code: int | None, code: int
) -> None:
    results = searched(tmp_path, partial, low).trials()
    assert results is not None
    results = results.model_copy(update={"locust_exit_code": locust_code})
    assert load.exit_code(results) == code


FULL = Path("/dev/full")  # writing there fails like on a full disk
full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
SAMPLES = [(i / 10, i / 10 + 0.011, 0) for i in range(100)]


@full
def test_what_is_on_a_full_disk_is_summed_up_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished(tmp_path, SAMPLES)
    (run.path / "results.json.part").symlink_to(FULL)
    results = load._results(run)
    assert results == summary.summarise(run)
    with pytest.raises(NotARunError, match=r"results\.json"):
        load._report_results(run, results, ("html",), False)
    captured = capsys.readouterr()
    assert "100 planned = 100 done" in " ".join(captured.out.split())
    assert "No space left on device" in captured.err


@full
def test_a_report_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished(tmp_path, SAMPLES)
    (run.path / "index.html.part").symlink_to(FULL)
    with pytest.raises(InputError, match="No space left on device"):
        load.report(run.path, "html", False)
    assert "100 planned = 100 done" in " ".join(capsys.readouterr().out.split())
    error = load._report_error(run, OSError("No space left on device"))
    assert error.exit_code == 4 and f"assay report {run.path}" in str(error)


@pytest.mark.parametrize("error", [MeasureError("disk full"), KeyboardInterrupt()])
def test_what_stopped_a_sweep_before_its_first_trial_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def measure(*_: object) -> None:
        raise error

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(load, "_measure", measure)
    (tmp_path / "f.py").touch()
    with pytest.raises(type(error)) as raised:
        load.run(LoadRequest("f.py", seed=1, sweep="1,2"), tmp_path / "out", False)
    assert raised.value is error


def test_results_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(*_: object) -> None:
        (tmp_path / "out" / "results.json").write_text("{")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(load, "_measure", measure)
    (tmp_path / "f.py").touch()
    with pytest.raises(MeasureError, match=r"results\.json: .*; run the test again"):
        load.run(LoadRequest("f.py", seed=1, users=1), tmp_path / "out", False)
