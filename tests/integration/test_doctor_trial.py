"""The doctor's trial on this machine: it measures, so nothing may run beside it."""

from pathlib import Path

import pytest

from assay.doctor import trial
from assay.metrics import DECIDING_METRICS
from tests.unit.doctor.test_trial import with_cores


@with_cores
def test_this_machine_is_tried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "LAUNCHES", 3)
    said: list[str] = []
    found = trial.run_trial(tmp_path, said.append)
    assert found.started >= 3
    assert len(said) == found.started
    if found.launches < 3:
        pytest.skip("this machine is too busy now for launches that count")
    assert set(found.spreads) == set(DECIDING_METRICS)
    # If pairs or modes were mixed up, the spreads would be much larger than this.
    assert all(0 < spread < 0.5 for spread in found.spreads.values())
