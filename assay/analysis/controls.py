"""The A/A arm: a baseline against itself, which must come out as the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from assay.analysis import measurements, power, statistics
from assay.analysis.deciding import deciding
from assay.analysis.looks import Looks
from assay.metrics import METRICS
from assay.plan import AA_SUFFIX, Topic
from assay.results import Control

if TYPE_CHECKING:
    from assay.analysis.measurements import Measurements

# An A/A arm is rare and small: it must be plainly wrong before it forbids anything.
CONTROL_ALPHA = 0.001


def controls(looks: Looks, topic: Topic, measured: Measurements) -> Iterable[Control]:
    """Judge the A/A arm of a topic: one for each metric that decides something."""
    from scipy.stats import t

    for baseline in topic.controls():
        pair = next(p for p in topic.pairs() if p[0] == baseline)
        for metric in METRICS:
            if metric not in deciding(topic, pair, measured):
                continue
            arm = measurements.log_ratios(
                measured, topic.name, baseline, baseline + AA_SUFFIX, metric
            )
            x = measurements.log_ratios(measured, topic.name, *pair, metric)
            centre = statistics.hodges_lehmann(arm) if len(arm) else math.nan
            if not math.isfinite(centre):
                continue
            failed = False
            if len(x) > 2 and abs(centre) > math.log1p(looks.margin):
                # The arm has few launches; how much launches differ is known
                # better from the pair, which has been in all of them.
                spread = power.spread(x)
                limit = float(t.isf(CONTROL_ALPHA / 2, len(x) - 1))
                failed = spread is not None and abs(
                    centre
                ) > limit * spread / math.sqrt(len(arm))
            yield Control(
                topic=topic.name,
                variant=baseline,
                metric=metric,
                ratio=math.exp(centre),
                launches=len(arm),
                failed=failed,
            )
