"""`assay load`, as far as it needs no server: its command line and its directory."""

import sys
from pathlib import Path

import pytest

from assay import cli_shared, cli_trials
from assay.errors import InputError


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
    assert cli_shared.command_line(7) == repeated


def test_what_was_made_in_vain_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "today"
    made = cli_shared.missing(path)
    assert made == tmp_path / "reports"
    (path / "samples").mkdir(parents=True)
    cli_shared.discard(path, made)
    assert list(tmp_path.iterdir()) == []
    # What was there before stays.
    (tmp_path / "reports").mkdir()
    made = cli_shared.missing(path)
    (path / "samples").mkdir(parents=True)
    cli_shared.discard(path, made)
    assert list(tmp_path.iterdir()) == [tmp_path / "reports"]
    path.mkdir()
    assert cli_shared.missing(path) is None
    (path / "samples").mkdir()
    cli_shared.discard(path, None)
    assert list(path.iterdir()) == []


def test_a_sweep_needs_users_for_every_worker() -> None:
    given = dict.fromkeys(("--rate", "--users", "--require", "--iterations"))
    cli_trials.Sweep((2, 4)).check(2, given)
    with pytest.raises(InputError, match="2 is too few for 3 workers"):
        cli_trials.Sweep((2, 4)).check(3, given)
