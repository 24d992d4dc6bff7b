import re
from xml.etree import ElementTree as XML

import numpy as np
import pytest

from assay.report import charts
from assay.report.curves import Curve


def rising(last: float) -> Curve:
    return Curve(np.linspace(0, 3, 50), np.linspace(last / 10, last, 50))


@pytest.mark.parametrize(
    "chart",
    [
        charts.percentiles(rising(0.09), rising(0.02)),
        charts.over_time(rising(0.09), rising(0.02), 0.95),
        charts.memory(rising(1e8), rising(1.2e8), "B"),
        charts.by_launch(rising(3e-6), rising(2e-6), "time", "s"),
        charts.by_launch(rising(60.0), rising(60.0), "throughput", "/s"),
    ],
    ids=["percentiles", "over_time", "memory", "time", "throughput"],
)
def test_a_chart_follows_the_theme_and_says_in_words_what_it_shows(
    chart: charts.Chart,
) -> None:
    svg = chart.svg

    XML.fromstring(svg.replace("xlink:", ""))
    for sentinel in (
        charts.COLOUR_A,
        charts.COLOUR_B,
        charts.COLOUR_MUTED,
        charts.COLOUR_LINE,
    ):
        assert sentinel not in svg
    assert "var(--a)" in svg and "var(--b)" in svg
    assert "stroke-dasharray" in svg
    assert re.search(r'role="img" aria-label="[^"]{20,}"', svg)
    assert "<style" not in svg and "http" not in svg
    assert re.search(r">\s*A \d", svg) and re.search(r">\s*B \d", svg)


def test_ids_do_not_repeat_between_charts() -> None:
    first = charts.memory(rising(1e8), rising(1.2e8), "B").svg
    second = charts.memory(rising(1e8), rising(1.3e8), "B").svg

    ids = re.findall(r'id="([^"]+)"', first), re.findall(r'id="([^"]+)"', second)
    assert ids[0] and not set(ids[0]) & set(ids[1])
