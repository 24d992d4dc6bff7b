"""The charts of a load test."""

from typing import Any

import pytest

from assay.report.load import charts
from tests.unit.load_tests.synthetic import Sample, ticks


@pytest.mark.parametrize("unserved", [0, 900])
def test_unserved_arrivals_are_no_rate(
    monkeypatch: pytest.MonkeyPatch, unserved: int
) -> None:
    drawn = list[Any]()
    monkeypatch.setattr(charts, "as_svg", lambda draw, label: drawn.append(label))
    told = ticks([Sample(i / 10, i / 10 + 0.01) for i in range(100)])
    told[-1] |= {"unserved": unserved, "requests": 10 + unserved}
    assert charts.rate(told)
    assert drawn == ["Rate over time: 10.0 requests a second ended on average."]
